// One direction of a peering of two hubs. Gateways are not shared: each region has its own way on-premises.
@description('Required. Name of the local virtual network.')
param networkName string
@description('Required. Name of the peering.')
param name string
@description('Required. Resource id of the other virtual network.')
param remoteNetworkResourceId string
@description('Optional. Let the other side use the gateway and Route Server of this network.')
param allowGatewayTransit bool = false
@description('Optional. Use the gateway and Route Server of the other network.')
param useRemoteGateways bool = false

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = {
  name: networkName
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-05-01' = {
  parent: network
  name: name
  properties: {
    remoteVirtualNetwork: {
      id: remoteNetworkResourceId
    }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: true
    allowGatewayTransit: allowGatewayTransit
    useRemoteGateways: useRemoteGateways
  }
}
