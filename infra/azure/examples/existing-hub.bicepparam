// The same templates on hubs that are there already.
using '../main.bicep'

param topology = any(loadYamlContent('../../examples/existing-hub.yaml'))
param location = 'westeurope'
