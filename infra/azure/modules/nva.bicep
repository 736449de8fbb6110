// One NVA: a hardened Linux machine that forwards, without a public address, with an identity of its own.
import { nvaType } from '../types.bicep'

@description('Required. The NVA.')
param nva nvaType
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Size of the machine. Example: Standard_D2s_v5.')
param size string
@description('Required. Availability zone.')
param zone '1' | '2' | '3'
@description('Required. SSH public key of the user azureuser.')
param adminPublicKey string
@description('Required. Resource id of the subnet of the NVAs.')
param subnetResourceId string
@description('Optional. Pool of the load balancer to join. Empty: none.')
param poolResourceId string = ''
@description('Required. Resource id of its identity.')
param identityResourceId string
@description('Required. Client id of its identity.')
param identityClientId string
@description('Required. Address of the container with the packages.')
param packagesUrl string
@description('Required. Address of the vault of the region, ending in a slash.')
param vaultUri string

var template = loadTextContent('../nva/cloud-init.yaml')
var cloudInit = reduce(
  [
    ['@@nva@@', nva.name]
    ['@@packages@@', packagesUrl]
    ['@@vault@@', vaultUri]
    ['@@clientId@@', identityClientId]
  ],
  template,
  (text, pair) => replace(text, pair[0], pair[1])
)

resource interface 'Microsoft.Network/networkInterfaces@2025-05-01' = {
  name: 'nic-${nva.name}'
  location: location
  tags: tags
  properties: {
    enableIPForwarding: true
    enableAcceleratedNetworking: true
    ipConfigurations: [
      {
        name: 'default'
        properties: {
          primary: true
          privateIPAllocationMethod: 'Static'
          privateIPAddress: nva.address
          privateIPAddressVersion: 'IPv4'
          subnet: {
            id: subnetResourceId
          }
          loadBalancerBackendAddressPools: empty(poolResourceId)
            ? []
            : [
                {
                  id: poolResourceId
                }
              ]
        }
      }
    ]
  }
}

resource machine 'Microsoft.Compute/virtualMachines@2025-04-01' = {
  name: nva.name
  location: location
  tags: tags
  zones: [zone]
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityResourceId}': {}
    }
  }
  properties: {
    hardwareProfile: {
      vmSize: size
    }
    storageProfile: {
      imageReference: {
        publisher: 'Canonical'
        offer: 'ubuntu-24_04-lts'
        sku: 'server'
        version: 'latest'
      }
      osDisk: {
        name: 'osdisk-${nva.name}'
        createOption: 'FromImage'
        deleteOption: 'Delete'
        managedDisk: {
          storageAccountType: 'Premium_LRS'
        }
      }
    }
    osProfile: {
      computerName: nva.name
      adminUsername: 'azureuser'
      customData: base64(cloudInit)
      linuxConfiguration: {
        disablePasswordAuthentication: true
        provisionVMAgent: true
        patchSettings: {
          // Patches come when a person says so, one region at a time: a reboot is a failover.
          patchMode: 'ImageDefault'
          assessmentMode: 'AutomaticByPlatform'
        }
        ssh: {
          publicKeys: [
            {
              path: '/home/azureuser/.ssh/authorized_keys'
              keyData: adminPublicKey
            }
          ]
        }
      }
    }
    securityProfile: {
      securityType: 'TrustedLaunch'
      uefiSettings: {
        secureBootEnabled: true
        vTpmEnabled: true
      }
    }
    networkProfile: {
      networkInterfaces: [
        {
          id: interface.id
          properties: {
            primary: true
            deleteOption: 'Delete'
          }
        }
      ]
    }
    diagnosticsProfile: {
      bootDiagnostics: {
        enabled: true
      }
    }
  }
}

@description('Resource id of the machine.')
output resourceId string = machine.id
