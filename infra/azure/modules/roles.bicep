// Two custom roles that list exactly what the control plane does: roles.json is their one source.
targetScope = 'subscription'

@description('Required. Name of the deployment.')
param deploymentName string

var roles = loadJsonContent('../roles.json')

resource routeReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, deploymentName, 'route-reader')
  properties: {
    roleName: 'Anycast Route Reader (${deploymentName})'
    description: roles.routeReader.description
    type: 'CustomRole'
    permissions: [
      {
        actions: roles.routeReader.actions
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

resource operationReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, deploymentName, 'operation-reader')
  properties: {
    roleName: 'Anycast Operation Reader (${deploymentName})'
    description: roles.operationReader.description
    type: 'CustomRole'
    permissions: [
      {
        actions: roles.operationReader.actions
        notActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

@description('Resource id of the role that reads routes.')
output routeReaderResourceId string = routeReader.id
@description('Resource id of the role that reads results of operations.')
output operationReaderResourceId string = operationReader.id
