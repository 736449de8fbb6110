// Gives the seats the right to read routes on one Route Server.
@description('Required. Name of Route Server.')
param name string
@description('Required. Resource id of the role definition.')
param roleResourceId string
@description('Required. Object ids of the identities.')
param principalIds string[]

resource target 'Microsoft.Network/virtualHubs@2025-05-01' existing = {
  name: name
}

resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principalIds: {
    name: guid(target.id, principal, roleResourceId)
    scope: target
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: roleResourceId
    }
  }
]
