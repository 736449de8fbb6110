// Network security groups and the NAT gateway of one region.
@description('Required. Region.')
param location string
@description('Required. Name of the deployment, the stem of all names.')
param deploymentName string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Address spaces of all hubs: seats reach agents, and NVAs each other, from there only.')
param azureSpaces string[]
@description('Required. Ports of the agents. Example: ["8443"].')
param agentPorts string[]
@description('Required. Whether the NVAs get a NAT gateway.')
param withNatGateway bool

resource nvaGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${deploymentName}-nvas-${location}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'allow-seats-to-agents'
        properties: {
          description: 'Orders, probes and metrics come from the seats and the hubs.'
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefixes: azureSpaces
          sourcePortRange: '*'
          destinationAddressPrefix: 'VirtualNetwork'
          destinationPortRanges: agentPorts
        }
      }
      {
        name: 'allow-load-balancer-probe'
        properties: {
          description: 'Health probe of the internal load balancer.'
          priority: 105
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'AzureLoadBalancer'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRanges: agentPorts
        }
      }
      {
        name: 'deny-others-to-agents'
        properties: {
          description: 'On-premises has no business with the agents.'
          priority: 110
          direction: 'Inbound'
          access: 'Deny'
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRanges: agentPorts
        }
      }
      {
        // The tag VirtualNetwork holds on-premises ranges behind a gateway, but traffic to the vip is addressed
        // outside of it: without this rule the default deny would drop it.
        name: 'allow-clients-to-vips'
        properties: {
          description: 'The anycast addresses lie outside the virtual network.'
          priority: 120
          direction: 'Inbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource innerGroup 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${deploymentName}-inner-${location}'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = if (withNatGateway) {
  name: 'pip-${deploymentName}-nat-${location}'
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

resource natGateway 'Microsoft.Network/natGateways@2025-05-01' = if (withNatGateway) {
  name: 'ng-${deploymentName}-${location}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

@description('Resource id of the group of the NVAs.')
output nvaGroupResourceId string = nvaGroup.id
@description('Resource id of the group of private endpoints and the seat.')
output innerGroupResourceId string = innerGroup.id
@description('Resource id of the NAT gateway; empty when there is none.')
output natGatewayResourceId string = withNatGateway ? natGateway.id : ''
