// Where the record is kept: workspace, audit table, the rule that takes records in, Application Insights, saved functions.
@description('Required. Name of the deployment.')
param deploymentName string
@description('Required. Region; the data collection rule must stand where the workspace does.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Object ids of the identities of all seats.')
param seatPrincipalIds string[]
@description('Optional. Days that the audit table is kept. Example: 730.')
@minValue(30)
@maxValue(4383)
param auditRetentionDays int = 730
@description('Optional. Write the role assignments.')
param assignRoles bool = true

var roles = loadJsonContent('../roles.json', 'builtIn')
var columns = loadJsonContent('../audit-columns.json')
var functions = [
  {
    alias: 'AnycastAudit'
    title: 'Audit records, each once'
    query: loadTextContent('../monitoring/functions/AnycastAudit.kql')
  }
  {
    alias: 'AnycastAuditGaps'
    title: 'Gaps and breaks in the chain of audit records'
    query: loadTextContent('../monitoring/functions/AnycastAuditGaps.kql')
  }
  {
    alias: 'AnycastStatus'
    title: 'Status lines of the seats, as columns'
    query: loadTextContent('../monitoring/functions/AnycastStatus.kql')
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${deploymentName}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 90
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }

  resource audit 'tables' = {
    name: 'AnycastAudit_CL'
    properties: {
      plan: 'Analytics'
      retentionInDays: auditRetentionDays > 730 ? 730 : auditRetentionDays
      totalRetentionInDays: auditRetentionDays
      schema: {
        name: 'AnycastAudit_CL'
        columns: columns
      }
    }
  }

  resource saved 'savedSearches' = [
    for item in functions: {
      name: guid(deploymentName, item.alias)
      properties: {
        category: 'Anycast'
        displayName: item.title
        functionAlias: item.alias
        query: item.query
        version: 2
      }
      dependsOn: [
        audit
      ]
    }
  ]
}

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: 'dcr-${deploymentName}-audit'
  location: location
  tags: tags
  // Direct: the rule has an endpoint of its own. An existing rule cannot become one.
  kind: 'Direct'
  properties: {
    streamDeclarations: {
      'Custom-AnycastAudit': {
        columns: columns
      }
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: ['Custom-AnycastAudit']
        destinations: ['workspace']
        transformKql: 'source'
        outputStream: 'Custom-AnycastAudit_CL'
      }
    ]
  }
  dependsOn: [
    workspace::audit
  ]
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${deploymentName}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

resource publishAudit 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in seatPrincipalIds: if (assignRoles) {
    name: guid(rule.id, principal, roles.monitoringMetricsPublisher)
    scope: rule
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
    }
  }
]

resource publishTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in seatPrincipalIds: if (assignRoles) {
    name: guid(insights.id, principal, roles.monitoringMetricsPublisher)
    scope: insights
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
    }
  }
]

resource query 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in seatPrincipalIds: if (assignRoles) {
    name: guid(workspace.id, principal, roles.logAnalyticsDataReader)
    scope: workspace
    properties: {
      principalId: principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.logAnalyticsDataReader)
    }
  }
]

@description('Resource id of the workspace.')
output workspaceResourceId string = workspace.id
@description('Customer id of the workspace, which queries name.')
output workspaceId string = workspace.properties.customerId
@description('Endpoint of the data collection rule.')
output endpoint string = rule.properties.endpoints.logsIngestion
@description('Immutable id of the data collection rule.')
output ruleId string = rule.properties.immutableId
@description('Connection string of Application Insights. Local authentication is off, so it opens nothing by itself.')
output insightsConnectionString string = insights.properties.ConnectionString
@description('Resource id of Application Insights.')
output insightsResourceId string = insights.id
