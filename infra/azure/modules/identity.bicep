// A user-assigned identity: it exists before what uses it, so its roles do too.
@description('Required. Name of the identity.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output resourceId string = identity.id
@description('Object id, which roles are given to.')
output principalId string = identity.properties.principalId
@description('Client id, which tokens are asked with.')
output clientId string = identity.properties.clientId
