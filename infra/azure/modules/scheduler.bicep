// Durable Task Scheduler with a task hub: takes the place of the storage account when that is outgrown.
@description('Required. Name of the scheduler.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Object id of the identity of the seat.')
param seatPrincipalId string
@description('Optional. Write the role assignments.')
param assignRoles bool = true

var roles = loadJsonContent('../roles.json', 'builtIn')

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // The seats reach it with their identity; there are no keys.
    ipAllowlist: [
      '0.0.0.0/0'
    ]
    sku: {
      name: 'Consumption'
    }
  }

  resource hub 'taskHubs' = {
    name: 'anycast'
    properties: {}
  }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignRoles) {
  name: guid(scheduler.id, seatPrincipalId, roles.durableTaskDataContributor)
  scope: scheduler
  properties: {
    principalId: seatPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.durableTaskDataContributor)
  }
}

@description('Address of the scheduler.')
output endpoint string = scheduler.properties.endpoint
@description('Name of the task hub.')
output hubName string = scheduler::hub.name
