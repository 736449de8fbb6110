// Private DNS zones of one region, linked with its hub only, so that each region resolves to its own endpoints.
@description('Required. Names of the zones. Example: ["privatelink.blob.core.windows.net"].')
param zones string[]
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of the hub.')
param networkResourceId string

resource zoneResources 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zones: {
    parent: zoneResources[i]
    name: 'hub'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkResourceId
      }
    }
  }
]
