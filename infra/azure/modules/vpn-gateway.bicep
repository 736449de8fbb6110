// An active-active, zone-redundant VPN gateway with BGP. Beside Route Server both are required, and ASN 65515 (Route Server FAQ).
// Connections to on-premises are not made here: they need addresses and shared keys of the other side (docs/deploy.md).
@description('Required. Name of the gateway.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of GatewaySubnet.')
param subnetResourceId string
@description('Required. SKU.')
param sku 'VpnGw1AZ' | 'VpnGw2AZ' | 'VpnGw3AZ' | 'VpnGw4AZ' | 'VpnGw5AZ'

var instances = ['a', 'b']

resource addresses 'Microsoft.Network/publicIPAddresses@2025-05-01' = [
  for instance in instances: {
    name: 'pip-${name}-${instance}'
    location: location
    tags: tags
    sku: {
      name: 'Standard'
    }
    zones: [
      '1'
      '2'
      '3'
    ]
    properties: {
      publicIPAllocationMethod: 'Static'
    }
  }
]

resource gateway 'Microsoft.Network/virtualNetworkGateways@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    gatewayType: 'Vpn'
    vpnType: 'RouteBased'
    sku: {
      name: sku
      tier: sku
    }
    activeActive: true
    enableBgp: true
    bgpSettings: {
      asn: 65515
    }
    ipConfigurations: [
      for (instance, i) in instances: {
        name: instance
        properties: {
          privateIPAllocationMethod: 'Dynamic'
          subnet: {
            id: subnetResourceId
          }
          publicIPAddress: {
            id: addresses[i].id
          }
        }
      }
    ]
  }
}

@description('Resource id of the gateway.')
output resourceId string = gateway.id
