// A zone-redundant ExpressRoute gateway, connected to the region's circuit. Takes tens of minutes to create.
@description('Required. Name of the gateway.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of GatewaySubnet.')
param subnetResourceId string
@description('Required. SKU.')
param sku 'ErGw1AZ' | 'ErGw2AZ' | 'ErGw3AZ' | 'ErGwScale'
@description('Required. Resource id of the circuit to connect.')
param circuitResourceId string

resource gateway 'Microsoft.Network/virtualNetworkGateways@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    gatewayType: 'ExpressRoute'
    sku: {
      name: sku
      tier: sku
    }
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          privateIPAllocationMethod: 'Dynamic'
          subnet: {
            id: subnetResourceId
          }
        }
      }
    ]
  }
}

resource connection 'Microsoft.Network/connections@2025-05-01' = {
  name: 'con-${name}'
  location: location
  tags: tags
  properties: {
    connectionType: 'ExpressRoute'
    routingWeight: 0
    virtualNetworkGateway1: {
      id: gateway.id
      properties: {}
    }
    peer: {
      id: circuitResourceId
    }
  }
}

@description('Resource id of the gateway.')
output resourceId string = gateway.id
