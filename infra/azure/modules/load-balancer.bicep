// An internal load balancer over the NVAs of a region: keeps both directions of a connection on one NVA.
@description('Required. Name of the load balancer.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of the subnet of the NVAs.')
param subnetResourceId string
@description('Required. Address of the front end.')
param address string
@description('Required. Session persistence.')
param persistence 'SourceIP' | 'SourceIPProtocol'
@description('Required. Port of the agents: an NVA whose agent answers is in.')
param agentPort int

resource balancer 'Microsoft.Network/loadBalancers@2025-05-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Regional'
  }
  properties: {
    frontendIPConfigurations: [
      {
        name: 'front'
        zones: ['1', '2', '3']
        properties: {
          privateIPAllocationMethod: 'Static'
          privateIPAddress: address
          privateIPAddressVersion: 'IPv4'
          subnet: {
            id: subnetResourceId
          }
        }
      }
    ]
    backendAddressPools: [
      {
        name: 'nvas'
      }
    ]
    probes: [
      {
        name: 'agent'
        properties: {
          protocol: 'Https'
          port: agentPort
          requestPath: '/healthz'
          intervalInSeconds: 5
          probeThreshold: 2
        }
      }
    ]
    loadBalancingRules: [
      {
        name: 'all-ports'
        properties: {
          protocol: 'All'
          frontendPort: 0
          backendPort: 0
          // The vip, not the address of the NVA, stays the destination.
          enableFloatingIP: true
          loadDistribution: persistence
          idleTimeoutInMinutes: 30
          enableTcpReset: true
          disableOutboundSnat: true
          frontendIPConfiguration: {
            id: resourceId('Microsoft.Network/loadBalancers/frontendIPConfigurations', name, 'front')
          }
          backendAddressPool: {
            id: resourceId('Microsoft.Network/loadBalancers/backendAddressPools', name, 'nvas')
          }
          probe: {
            id: resourceId('Microsoft.Network/loadBalancers/probes', name, 'agent')
          }
        }
      }
    ]
  }
}

@description('Resource id of the pool the NVAs join.')
output poolResourceId string = resourceId('Microsoft.Network/loadBalancers/backendAddressPools', balancer.name, 'nvas')
