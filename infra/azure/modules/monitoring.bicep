// Alerts, the workbook and who is told.
@description('Required. Name of the deployment.')
param deploymentName string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Workspace that holds the record and the telemetry.')
param workspaceResourceId string
@description('Optional. Addresses that are told. Empty: the action group exists and tells nobody.')
param emails string[] = []
@description('Optional. Whether alerts fire.')
param enabled bool = true
@description('Required. Route Servers whose metrics are watched, with the addresses of our NVAs: other peers are not ours to watch.')
param routeServers { resourceId: string, region: string, nvaAddresses: string[] }[]
@description('Required. Number of vips: an NVA announces no more routes than that.')
param vipCount int
@description('Required. Address of the dashboard, named in every alert.')
param dashboardUrl string
@description('Optional. Where the documents stand, named in every alert.')
param documentsUrl string = 'docs/alerts'

var alerts = loadYamlContent('../monitoring/alerts.yaml').alerts

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${deploymentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'anycast'
    enabled: true
    emailReceivers: [
      for (email, i) in emails: {
        name: 'operator-${i}'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource queryAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${deploymentName}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${alert.name} (${deploymentName})'
      description: '${alert.summary} Why: ${alert.why} Do: ${alert.action} ${documentsUrl}/${alert.name}.md'
      severity: alert.severity
      enabled: enabled
      autoMitigate: true
      scopes: [workspaceResourceId]
      evaluationFrequency: alert.every
      windowSize: alert.window
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(alert.dimensions, dimension => {
              name: dimension
              operator: 'Include'
              values: ['*']
            })
            failingPeriods: {
              numberOfEvaluationPeriods: alert.periods
              minFailingPeriodsToAlert: alert.periods
            }
          }
        ]
      }
      actions: {
        actionGroups: [group.id]
        customProperties: {
          dashboard: dashboardUrl
          runbook: '${documentsUrl}/${alert.name}.md'
        }
      }
    }
  }
]

// Backs up the alerts above, which read our own reports and are faster. Split by instance and peer: with no dimension
// it would fire only when every peer is down.
resource peerAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for server in routeServers: {
    name: '${deploymentName}-${server.region}-BgpPeerStatus'
    location: 'global'
    tags: tags
    properties: {
      description: 'A BGP peer of Route Server in ${server.region} is down. One instance down is degraded service; both are an outage of that NVA. ${documentsUrl}/AnycastSessionDownLong.md'
      severity: 2
      enabled: enabled
      autoMitigate: true
      scopes: [server.resourceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: 'peer-down'
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: 'Microsoft.Network/virtualHubs'
            metricName: 'BgpPeerStatus'
            timeAggregation: 'Maximum'
            operator: 'LessThan'
            threshold: 1
            dimensions: [
              {
                name: 'routeserviceinstance'
                operator: 'Include'
                values: ['*']
              }
              {
                name: 'bgppeerip'
                operator: 'Include'
                values: server.nvaAddresses
              }
            ]
          }
        ]
      }
      actions: [
        {
          actionGroupId: group.id
        }
      ]
    }
  }
]

resource routeAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for server in routeServers: {
    name: '${deploymentName}-${server.region}-AnycastRouteCountWrong'
    location: 'global'
    tags: tags
    properties: {
      description: 'Route Server in ${server.region} learned more routes from an NVA than there are vips: foreign routes leak towards on-premises. ${documentsUrl}/AnycastRouteCountWrong.md'
      severity: 1
      enabled: enabled
      autoMitigate: true
      scopes: [server.resourceId]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            name: 'too-many-routes'
            criterionType: 'StaticThresholdCriterion'
            metricNamespace: 'Microsoft.Network/virtualHubs'
            metricName: 'CountOfRoutesLearnedFromPeer'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: vipCount
            dimensions: [
              {
                name: 'routeserviceinstance'
                operator: 'Include'
                values: ['*']
              }
              {
                name: 'bgppeerip'
                operator: 'Include'
                values: server.nvaAddresses
              }
            ]
          }
        ]
      }
      actions: [
        {
          actionGroupId: group.id
        }
      ]
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(deploymentName, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Anycast failover (${deploymentName})'
    category: 'workbook'
    sourceId: workspaceResourceId
    version: '1.0'
    serializedData: loadTextContent('../monitoring/workbook.json')
  }
}
