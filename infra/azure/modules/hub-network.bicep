// A new hub: the virtual network alone. Its subnets are children, so that deploying again takes nothing from anybody who
// has added a subnet or a peering since.
@description('Required. Name of the virtual network.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Address space. Example: ["10.1.0.0/22"].')
param addressSpace string[]

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: addressSpace
    }
  }
}

@description('Resource id of the virtual network.')
output resourceId string = network.id
