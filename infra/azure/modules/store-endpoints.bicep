// The private endpoints of one region to its own stores and to the ledger.
@description('Required. Name of the deployment.')
param deploymentName string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Resource id of the subnet of private endpoints.')
param subnetResourceId string
@description('Required. Storage account of the region.')
param storageResourceId string
@description('Required. Vault of the region.')
param vaultResourceId string
@description('Required. Ledger account.')
param ledgerResourceId string
@description('Required. Zones of blob, queue, table and vault, in this order.')
param zones string[]

var doors = [
  { key: 'store-blob', target: storageResourceId, part: 'blob', zone: zones[0] }
  { key: 'store-queue', target: storageResourceId, part: 'queue', zone: zones[1] }
  { key: 'store-table', target: storageResourceId, part: 'table', zone: zones[2] }
  { key: 'ledger-blob', target: ledgerResourceId, part: 'blob', zone: zones[0] }
  { key: 'ledger-table', target: ledgerResourceId, part: 'table', zone: zones[2] }
  { key: 'vault', target: vaultResourceId, part: 'vault', zone: zones[3] }
]

module endpoints 'private-endpoint.bicep' = [
  for door in doors: {
    name: 'endpoint-${door.key}'
    params: {
      name: 'pe-${deploymentName}-${door.key}-${location}'
      location: location
      tags: tags
      subnetResourceId: subnetResourceId
      targetResourceId: door.target
      part: any(door.part)
      zone: door.zone
    }
  }
]
