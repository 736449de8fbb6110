// One seat of the control plane: a function app on Flex Consumption, inside the hub, with its own identity.
import { seatType } from '../types.bicep'

@description('Required. The seat.')
param seat seatType
@description('Required. Name of the deployment.')
param deploymentName string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Subnet delegated to Microsoft.App/environments.')
param subnetResourceId string
@description('Required. Resource id of its identity.')
param identityResourceId string
@description('Required. Client id of its identity.')
param identityClientId string
@description('Required. Name of the storage account of the region.')
param storageName string
@description('Required. Address of the container with the code.')
param codeUrl string
@description('Required. Address of the vault of the region, ending in a slash.')
param vaultUri string
@description('Required. Connection string of Application Insights; holds no secret when local authentication is off.')
param insightsConnectionString string
@description('Required. Where audit records go and queries are asked.')
param logs { endpoint: string, ruleId: string, workspaceId: string }
@description('Optional. Durable Task Scheduler. Absent: the storage account.')
param scheduler { endpoint: string, hubName: string }?
@description('Optional. Public addresses that may reach the seat. Empty: private endpoints only.')
param operatorAddresses string[] = []
@description('Optional. Ask callers for a client certificate, for observers that have one.')
param withClientCertificates bool = false

var appName = split(split(seat.url, '//')[1], '.')[0]
var orderKey = '${vaultUri}secrets/order-key-${seat.name}'

var settings = {
  ANYCAST_TOPOLOGY: '/home/site/wwwroot/anycast.yaml'
  ANYCAST_SEAT: seat.name
  ANYCAST_ORDER_KEY: '@Microsoft.KeyVault(SecretUri=${orderKey})'
  ANYCAST_AGENT_CA: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/agent-ca)'
  ANYCAST_ROUTES: 'arm'
  // People sign in to the dashboard with the same app registration that the audience names.
  ANYCAST_DASHBOARD_CLIENT_ID: last(split(seat.audience, '//'))!
  ANYCAST_DASHBOARD_FILES: '/home/site/wwwroot/dashboard'
  ENTRA_ISSUER: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
  ENTRA_JWKS_URI: '${environment().authentication.loginEndpoint}${tenant().tenantId}/discovery/v2.0/keys'
  LOGS_ENDPOINT: logs.endpoint
  LOGS_RULE_ID: logs.ruleId
  LOGS_WORKSPACE_ID: logs.workspaceId
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}
// host.json names the storage provider; these settings put the scheduler in its place.
var schedulerSettings = scheduler == null
  ? {}
  : {
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${scheduler!.endpoint};Authentication=ManagedIdentity;ClientID=${identityClientId}'
      AzureFunctionsJobHost__extensions__durableTask__hubName: scheduler!.hubName
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'azureManaged'
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
    }

// Only with client certificates on does the platform vouch for the header that it passes them in.
var certificateSettings = withClientCertificates ? { ANYCAST_CLIENT_CERTIFICATES: 'app-service' } : {}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'asp-${deploymentName}-${seat.name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

var restrictions = [
  for (address, i) in operatorAddresses: {
    name: 'operators-${i}'
    action: 'Allow'
    priority: 100 + i
    ipAddress: contains(address, '/') ? address : '${address}/32'
  }
]

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: appName
  location: location
  // azd finds the function app of a service by this tag.
  tags: union(tags, { 'azd-service-name': seat.name })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityResourceId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    reserved: true
    httpsOnly: true
    clientAffinityEnabled: false
    clientCertEnabled: withClientCertificates
    clientCertMode: 'Optional'
    virtualNetworkSubnetId: subnetResourceId
    keyVaultReferenceIdentity: identityResourceId
    publicNetworkAccess: empty(operatorAddresses) ? 'Disabled' : 'Enabled'
    functionAppConfig: {
      runtime: {
        name: 'node'
        version: '24'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: codeUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityResourceId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: 40
        // One instance of each kind is always warm: a takeover must not wait for a cold start.
        alwaysReady: [
          {
            name: 'http'
            instanceCount: 1
          }
          {
            name: 'durable'
            instanceCount: 1
          }
        ]
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      ftpsState: 'Disabled'
      cors: {
        allowedOrigins: []
      }
      ipSecurityRestrictionsDefaultAction: 'Deny'
      scmIpSecurityRestrictionsDefaultAction: 'Deny'
      ipSecurityRestrictions: restrictions
      scmIpSecurityRestrictions: restrictions
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, schedulerSettings, certificateSettings)
  }

  resource noPublishingPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

@description('Resource id of the function app.')
output resourceId string = app.id
