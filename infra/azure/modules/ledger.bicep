// The witness account: ledger, reports, proofs and outbox. Zone redundant, private, no keys.
@description('Required. Name of the storage account, from witness.account.')
param name string
@description('Required. The witness region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Object ids of the identities of all seats.')
param seatPrincipalIds string[]
@description('Optional. Write the role assignments.')
param assignRoles bool = true

var roles = loadJsonContent('../roles.json', 'builtIn')
var granted = [
  roles.storageBlobDataContributor
  roles.storageTableDataContributor
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
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
    publicNetworkAccess: 'Disabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: 'Deny'
      ipRules: []
      virtualNetworkRules: []
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      isVersioningEnabled: false
      deleteRetentionPolicy: {
        enabled: true
        days: 7
      }
    }

    resource ledger 'containers' = {
      name: 'anycast-ledger'
      properties: {
        publicAccess: 'None'
      }
    }
  }

  resource tables 'tableServices' = {
    name: 'default'

    resource reports 'tables' = {
      name: 'anycastreports'
    }

    resource proofs 'tables' = {
      name: 'anycastproofs'
    }

    resource outbox 'tables' = {
      name: 'anycastoutbox'
    }
  }
}

var grants = flatten(map(
  seatPrincipalIds,
  principal => map(granted, role => { principal: principal, role: role })
))

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for i in range(0, assignRoles ? length(seatPrincipalIds) * length(granted) : 0): {
    name: guid(account.id, grants[i].principal, grants[i].role)
    scope: account
    properties: {
      principalId: grants[i].principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grants[i].role)
    }
  }
]

@description('Resource id of the account.')
output resourceId string = account.id
