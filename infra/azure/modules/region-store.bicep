// Storage and vault of one region: task hub, code package, packages of the NVAs; order key and certificates.
@description('Required. Name of the storage account, unique in the world.')
param storageName string
@description('Required. Name of the vault, unique in the world.')
param vaultName string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Optional. Public addresses that may upload packages. Empty: from inside the networks only.')
param operatorAddresses string[] = []
@description('Optional. Object id of whoever deploys, who uploads the packages. Empty: given otherwise.')
param deployerPrincipalId string = ''
@description('Optional. Names of the secrets to write.')
param secretNames string[] = []
@description('Optional. Values of these secrets, by name.')
@secure()
param secretValues object = {}
@description('Optional. When each secret expires, in seconds since 1970, by name.')
param secretExpiries object = {}
@description('Required. Workspace that hears of secrets near their end.')
param workspaceResourceId string
@description('Optional. Write the role assignments.')
param assignRoles bool = true

var roles = loadJsonContent('../roles.json', 'builtIn')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: storageName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_ZRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: empty(operatorAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: 'Deny'
      ipRules: [
        for address in operatorAddresses: {
          value: address
          action: 'Allow'
        }
      ]
      virtualNetworkRules: []
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource code 'containers' = {
      name: 'code'
      properties: {
        publicAccess: 'None'
      }
    }

    resource packages 'containers' = {
      name: 'packages'
      properties: {
        publicAccess: 'None'
      }
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: vaultName
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    enabledForDeployment: false
    enabledForDiskEncryption: false
    // Secrets are written by the deployment itself, through Resource Manager, which the firewall lets pass.
    enabledForTemplateDeployment: true
    publicNetworkAccess: 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Deny'
      ipRules: []
      virtualNetworkRules: []
    }
  }
}

resource secrets 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = [
  for secretName in secretNames: {
    parent: vault
    name: secretName
    properties: {
      value: secretValues[secretName]
      attributes: {
        enabled: true
        exp: secretExpiries[secretName]
      }
    }
  }
]

resource vaultLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'anycast'
  scope: vault
  properties: {
    workspaceId: workspaceResourceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

resource packageWriter 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles && !empty(deployerPrincipalId)) {
  name: guid(account::blobs::packages.id, deployerPrincipalId, roles.storageBlobDataContributor)
  scope: account::blobs::packages
  properties: {
    principalId: deployerPrincipalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

@description('Resource id of the storage account.')
output storageResourceId string = account.id
@description('Name of the storage account.')
output storageName string = account.name
@description('Address of the container with the code of the seat.')
output codeUrl string = '${account.properties.primaryEndpoints.blob}code'
@description('Address of the container with the packages of the NVAs.')
output packagesUrl string = '${account.properties.primaryEndpoints.blob}packages'
@description('Resource id of the vault.')
output vaultResourceId string = vault.id
@description('Name of the vault.')
output vaultName string = vault.name
@description('Address of the vault, ending in a slash.')
output vaultUri string = vault.properties.vaultUri
