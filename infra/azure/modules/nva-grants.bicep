// What one NVA may do in the stores of its region: fetch packages, and read its own certificate.
@description('Required. Name of the storage account.')
param storageName string
@description('Required. Name of the vault.')
param vaultName string
@description('Required. Name of the secret with its certificate and key.')
param keySecret string
@description('Required. Object id of the identity of the NVA.')
param principalId string

var roles = loadJsonContent('../roles.json', 'builtIn')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource packages 'containers' existing = {
      name: 'packages'
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName

  resource agentKey 'secrets' existing = {
    name: keySecret
  }
}

resource readPackages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::packages.id, principalId, roles.storageBlobDataReader)
  scope: account::blobs::packages
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
  }
}

resource readAgentKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault::agentKey.id, principalId, roles.keyVaultSecretsUser)
  scope: vault::agentKey
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}
