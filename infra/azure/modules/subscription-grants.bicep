// Gives a role on the subscription to several identities: results of network operations are read there.
targetScope = 'subscription'

@description('Required. Resource id of the role definition.')
param roleResourceId string
@description('Required. Object ids of the identities.')
param principalIds string[]

resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in principalIds: {
    name: guid(subscription().id, principal, roleResourceId)
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: roleResourceId
    }
  }
]
