// Azure Route Server: a virtual hub without a virtual WAN. Takes tens of minutes to create.
@description('Required. Name of Route Server.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of RouteServerSubnet.')
param subnetResourceId string

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Regional'
  }
  zones: ['1', '2', '3']
  properties: {
    publicIPAllocationMethod: 'Static'
    publicIPAddressVersion: 'IPv4'
  }
}

resource routeServer 'Microsoft.Network/virtualHubs@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: 'Standard'
    // Without it nothing passes between the NVAs' routes and the gateways (route-server-faq.md).
    allowBranchToBranchTraffic: true
    hubRoutingPreference: 'ExpressRoute'
    virtualRouterAutoScaleConfiguration: {
      minCapacity: 2
    }
  }
}

resource configuration 'Microsoft.Network/virtualHubs/ipConfigurations@2025-05-01' = {
  parent: routeServer
  name: 'default'
  properties: {
    subnet: {
      id: subnetResourceId
    }
    publicIPAddress: {
      id: address.id
    }
  }
}

@description('Resource id of Route Server.')
output resourceId string = routeServer.id
@description('Addresses of its two instances, to be compared with anycast.yaml.')
output peers string[] = routeServer.properties.virtualRouterIps
