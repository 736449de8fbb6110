// A whole deployment: networks, NVAs, seats, ledger, record, alerts and runbooks, from one anycast.yaml.
targetScope = 'subscription'

import { topologyType } from 'types.bicep'

@description('Required. The content of anycast.yaml, by loadYamlContent in the parameter file.')
param topology topologyType
@description('Required. Region of this deployment record. Example: westeurope.')
param location string
@description('Optional. Object id of whoever deploys: may upload packages to the NVAs. Empty: given otherwise.')
param deployerPrincipalId string = ''
@description('Optional. New values of secrets by name: order-key-SEAT, agent-ca, agent-NVA. What is absent stays as it is in the vaults.')
@secure()
param secretValues object = {}
@description('Optional. When each of them expires, in seconds since 1970; its keys are the names of secretValues.')
param secretExpiries object = {}
@description('Optional. Write role assignments. With false the output grants lists them for another team.')
param assignRoles bool = true

var azure = topology.azure
var sharedLocation = azure.?location ?? topology.witness.region
var name = topology.name
var tags = union(azure.?tags ?? {}, { 'anycast-deployment': name })
var operatorAddresses = azure.?access.?addresses ?? []
// Globally unique names: the same for the same subscription and deployment, whoever deploys.
var suffix = uniqueString(subscription().id, name)
var onPremises = topology.addressSpaces.?onPremises ?? []

// One entry per region, with everything that can be known before anything exists.
var places = map(azure.regions, (entry, i) => {
  index: i
  azure: entry
  region: first(filter(topology.regions, region => region.name == entry.name))!
  seats: filter(topology.seats, seat => seat.region == entry.name)
  isNewHub: entry.hub.?resourceId == null
  createsRouteServer: entry.routeServer == 'create'
})
var routeServers = map(places, place => split(place.region.routeServer.resourceId, '/'))
// What is created for Route Server goes where its id says; a region without goes into a group of its own.
var groupNames = map(places, place => place.createsRouteServer ? routeServers[place.index][4] : 'rg-${name}-${place.azure.name}')
var sharedGroupName = 'rg-${name}'
var hubIds = map(
  places,
  place => place.azure.hub.?resourceId ?? '/subscriptions/${subscription().subscriptionId}/resourceGroups/${groupNames[place.index]}/providers/Microsoft.Network/virtualNetworks/vnet-${name}-hub-${place.azure.name}'
)
var hubs = map(hubIds, id => split(id, '/'))
var nvas = flatten(map(places, place => map(place.region.nvas, (nva, i) => {
  place: place.index
  nva: nva
  zone: place.azure.nvas.zones[i % length(place.azure.nvas.zones)]
})))
var seats = flatten(map(places, place => map(place.seats, seat => { place: place.index, seat: seat })))
var agentPorts = union(map(nvas, entry => last(split(entry.nva.agent, ':'))), [])
var zones = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.vaultcore.azure.net'
  'privatelink.azurewebsites.net'
]
var ledgerName = split(split(topology.witness.account, '//')[1], '.')[0]

resource groups 'Microsoft.Resources/resourceGroups@2024-11-01' = [
  for (place, i) in places: {
    name: groupNames[i]
    location: place.azure.name
    tags: tags
  }
]

resource sharedGroup 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: sharedGroupName
  location: sharedLocation
  tags: tags
}

resource ledgerGroup 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: '${sharedGroupName}-ledger'
  location: topology.witness.region
  tags: tags
}

// ---------------------------------------------------------------- networks

module securityGroups 'modules/security-groups.bicep' = [
  for (place, i) in places: {
    name: 'security-groups'
    scope: groups[i]
    params: {
      location: place.azure.name
      deploymentName: name
      tags: tags
      azureSpaces: topology.addressSpaces.azure
      agentPorts: agentPorts
      withNatGateway: place.azure.nvas.outbound == 'nat-gateway'
    }
  }
]

module newHubs 'modules/hub-network.bicep' = [
  for (place, i) in places: if (place.isNewHub) {
    name: 'hub'
    scope: groups[i]
    params: {
      name: last(hubs[i])!
      location: place.azure.name
      tags: tags
      addressSpace: place.azure.hub.?addressSpace ?? []
    }
  }
]

module hubSubnets 'modules/hub-subnets.bicep' = [
  for (place, i) in places: {
    name: 'anycast-subnets-${place.azure.name}'
    scope: resourceGroup(hubs[i][2], hubs[i][4])
    params: {
      networkName: last(hubs[i])!
      subnets: {
        nvas: place.azure.subnets.nvas
        functions: place.azure.subnets.functions
        endpoints: place.azure.subnets.endpoints
      }
      routeServerPrefix: place.createsRouteServer ? place.region.routeServer.?subnet ?? '' : ''
      gatewayPrefix: place.azure.subnets.?gateway ?? ''
      nvaSecurityGroupResourceId: securityGroups[i].outputs.nvaGroupResourceId
      innerSecurityGroupResourceId: securityGroups[i].outputs.innerGroupResourceId
      natGatewayResourceId: securityGroups[i].outputs.natGatewayResourceId
    }
    dependsOn: [
      newHubs
    ]
  }
]

var pairs = flatten(map(
  range(0, length(places)),
  from => map(filter(range(0, length(places)), to => to != from), to => { from: from, to: to })
))

module peerings 'modules/hub-peering.bicep' = [
  for pair in pairs: if (azure.?peerHubs ?? true) {
    name: 'anycast-peering-${places[pair.from].azure.name}-${places[pair.to].azure.name}'
    scope: resourceGroup(hubs[pair.from][2], hubs[pair.from][4])
    params: {
      networkName: last(hubs[pair.from])!
      name: 'to-${places[pair.to].azure.name}'
      remoteNetworkResourceId: hubIds[pair.to]
    }
    dependsOn: [
      hubSubnets
    ]
  }
]

module newRouteServers 'modules/route-server.bicep' = [
  for (place, i) in places: if (place.createsRouteServer) {
    name: 'route-server'
    scope: groups[i]
    params: {
      name: last(routeServers[i])!
      location: place.azure.name
      tags: tags
      subnetResourceId: '${hubIds[i]}/subnets/RouteServerSubnet'
    }
    dependsOn: [
      hubSubnets
      gateways
      vpnGateways
    ]
  }
]

module bgpConnections 'modules/bgp-connections.bicep' = [
  for (place, i) in places: {
    name: 'anycast-bgp-${place.azure.name}'
    scope: resourceGroup(routeServers[i][2], routeServers[i][4])
    params: {
      routeServerName: last(routeServers[i])!
      nvas: place.region.nvas
    }
    dependsOn: [
      newRouteServers
    ]
  }
]

module gateways 'modules/expressroute-gateway.bicep' = [
  for (place, i) in places: if (place.azure.?expressRouteGateway != null) {
    name: 'gateway'
    scope: groups[i]
    params: {
      name: 'ergw-${name}-${place.azure.name}'
      location: place.azure.name
      tags: tags
      subnetResourceId: '${hubIds[i]}/subnets/GatewaySubnet'
      sku: place.azure.?expressRouteGateway.?sku ?? 'ErGw1AZ'
      circuitResourceId: place.region.?circuit.?resourceId ?? ''
    }
    dependsOn: [
      hubSubnets
    ]
  }
]

module vpnGateways 'modules/vpn-gateway.bicep' = [
  for (place, i) in places: if (place.azure.?vpnGateway != null) {
    name: 'vpn-gateway'
    scope: groups[i]
    params: {
      name: 'vpngw-${name}-${place.azure.name}'
      location: place.azure.name
      tags: tags
      subnetResourceId: '${hubIds[i]}/subnets/GatewaySubnet'
      sku: place.azure.?vpnGateway.?sku ?? 'VpnGw1AZ'
    }
    dependsOn: [
      hubSubnets
    ]
  }
]

module spokes 'modules/spoke.bicep' = [
  for (place, i) in places: if (place.azure.?spoke != null) {
    name: 'spoke'
    scope: groups[i]
    params: {
      name: 'vnet-${name}-spoke-${place.azure.name}'
      location: place.azure.name
      tags: tags
      addressSpace: place.azure.?spoke.?addressSpace ?? []
      appSubnet: place.azure.?spoke.?appSubnet ?? ''
      onPremises: onPremises
      returnAddress: (place.azure.?spoke.?returnThroughNva ?? false)
        ? place.azure.?loadBalancer.?address ?? place.region.nvas[0].address
        : ''
    }
  }
]

module hubToSpokes 'modules/hub-peering.bicep' = [
  for (place, i) in places: if (place.azure.?spoke != null) {
    name: 'anycast-to-spoke-${place.azure.name}'
    scope: resourceGroup(hubs[i][2], hubs[i][4])
    params: {
      networkName: last(hubs[i])!
      name: 'to-anycast-spoke'
      remoteNetworkResourceId: spokes[i]!.outputs.resourceId
      allowGatewayTransit: true
    }
    dependsOn: [
      hubSubnets
      peerings
    ]
  }
]

// A spoke may use the hub's gateway and Route Server only once both are there and the hub offers them.
module spokesToHub 'modules/hub-peering.bicep' = [
  for (place, i) in places: if (place.azure.?spoke != null) {
    name: 'spoke-to-hub'
    scope: groups[i]
    params: {
      networkName: 'vnet-${name}-spoke-${place.azure.name}'
      name: 'to-hub'
      remoteNetworkResourceId: hubIds[i]
      useRemoteGateways: true
    }
    dependsOn: [
      hubToSpokes
      newRouteServers
      gateways
      vpnGateways
    ]
  }
]

// ---------------------------------------------------------------- identities and roles

module seatIdentities 'modules/identity.bicep' = [
  for entry in seats: {
    name: 'identity-${entry.seat.name}'
    scope: groups[entry.place]
    params: {
      name: 'id-${name}-${entry.seat.name}'
      location: places[entry.place].azure.name
      tags: tags
    }
  }
]

module nvaIdentities 'modules/identity.bicep' = [
  for entry in nvas: {
    name: 'identity-${entry.nva.name}'
    scope: groups[entry.place]
    params: {
      name: 'id-${name}-${entry.nva.name}'
      location: places[entry.place].azure.name
      tags: tags
    }
  }
]

module roles 'modules/roles.bicep' = {
  name: 'anycast-roles'
  params: {
    deploymentName: name
  }
}

module operationGrants 'modules/subscription-grants.bicep' = if (assignRoles) {
  name: 'anycast-operation-grants'
  params: {
    roleResourceId: roles.outputs.operationReaderResourceId
    principalIds: [for i in range(0, length(seats)): seatIdentities[i].outputs.principalId]
  }
}

module routeServerGrants 'modules/route-server-grants.bicep' = [
  for (place, i) in places: if (assignRoles) {
    name: 'anycast-route-grants-${place.azure.name}'
    scope: resourceGroup(routeServers[i][2], routeServers[i][4])
    params: {
      name: last(routeServers[i])!
      roleResourceId: roles.outputs.routeReaderResourceId
      principalIds: [for j in range(0, length(seats)): seatIdentities[j].outputs.principalId]
    }
    dependsOn: [
      newRouteServers
    ]
  }
]

var circuits = filter(map(places, place => place.region.?circuit.?resourceId ?? ''), id => !empty(id))
module circuitGrants 'modules/circuit-grants.bicep' = [
  for (id, i) in circuits: if (assignRoles) {
    name: 'anycast-circuit-grants-${i}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      name: last(split(id, '/'))!
      roleResourceId: roles.outputs.routeReaderResourceId
      principalIds: [for j in range(0, length(seats)): seatIdentities[j].outputs.principalId]
    }
  }
]

// ---------------------------------------------------------------- stores and record

module ledger 'modules/ledger.bicep' = {
  name: 'ledger'
  scope: ledgerGroup
  params: {
    name: ledgerName
    location: topology.witness.region
    tags: tags
    seatPrincipalIds: [for i in range(0, length(seats)): seatIdentities[i].outputs.principalId]
    assignRoles: assignRoles
  }
}

module stores 'modules/region-store.bicep' = [
  for (place, i) in places: {
    name: 'store'
    scope: groups[i]
    params: {
      storageName: 'stany${substring(uniqueString(suffix, place.azure.name), 0, 12)}'
      vaultName: 'kv-any-${substring(uniqueString(suffix, place.azure.name), 0, 12)}'
      location: place.azure.name
      tags: tags
      operatorAddresses: operatorAddresses
      deployerPrincipalId: deployerPrincipalId
      secretNames: filter(
        objectKeys(secretExpiries),
        secret => secret == 'agent-ca' || contains(map(place.seats, seat => 'order-key-${seat.name}'), secret) || contains(
          map(place.region.nvas, nva => 'agent-${nva.name}'),
          secret
        )
      )
      secretValues: secretValues
      secretExpiries: secretExpiries
      workspaceResourceId: logs.outputs.workspaceResourceId
      assignRoles: assignRoles
    }
  }
]

module seatGrants 'modules/seat-grants.bicep' = [
  for (entry, i) in seats: if (assignRoles) {
    name: 'grants-${entry.seat.name}'
    scope: groups[entry.place]
    params: {
      storageName: stores[entry.place].outputs.storageName
      vaultName: stores[entry.place].outputs.vaultName
      orderKeySecret: 'order-key-${entry.seat.name}'
      principalId: seatIdentities[i].outputs.principalId
    }
  }
]

module nvaGrants 'modules/nva-grants.bicep' = [
  for (entry, i) in nvas: if (assignRoles) {
    name: 'grants-${entry.nva.name}'
    scope: groups[entry.place]
    params: {
      storageName: stores[entry.place].outputs.storageName
      vaultName: stores[entry.place].outputs.vaultName
      keySecret: 'agent-${entry.nva.name}'
      principalId: nvaIdentities[i].outputs.principalId
    }
  }
]

module logs 'modules/logs.bicep' = {
  name: 'logs'
  scope: sharedGroup
  params: {
    deploymentName: name
    location: sharedLocation
    tags: tags
    seatPrincipalIds: [for i in range(0, length(seats)): seatIdentities[i].outputs.principalId]
    assignRoles: assignRoles
  }
}

// ---------------------------------------------------------------- private names and endpoints

module dns 'modules/private-dns.bicep' = [
  for (place, i) in places: {
    name: 'private-dns'
    scope: groups[i]
    params: {
      zones: zones
      tags: tags
      networkResourceId: hubIds[i]
    }
    dependsOn: [
      hubSubnets
    ]
  }
]

module storeEndpoints 'modules/store-endpoints.bicep' = [
  for (place, i) in places: {
    name: 'store-endpoints'
    scope: groups[i]
    params: {
      deploymentName: name
      location: place.azure.name
      tags: tags
      subnetResourceId: '${hubIds[i]}/subnets/${place.azure.subnets.endpoints.name}'
      storageResourceId: stores[i].outputs.storageResourceId
      vaultResourceId: stores[i].outputs.vaultResourceId
      ledgerResourceId: ledger.outputs.resourceId
      zones: zones
    }
    dependsOn: [
      dns
    ]
  }
]

// Every region has its own way to every seat: agents report to all of them.
var seatDoors = flatten(map(places, place => map(range(0, length(seats)), i => { place: place.index, seat: i })))
module seatEndpoints 'modules/private-endpoint.bicep' = [
  for door in seatDoors: {
    name: 'endpoint-${seats[door.seat].seat.name}'
    scope: groups[door.place]
    params: {
      name: 'pe-${seats[door.seat].seat.name}-${places[door.place].azure.name}'
      location: places[door.place].azure.name
      tags: tags
      subnetResourceId: '${hubIds[door.place]}/subnets/${places[door.place].azure.subnets.endpoints.name}'
      targetResourceId: seatApps[door.seat].outputs.resourceId
      part: 'sites'
      zone: 'privatelink.azurewebsites.net'
    }
    dependsOn: [
      storeEndpoints
    ]
  }
]

// ---------------------------------------------------------------- NVAs

module balancers 'modules/load-balancer.bicep' = [
  for (place, i) in places: if (place.azure.?loadBalancer != null) {
    name: 'load-balancer'
    scope: groups[i]
    params: {
      name: 'lbi-${name}-${place.azure.name}'
      location: place.azure.name
      tags: tags
      subnetResourceId: '${hubIds[i]}/subnets/${place.azure.subnets.nvas.name}'
      address: place.azure.?loadBalancer.?address ?? ''
      persistence: place.azure.?loadBalancer.?persistence ?? 'SourceIP'
      agentPort: int(last(split(place.region.nvas[0].agent, ':')))
    }
    dependsOn: [
      hubSubnets
    ]
  }
]

module machines 'modules/nva.bicep' = [
  for (entry, i) in nvas: {
    name: 'nva-${entry.nva.name}'
    scope: groups[entry.place]
    params: {
      nva: entry.nva
      location: places[entry.place].azure.name
      tags: tags
      size: places[entry.place].azure.nvas.size
      zone: entry.zone
      adminPublicKey: places[entry.place].azure.nvas.adminPublicKey
      subnetResourceId: '${hubIds[entry.place]}/subnets/${places[entry.place].azure.subnets.nvas.name}'
      poolResourceId: places[entry.place].azure.?loadBalancer == null
        ? ''
        : '/subscriptions/${subscription().subscriptionId}/resourceGroups/${groupNames[entry.place]}/providers/Microsoft.Network/loadBalancers/lbi-${name}-${places[entry.place].azure.name}/backendAddressPools/nvas'
      identityResourceId: nvaIdentities[i].outputs.resourceId
      identityClientId: nvaIdentities[i].outputs.clientId
      packagesUrl: stores[entry.place].outputs.packagesUrl
      vaultUri: stores[entry.place].outputs.vaultUri
    }
    dependsOn: [
      hubSubnets
      balancers
      nvaGrants
      storeEndpoints
    ]
  }
]

// ---------------------------------------------------------------- seats

module schedulers 'modules/scheduler.bicep' = [
  for (entry, i) in seats: if (azure.?durableTaskScheduler ?? false) {
    name: 'scheduler-${entry.seat.name}'
    scope: groups[entry.place]
    params: {
      name: 'dts-${name}-${entry.seat.name}'
      location: places[entry.place].azure.name
      tags: tags
      seatPrincipalId: seatIdentities[i].outputs.principalId
      assignRoles: assignRoles
    }
  }
]

module seatApps 'modules/seat.bicep' = [
  for (entry, i) in seats: {
    name: 'seat-${entry.seat.name}'
    scope: groups[entry.place]
    params: {
      seat: entry.seat
      deploymentName: name
      location: places[entry.place].azure.name
      tags: tags
      subnetResourceId: '${hubIds[entry.place]}/subnets/${places[entry.place].azure.subnets.functions.name}'
      identityResourceId: seatIdentities[i].outputs.resourceId
      identityClientId: seatIdentities[i].outputs.clientId
      storageName: stores[entry.place].outputs.storageName
      codeUrl: stores[entry.place].outputs.codeUrl
      vaultUri: stores[entry.place].outputs.vaultUri
      insightsConnectionString: logs.outputs.insightsConnectionString
      logs: {
        endpoint: logs.outputs.endpoint
        ruleId: logs.outputs.ruleId
        workspaceId: logs.outputs.workspaceId
      }
      scheduler: (azure.?durableTaskScheduler ?? false)
        ? {
            endpoint: schedulers[i]!.outputs.endpoint
            hubName: schedulers[i]!.outputs.hubName
          }
        : null
      operatorAddresses: operatorAddresses
      withClientCertificates: length(filter(
        topology.?observers ?? [],
        observer => observer.credential == 'client-certificate'
      )) > 0
    }
    dependsOn: [
      seatGrants
      storeEndpoints
    ]
  }
]

// ---------------------------------------------------------------- watching and operating

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: sharedGroup
  params: {
    deploymentName: name
    location: sharedLocation
    tags: tags
    workspaceResourceId: logs.outputs.workspaceResourceId
    emails: azure.?alerts.?emails ?? []
    enabled: azure.?alerts.?enabled ?? true
    routeServers: map(places, place => {
      resourceId: place.region.routeServer.resourceId
      region: place.azure.name
      nvaAddresses: map(place.region.nvas, nva => nva.address)
    })
    vipCount: length(topology.vips)
    dashboardUrl: '${topology.seats[0].url}/api/dashboard'
  }
  dependsOn: [
    newRouteServers
  ]
}

module automation 'modules/automation.bicep' = if (azure.?automation ?? true) {
  name: 'automation'
  scope: sharedGroup
  params: {
    name: 'aa-${name}'
    location: sharedLocation
    tags: tags
    seatUrls: map(topology.seats, seat => seat.url)
    audience: topology.seats[0].audience
  }
}

// ---------------------------------------------------------------- what the hooks after provisioning need

@description('Region of the deployment record.')
output AZURE_DEPLOYMENT_LOCATION string = location
@description('Name of the resource group of everything that is shared.')
output ANYCAST_SHARED_GROUP string = sharedGroupName
@description('NVAs with the identity that reports for each.')
output ANYCAST_NVAS array = [
  for (entry, i) in nvas: {
    name: entry.nva.name
    region: places[entry.place].azure.name
    resourceGroup: groupNames[entry.place]
    principalId: nvaIdentities[i].outputs.principalId
  }
]
@description('Seats with their function apps.')
output ANYCAST_SEATS array = [
  for (entry, i) in seats: {
    name: entry.seat.name
    region: places[entry.place].azure.name
    resourceGroup: groupNames[entry.place]
    principalId: seatIdentities[i].outputs.principalId
  }
]
@description('Containers with the packages of the NVAs, by region.')
output ANYCAST_PACKAGES array = [
  for (place, i) in places: {
    region: place.azure.name
    url: stores[i].outputs.packagesUrl
  }
]
@description('Addresses of the Route Servers that were created, to be compared with anycast.yaml.')
output ANYCAST_ROUTE_SERVERS array = [
  for (place, i) in places: {
    region: place.azure.name
    peers: place.createsRouteServer ? newRouteServers[i]!.outputs.peers : place.region.routeServer.peers
  }
]
@description('Automation account, and the identity of its runbooks; empty when there is none.')
output ANYCAST_AUTOMATION object = (azure.?automation ?? true)
  ? { name: automation!.outputs.name, principalId: automation!.outputs.principalId }
  : {}
