// azd and `az deployment sub create` read this: anycast.yaml, and what the hooks left in the environment.
using 'main.bicep'

param topology = any(loadYamlContent('../../anycast.yaml'))
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param assignRoles = readEnvironmentVariable('ANYCAST_ASSIGN_ROLES', 'true') == 'true'
// New values only; what is absent stays as it is in the vaults.
param secretValues = json(readEnvironmentVariable('ANYCAST_SECRETS', '{}'))
param secretExpiries = json(readEnvironmentVariable('ANYCAST_SECRET_EXPIRIES', '{}'))
