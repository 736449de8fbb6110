// An Automation account with the runbooks: PowerShell 7.4 in an environment of its own, and Python 3.10.
@description('Required. Name of the account.')
param name string
@description('Required. Region.')
param location string
@description('Required. Tags of every resource.')
param tags object
@description('Required. Address of every seat, tried in turn.')
param seatUrls string[]
@description('Required. Audience of the tokens.')
param audience string

// infra/automation holds the text of each; the hook after provisioning uploads and publishes it.
var runbooks = [
  { name: 'Start-AnycastFailover', python: 'start_anycast_failover', description: 'Moves a vip to another region and waits for the proof.' }
  { name: 'Start-AnycastFailback', python: 'start_anycast_failback', description: 'Moves a vip back to its first region and waits for the proof.' }
  { name: 'Set-AnycastDrain', python: 'set_anycast_drain', description: 'Drains a region, or lets traffic in again.' }
  { name: 'Start-AnycastDrill', python: 'start_anycast_drill', description: 'Fails a vip over and back, and reports the outage.' }
  { name: 'Test-AnycastHealth', python: 'test_anycast_health', description: 'Fails when a seat, the ledger or a vip is not well.' }
]

resource account 'Microsoft.Automation/automationAccounts@2024-10-23' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    sku: {
      name: 'Basic'
    }
    publicNetworkAccess: true
    disableLocalAuth: true
  }
}

// 7.4 and later exist only as an environment of one's own.
resource powershell 'Microsoft.Automation/automationAccounts/runtimeEnvironments@2024-10-23' = {
  parent: account
  name: 'PowerShell-74-Anycast'
  location: location
  properties: {
    description: 'PowerShell 7.4 for the anycast runbooks.'
    runtime: {
      language: 'PowerShell'
      version: '7.4'
    }
    defaultPackages: {
      Az: '12.3.0'
    }
  }
}

resource python 'Microsoft.Automation/automationAccounts/runtimeEnvironments@2024-10-23' = {
  parent: account
  name: 'Python-310-Anycast'
  location: location
  properties: {
    description: 'Python 3.10 for the anycast runbooks; the standard library is enough.'
    runtime: {
      language: 'Python'
      version: '3.10'
    }
  }
}

resource powershellBooks 'Microsoft.Automation/automationAccounts/runbooks@2024-10-23' = [
  for book in runbooks: {
    parent: account
    name: book.name
    location: location
    tags: tags
    properties: {
      runbookType: 'PowerShell'
      runtimeEnvironment: powershell.name
      description: book.description
      logProgress: false
      logVerbose: false
      logActivityTrace: 0
      draft: {}
    }
  }
]

resource pythonBooks 'Microsoft.Automation/automationAccounts/runbooks@2024-10-23' = [
  for book in runbooks: {
    parent: account
    name: book.python
    location: location
    tags: tags
    properties: {
      runbookType: 'Python'
      runtimeEnvironment: python.name
      description: book.description
      logProgress: false
      logVerbose: false
      logActivityTrace: 0
      draft: {}
    }
  }
]

// A value is JSON text: runbooks of either language read the same two.
resource urls 'Microsoft.Automation/automationAccounts/variables@2024-10-23' = {
  parent: account
  name: 'AnycastSeats'
  properties: {
    description: 'Origins of the seats, tried in turn; separated by commas.'
    isEncrypted: false
    value: '"${join(seatUrls, ',')}"'
  }
}

resource tokenAudience 'Microsoft.Automation/automationAccounts/variables@2024-10-23' = {
  parent: account
  name: 'AnycastAudience'
  properties: {
    description: 'Audience of the tokens.'
    isEncrypted: false
    value: '"${audience}"'
  }
}

@description('Name of the account.')
output name string = account.name
@description('Object id of its identity, which gets the role Failover.Operate.')
output principalId string = account.identity.principalId
