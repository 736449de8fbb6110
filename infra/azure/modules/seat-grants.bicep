// What one seat may do in the stores of its region: run its host there, and read its own two secrets.
@description('Required. Name of the storage account.')
param storageName string
@description('Required. Name of the vault.')
param vaultName string
@description('Required. Name of the secret with its order key.')
param orderKeySecret string
@description('Required. Object id of the identity of the seat.')
param principalId string

var roles = loadJsonContent('../roles.json', 'builtIn')
// The Functions host and Durable Functions keep leases, queues and tables here.
var hostRoles = [
  roles.storageBlobDataOwner
  roles.storageQueueDataContributor
  roles.storageTableDataContributor
]
var secretReader = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName

  resource orderKey 'secrets' existing = {
    name: orderKeySecret
  }

  resource agentCa 'secrets' existing = {
    name: 'agent-ca'
  }
}

resource host 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in hostRoles: {
    name: guid(account.id, principalId, role)
    scope: account
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource readOrderKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault::orderKey.id, principalId, roles.keyVaultSecretsUser)
  scope: vault::orderKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: secretReader
  }
}

resource readAgentCa 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault::agentCa.id, principalId, roles.keyVaultSecretsUser)
  scope: vault::agentCa
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: secretReader
  }
}
