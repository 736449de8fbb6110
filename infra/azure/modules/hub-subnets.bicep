// The subnets of a hub, new or existing: those with a prefix are created, as children of a network that is not written here.
// Neither RouteServerSubnet nor GatewaySubnet takes a network security group (secure-route-server.md).
import { subnetType } from '../types.bicep'

@description('Required. Name of the virtual network.')
param networkName string
@description('Required. Subnets; those without a prefix exist already.')
param subnets { nvas: subnetType, functions: subnetType, endpoints: subnetType }
@description('Optional. Prefix of RouteServerSubnet to create. Empty: not created.')
param routeServerPrefix string = ''
@description('Optional. Prefix of GatewaySubnet to create. Empty: not created.')
param gatewayPrefix string = ''
@description('Required. Network security group of the NVAs.')
param nvaSecurityGroupResourceId string
@description('Required. Network security group of private endpoints and the seat.')
param innerSecurityGroupResourceId string
@description('Optional. NAT gateway of the subnet of the NVAs, when it is created. Empty: none.')
param natGatewayResourceId string = ''

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName
}

resource routeServerSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = if (!empty(routeServerPrefix)) {
  parent: network
  name: 'RouteServerSubnet'
  properties: {
    addressPrefix: routeServerPrefix
  }
}

// One after the other: a virtual network takes one change at a time.
resource gatewaySubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = if (!empty(gatewayPrefix)) {
  parent: network
  name: 'GatewaySubnet'
  properties: {
    addressPrefix: gatewayPrefix
  }
  dependsOn: [
    routeServerSubnet
  ]
}

resource nvaSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = if (!empty(subnets.nvas.?prefix)) {
  parent: network
  name: subnets.nvas.name
  properties: {
    addressPrefix: subnets.nvas.?prefix ?? ''
    defaultOutboundAccess: false
    networkSecurityGroup: {
      id: nvaSecurityGroupResourceId
    }
    natGateway: empty(natGatewayResourceId)
      ? null
      : {
          id: natGatewayResourceId
        }
  }
  dependsOn: [
    gatewaySubnet
  ]
}

resource functionSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = if (!empty(subnets.functions.?prefix)) {
  parent: network
  name: subnets.functions.name
  properties: {
    addressPrefix: subnets.functions.?prefix ?? ''
    defaultOutboundAccess: false
    networkSecurityGroup: {
      id: innerSecurityGroupResourceId
    }
    delegations: [
      {
        name: 'functions'
        properties: {
          serviceName: 'Microsoft.App/environments'
        }
      }
    ]
  }
  dependsOn: [
    nvaSubnet
  ]
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = if (!empty(subnets.endpoints.?prefix)) {
  parent: network
  name: subnets.endpoints.name
  properties: {
    addressPrefix: subnets.endpoints.?prefix ?? ''
    defaultOutboundAccess: false
    privateEndpointNetworkPolicies: 'Enabled'
    networkSecurityGroup: {
      id: innerSecurityGroupResourceId
    }
  }
  dependsOn: [
    functionSubnet
  ]
}
