// A subscription in which nothing is wrong, as the Azure CLI answers, and a topology that can be deployed to it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const SUBSCRIPTION = '12345678-1234-1234-1234-123456789012';

export const cores = (limit: number) => [
  { name: { value: 'standardDSv5Family' }, limit, currentValue: 0 },
  { name: { value: 'cores' }, limit: 100, currentValue: 0 },
];
export const sku = {
  name: 'Standard_D2s_v5',
  family: 'standardDSv5Family',
  locationInfo: [{ zones: ['1', '2', '3'] }],
  capabilities: [{ name: 'vCPUs', value: '2' }],
  restrictions: [],
};
const providers = ['Web', 'App', 'Network', 'Compute', 'Storage', 'KeyVault', 'ManagedIdentity', 'Insights'];
const roles = JSON.parse(readFileSync('infra/azure/roles.json', 'utf8')) as Record<string, { actions: string[] }>;

export const POLICY_CHECK =
  'rest --method post --url https://management.azure.com/subscriptions/{subscriptionId}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions';

/** A subscription in which nothing is wrong. */
export const sound = (): Record<string, unknown> => ({
  version: { 'azure-cli': '2.77.0' },
  'account show': { id: SUBSCRIPTION },
  'ad signed-in-user show': { id: 'person-1' },
  'role assignment list': [{ roleDefinitionName: 'Owner' }],
  'provider list': [
    ...providers,
    'OperationalInsights',
    'AlertsManagement',
    'PolicyInsights',
    'Automation',
    'DurableTask',
  ].map((name) => ({
    name: `Microsoft.${name}`,
    state: 'Registered',
  })),
  'provider operation show': {
    operations: [],
    resourceTypes: [
      {
        operations: [...(roles.routeReader?.actions ?? []), ...(roles.operationReader?.actions ?? [])].map((name) => ({
          name,
        })),
      },
    ],
  },
  'functionapp list-flexconsumption-locations': [{ name: 'West Europe' }, { name: 'northeurope' }],
  'functionapp list-flexconsumption-runtimes': [{ version: '22' }, { version: '24' }],
  'vm list-skus': [sku],
  'vm list-usage': cores(10),
  'resource show': { error: 'ResourceNotFound' },
  'storage account check-name': { nameAvailable: true },
  'storage account list': [],
  'keyvault list-deleted': [],
  [POLICY_CHECK]: { fieldRestrictions: [], contentEvaluationResult: { policyEvaluations: [] } },
});

export const topologyText = () =>
  readFileSync(resolve('anycast.yaml'), 'utf8')
    .replaceAll('00000000-0000-0000-0000-000000000000', SUBSCRIPTION)
    .replace(/ReplaceThisWithYourOwnPublicKey0+/g, 'abcdefghijklmnopqrstuvwxyz0123456789')
    .replace('access: { addresses: [] }', 'access: { addresses: [203.0.113.7] }')
    .replace('alerts: { emails: [] }', 'alerts: { emails: [ops@example.com] }');
