// Whether policies of the subscription would deny what the deployment creates: Azure is asked to judge it, nothing is made.
import type { Az } from './az.ts';
import { type Check, error, type PreflightFinding, warning } from './preflight-finding.ts';

const API_VERSION = '2022-03-01';

/** What policies usually deny: public addresses (Route Server must have one), regions, untagged things, open storage. */
interface Planned {
  readonly what: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly apiVersion: string;
  readonly fix: string;
}

const publicAddress = (region: string, tags: object, whose: string): Planned => ({
  what: `the public address of ${whose} in ${region}`,
  content: {
    type: 'Microsoft.Network/publicIPAddresses',
    name: 'anycast-preflight',
    location: region,
    tags,
    sku: { name: 'Standard' },
    properties: { publicIPAllocationMethod: 'Static' },
  },
  apiVersion: '2025-05-01',
  fix: 'Azure asks for that address; have the resource group exempted, or use what is there (routeServer: existing)',
});

const account = (region: string, tags: object, what: string): Planned => ({
  what: `${what} in ${region}`,
  content: {
    type: 'Microsoft.Storage/storageAccounts',
    name: 'anycastpreflight',
    location: region,
    kind: 'StorageV2',
    tags,
    sku: { name: 'Standard_ZRS' },
    properties: { allowSharedKeyAccess: false, allowBlobPublicAccess: false, minimumTlsVersion: 'TLS1_2' },
  },
  apiVersion: '2024-01-01',
  fix: 'have the policy exempt the resource group, or give the region or tags it asks for (azure.tags)',
});

export const checkPolicies: Check = async ({ az, topology, azure }) => {
  const planned = [
    ...azure.regions.flatMap(({ name, routeServer, nvas, vpnGateway }) => [
      ...(routeServer === 'create' ? [publicAddress(name, azure.tags, 'Route Server')] : []),
      ...(nvas.outbound === 'nat-gateway' ? [publicAddress(name, azure.tags, 'the NAT gateway')] : []),
      ...(vpnGateway === undefined ? [] : [publicAddress(name, azure.tags, 'the VPN gateway')]),
      account(name, azure.tags, 'the storage account of the seat'),
    ]),
    account(topology.witness.region, azure.tags, 'the ledger'),
  ];
  const found: PreflightFinding[] = [];
  for (const one of planned) found.push(...(await judge(az, one)));
  return found;
};

interface Evaluation {
  readonly evaluationResult?: string;
  readonly policyInfo?: { readonly policyAssignmentId?: string; readonly policyDefinitionId?: string };
}

interface Restrictions {
  readonly contentEvaluationResult?: { readonly policyEvaluations?: readonly Evaluation[] };
}

async function judge(az: Az, { what, content, apiVersion, fix }: Planned): Promise<PreflightFinding[]> {
  const url = `https://management.azure.com/subscriptions/{subscriptionId}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=${API_VERSION}`;
  const body = JSON.stringify({ resourceDetails: { resourceContent: content, apiVersion } });
  const answer = await az(
    ...['rest', '--method', 'post', '--url', url, '--headers', 'Content-Type=application/json', '--body', body],
  );
  const unknown = (why: string) => [
    warning('policies-unknown', `whether policies allow ${what} is not known: ${why}`, 'az policy state list'),
  ];
  if (!answer.ok) return unknown(answer.detail);
  const evaluations = (answer.value as Restrictions | null)?.contentEvaluationResult?.policyEvaluations;
  if (evaluations === undefined) return unknown('the answer holds no evaluation');
  return evaluations
    .filter((one) => one.evaluationResult === 'NonCompliant')
    .map(({ policyInfo = {} }) => {
      const name = policyInfo.policyAssignmentId ?? policyInfo.policyDefinitionId ?? 'a policy';
      return error('policy-denies', `${what} would be denied by ${name}`, fix);
    });
}
