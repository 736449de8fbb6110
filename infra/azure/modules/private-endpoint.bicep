// A private endpoint with its name in the region's private DNS zone.
@description('Required. Name of the endpoint.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of the subnet of private endpoints.')
param subnetResourceId string
@description('Required. Resource id of what it leads to.')
param targetResourceId string
@description('Required. Part of the target. Example: blob.')
param part 'blob' | 'queue' | 'table' | 'vault' | 'sites'
@description('Required. Name of the private DNS zone in the same resource group.')
param zone string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    customNetworkInterfaceName: 'nic-${name}'
    subnet: {
      id: subnetResourceId
    }
    privateLinkServiceConnections: [
      {
        name: 'default'
        properties: {
          privateLinkServiceId: targetResourceId
          groupIds: [part]
        }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: part
          properties: {
            privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', zone)
          }
        }
      ]
    }
  }
}
