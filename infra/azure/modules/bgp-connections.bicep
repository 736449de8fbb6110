// The BGP connections of one Route Server, new or existing: one per NVA, which then peers with both instances.
import { nvaType } from '../types.bicep'

@description('Required. Name of Route Server.')
param routeServerName string
@description('Required. NVAs of the region.')
param nvas nvaType[]

resource routeServer 'Microsoft.Network/virtualHubs@2025-05-01' existing = {
  name: routeServerName
}

// Route Server refuses two changes of its connections at once.
@batchSize(1)
resource connections 'Microsoft.Network/virtualHubs/bgpConnections@2025-05-01' = [
  for nva in nvas: {
    parent: routeServer
    name: nva.bgpConnection
    properties: {
      peerAsn: nva.asn
      peerIp: nva.address
    }
  }
]
