// A spoke for the application. With dnat-udr its answers go back through the NVA, by routes for on-premises.
@description('Required. Name of the virtual network.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Address space.')
param addressSpace string[]
@description('Required. Prefix of the subnet of the application.')
param appSubnet string
@description('Required. On-premises ranges.')
param onPremises string[]
@description('Conditional. Address that answers go through: the NVA or its load balancer. Required for dnat-udr, else empty.')
param returnAddress string = ''

var returnsThroughNva = !empty(returnAddress)

resource routes 'Microsoft.Network/routeTables@2025-05-01' = {
  name: 'rt-${name}'
  location: location
  tags: tags
  properties: {
    // Route Server would otherwise inject the on-premises ranges with the gateway as next hop.
    disableBgpRoutePropagation: returnsThroughNva
    routes: [
      for (prefix, i) in (returnsThroughNva ? onPremises : []): {
        name: 'on-premises-${i}'
        properties: {
          addressPrefix: prefix
          nextHopType: 'VirtualAppliance'
          nextHopIpAddress: returnAddress
        }
      }
    ]
  }
}

resource group 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: addressSpace
    }
    subnets: [
      {
        name: 'snet-app'
        properties: {
          addressPrefix: appSubnet
          defaultOutboundAccess: false
          routeTable: {
            id: routes.id
          }
          networkSecurityGroup: {
            id: group.id
          }
        }
      }
    ]
  }
}

@description('Resource id of the spoke.')
output resourceId string = network.id
