// The hooks of a deployment, against an `az` that answers as Azure would; once as a program, as azd runs them.
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { agentYaml } from '../../../infra/azure/hooks/finish.ts';
import { type Place, runFinish, runPreflight, runPrepare } from '../../../infra/azure/hooks/verbs.ts';
import { agentFileSchema } from '../../../nva-agent/control/config.ts';
import { API_ROLES } from '../../../shared/api.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { createFakeAzure, type FakeAzure } from '../../support/fake-azure.ts';
import { cores, POLICY_CHECK, sku, sound, topologyText } from './sound-azure.ts';

const ROOT = resolve('.');
let folder = '';
let azure: FakeAzure;

function install(answers: Record<string, unknown>, topology = topologyText()): void {
  azure.answers = answers;
  writeFileSync(join(folder, 'anycast.yaml'), topology);
}

async function hook(verb: string, environment: Record<string, string> = {}) {
  const lines: string[] = [];
  const say = (text: string) => void lines.push(text);
  const place: Place = {
    folder,
    environment: { AZURE_ENV_NAME: 'test', ...environment },
    az: azure.az,
    azd: azure.azd,
    say,
  };
  const run = {
    preflight: runPreflight,
    finish: runFinish,
    prepare: () => runPrepare(place),
  };
  try {
    const status = await run[verb as keyof typeof run](place);
    return { status, output: lines.join('\n'), errors: '' };
  } catch (error) {
    return { status: 1, output: lines.join('\n'), errors: String(error) };
  }
}

const forget = () => azure.calls.splice(0);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-hooks-'));
  azure = createFakeAzure({});
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('preflight', () => {
  test('says nothing when all is well, and changes nothing', async () => {
    install(sound());
    expect(await hook('preflight')).toEqual({ status: 0, output: '', errors: '' });
    // Judging a resource that does not exist is a POST that makes nothing.
    const verbs = azure.calls.map((call) => call.slice(1).join(' ')).filter((line) => !line.startsWith(POLICY_CHECK));
    expect(verbs.length).toBeGreaterThan(10);
    expect(verbs.filter((line) => /\b(create|set|update|delete|register|put|post|patch|upload)\b/.test(line))).toEqual(
      [],
    );
  });

  test('policies that would deny public addresses or regions are named with what they deny; a silent judge is a warning', async () => {
    const evaluation = (evaluationResult: string, policyAssignmentId: string) => ({
      evaluationResult,
      policyInfo: { policyAssignmentId },
    });
    const policyEvaluations = [evaluation('NonCompliant', '/x/deny-public-ip'), evaluation('Compliant', '/x/fine')];
    install({ ...sound(), [POLICY_CHECK]: { fieldRestrictions: [], contentEvaluationResult: { policyEvaluations } } });
    const denied = await hook('preflight');
    expect(denied.status).toBe(7);
    expect(denied.output).toContain(
      'ERROR policy-denies: the public address of Route Server in westeurope would be denied by /x/deny-public-ip',
    );
    expect(denied.output).toContain('the ledger in swedencentral would be denied by /x/deny-public-ip');
    expect(denied.output).not.toContain('/x/fine');
    const asked = azure.calls.find((call) => call.slice(1).join(' ').startsWith(POLICY_CHECK)) ?? [];
    expect(JSON.parse(asked[asked.indexOf('--body') + 1] ?? '')).toMatchObject({
      resourceDetails: {
        apiVersion: '2025-05-01',
        resourceContent: { type: 'Microsoft.Network/publicIPAddresses', location: 'westeurope' },
      },
    });
    install({ ...sound(), [POLICY_CHECK]: { error: 'Forbidden' } });
    const silent = await hook('preflight');
    expect(silent).toMatchObject({ status: 0 });
    expect(silent.output).toContain('WARNING policies-unknown');
    // An answer without an evaluation allows nothing and denies nothing.
    install({ ...sound(), [POLICY_CHECK]: { fieldRestrictions: [] } });
    expect((await hook('preflight')).output).toContain('WARNING policies-unknown');
  });

  test('lists every finding at once, warnings first, each with its fix', async () => {
    const answers = {
      ...sound(),
      'role assignment list': [{ roleDefinitionName: 'Contributor' }],
      'provider list': [],
      'provider operation show': { operations: [], resourceTypes: [] },
      'functionapp list-flexconsumption-locations': [{ name: 'eastus' }],
      'functionapp list-flexconsumption-runtimes': [{ version: '22' }],
      'vm list-usage': cores(1),
      'storage account check-name': { nameAvailable: false },
      'keyvault list-deleted': [{ name: 'kv-any-x', properties: { tags: { 'anycast-deployment': 'contoso' } } }],
    };
    install(answers, readFileSync(join(ROOT, 'anycast.yaml'), 'utf8'));
    const { status, output } = await hook('preflight');
    expect(status).toBe(7);
    const codes = [...output.matchAll(/^(ERROR|WARNING) (\S+):/gm)].map((match) => match[2]);
    for (const code of [
      'closed',
      'nobody-told',
      'other-subscription',
      'placeholder',
      'provider-not-registered',
      'cannot-assign-roles',
      'unknown-action',
      'flex-unsupported',
      'runtime-unsupported',
      'QUOTA_EXCEEDED',
      'name-taken',
      'vault-soft-deleted',
    ]) {
      expect(codes).toContain(code);
    }
    expect(output.lastIndexOf('WARNING')).toBeLessThan(output.indexOf('ERROR'));
    expect(output.match(/^ {2}fix: /gm)?.length).toBe(codes.length);
  });

  test.each([
    ['SKU_UNSUPPORTED', { 'vm list-skus': [] }],
    ['SKU_UNSUPPORTED', { 'vm list-skus': [{ ...sku, locationInfo: [{ zones: ['1'] }] }] }],
    [
      'REGIONAL_CAPACITY_UNAVAILABLE',
      { 'vm list-skus': [{ ...sku, restrictions: [{ type: 'Location', reasonCode: 'NotAvailableForSubscription' }] }] },
    ],
    ['az-old', { version: { 'azure-cli': '2.40.0' } }],
    ['not-signed-in', { 'account show': { error: 'Please run az login' } }],
    ['route-server-peers', { 'resource show': { properties: { virtualRouterIps: ['10.1.0.6', '10.1.0.7'] } } }],
    [
      'branch-to-branch-off',
      { 'resource show': { properties: { virtualRouterIps: [], allowBranchToBranchTraffic: false } } },
    ],
  ])('finds %s', async (code, wrong) => {
    install({ ...sound(), ...wrong });
    const { status, output } = await hook('preflight');
    expect(status).toBe(7);
    expect(output).toContain(`ERROR ${code}:`);
  });

  test('looks at hubs that are there already', async () => {
    const text = readFileSync(join(ROOT, 'infra/examples/existing-hub.yaml'), 'utf8');
    install({ ...sound(), 'network vnet show': { subnets: [] } }, text);
    const { output } = await hook('preflight');
    expect(output).toContain('ERROR subnet-missing: westeurope: no subnet snet-nva');
    expect(output).toContain('ERROR route-server-missing:');
  });

  test('without the Azure CLI says only that', async () => {
    install({ ...sound(), version: { error: 'ENOENT' } });
    const { status, output } = await hook('preflight');
    expect(status).toBe(7);
    expect(output).toMatch(/^ERROR az-missing: [^\n]*\n {2}fix: [^\n]*\n1 findings; nothing was changed\.$/);
  });

  test('refuses an anycast.yaml that is wrong, with its findings', async () => {
    install(sound(), topologyText().replace('prefix: 192.0.2.10/32', 'prefix: 10.1.0.9/32'));
    const { status, errors } = await hook('preflight');
    expect(status).toBe(1);
    expect(errors).toContain('prefix-overlap');
  });
});

const secretsSet = (): Record<string, string> => {
  const set = azure.calls.filter((call) => call[0] === 'azd' && call[3] === 'ANYCAST_SECRETS');
  return JSON.parse(set.at(-1)?.[4] ?? '{}') as Record<string, string>;
};
const topologyNow = () => {
  const parsed = parseTopology(readFileSync(join(folder, 'anycast.yaml'), 'utf8'));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value.topology;
};

describe('prepare', () => {
  test('registers the application with its roles, and pins audience and public keys, comments kept', async () => {
    install(sound());
    expect((await hook('prepare')).errors).toBe('');
    const state = azure.graph as unknown as {
      applications: {
        appRoles: { value: string }[];
        identifierUris: string[];
        api: { requestedAccessTokenVersion: number };
      }[];
    };
    const [app] = state.applications;
    expect(app?.appRoles.map((role) => role.value).sort()).toEqual([...API_ROLES].sort());
    expect(app?.api.requestedAccessTokenVersion).toBe(2);
    const topology = topologyNow();
    expect(topology.seats.map((seat) => seat.audience)).toEqual([app?.identifierUris[0], app?.identifierUris[0]]);
    for (const seat of topology.seats) {
      const secret = JSON.parse(secretsSet()[`order-key-${seat.name}`] ?? '{}') as Record<string, string>;
      expect(seat.orderKeys.map((key) => key.kid)).toEqual([secret.kid]);
      expect(seat.orderKeys[0]?.jwk).toEqual({ kty: 'EC', crv: 'P-256', x: secret.x, y: secret.y });
      expect(typeof secret.d).toBe('string');
    }
    expect(readFileSync(join(folder, 'anycast.yaml'), 'utf8')).toContain('# best first');
  });

  test('makes certificates that seats can check, and private files that others cannot read', async () => {
    install(sound());
    await hook('prepare');
    const secrets = secretsSet();
    const authority = new X509Certificate(secrets['agent-ca'] ?? '');
    const agent = new X509Certificate(secrets['agent-we-nva-1'] ?? '');
    expect(agent.verify(authority.publicKey)).toBe(true);
    expect(agent.checkIP('10.1.1.4')).toBe('10.1.1.4');
    expect(secrets['agent-ca']).not.toContain('PRIVATE KEY');
    expect(statSync(join(folder, '.azure/test/anycast/agent-ca.key')).mode & 0o777).toBe(0o600);
  });

  test('run again it changes nothing: same keys, same certificates, no new registration', async () => {
    install(sound());
    await hook('prepare');
    const [first, text] = [secretsSet(), readFileSync(join(folder, 'anycast.yaml'), 'utf8')];
    forget();
    expect((await hook('prepare')).errors).toBe('');
    expect(secretsSet()).toEqual(first);
    expect(readFileSync(join(folder, 'anycast.yaml'), 'utf8')).toBe(text);
    expect(azure.calls.filter((call) => call.includes('post') || call.includes('patch'))).toEqual([]);
  });

  test('on another machine it leaves the vaults as they are', async () => {
    install(sound());
    await hook('prepare');
    rmSync(join(folder, '.azure'), { recursive: true });
    const text = readFileSync(join(folder, 'anycast.yaml'), 'utf8');
    const again = await hook('prepare');
    expect(again.output).toContain('the vaults keep theirs');
    expect(secretsSet()).toEqual({});
    expect(readFileSync(join(folder, 'anycast.yaml'), 'utf8')).toBe(text);
  });
});

const outputs = (peers = ['10.1.0.4', '10.1.0.5']) => ({
  ANYCAST_SHARED_GROUP: 'rg-contoso',
  ANYCAST_NVAS: JSON.stringify([
    { name: 'we-nva-1', region: 'westeurope', principalId: 'nva-we' },
    { name: 'ne-nva-1', region: 'northeurope', principalId: 'nva-ne' },
  ]),
  ANYCAST_PACKAGES: JSON.stringify([
    { region: 'westeurope', url: 'https://stanywe.blob.core.windows.net/packages' },
    { region: 'northeurope', url: 'https://stanyne.blob.core.windows.net/packages' },
  ]),
  ANYCAST_ROUTE_SERVERS: JSON.stringify([{ region: 'westeurope', peers }]),
  ANYCAST_AUTOMATION: JSON.stringify({ name: 'aa-contoso', principalId: 'runbooks' }),
});

describe('finish', () => {
  beforeEach(async () => {
    install(sound());
    await hook('prepare');
    mkdirSync(join(folder, 'dist/agent'), { recursive: true });
    writeFileSync(join(folder, 'dist/agent/anycast-agent_0.9.0_amd64.deb'), 'old');
    writeFileSync(join(folder, 'dist/agent/anycast-agent_0.10.0_amd64.deb'), 'new');
    forget();
  });

  test('gives roles, pins identities, uploads the newest package last of all, publishes every runbook', async () => {
    const run = await hook('finish', outputs());
    expect(run.errors).toBe('');
    expect(run.status).toBe(0);
    const { assignments, applications } = azure.graph as unknown as {
      assignments: { principalId: string; appRoleId: string }[];
      applications: { appRoles: { id: string; value: string }[] }[];
    };
    const roleOf = (id: string) => applications[0]?.appRoles.find((role) => role.id === id)?.value;
    expect(assignments.map((one) => `${one.principalId} ${roleOf(one.appRoleId)}`)).toEqual([
      'nva-we Agent.Report',
      'nva-ne Agent.Report',
      'runbooks Failover.Operate',
      'person-1 Failover.Operate',
    ]);
    expect(topologyNow().regions.map((region) => region.nvas[0]?.principalId)).toEqual(['nva-we', 'nva-ne']);
    const uploads = azure.calls.filter((call) => call.slice(1, 4).join(' ') === 'storage blob upload');
    const named = uploads.map(
      (call) => `${call[call.indexOf('--account-name') + 1]} ${call[call.indexOf('--name') + 1]}`,
    );
    expect(named.slice(0, 5)).toEqual([
      'stanywe setup.sh',
      'stanywe anycast.yaml',
      'stanywe anycast-agent.deb',
      'stanywe we-nva-1/agent.yaml',
      'stanywe anycast-agent.deb.sha256',
    ]);
    const sums = readFileSync(join(folder, '.azure/test/anycast/upload/anycast-agent.deb.sha256'), 'utf8').trim();
    expect(sums).toBe(createHash('sha256').update('new').digest('hex'));
    expect(azure.calls.filter((call) => call.some((word) => word.includes('/publish?')))).toHaveLength(10);
    expect(secretsSet()).toEqual({});
  });

  test('run again gives nothing twice', async () => {
    await hook('finish', outputs());
    forget();
    expect((await hook('finish', outputs())).output).not.toContain('given:');
    expect(
      azure.calls.filter((call) => call.includes('post') && !call.some((word) => word.includes('/publish?'))),
    ).toEqual([]);
  });

  test('says it when Route Server chose other addresses than were written down', async () => {
    const run = await hook('finish', outputs(['10.1.0.4', '10.1.0.6']));
    expect(run.status).toBe(7);
    expect(run.output).toContain('ERROR westeurope: Route Server answers at 10.1.0.4, 10.1.0.6');
  });

  test('without outputs says what comes first', async () => {
    expect((await hook('finish')).errors).toContain('run azd provision first');
  });

  test('stops at an upload that fails, with the reason', async () => {
    install(
      { ...sound(), 'storage blob upload': { error: 'AuthorizationFailure' } },
      readFileSync(join(folder, 'anycast.yaml'), 'utf8'),
    );
    const run = await hook('finish', outputs());
    expect(run.status).toBe(1);
    expect(run.errors).toContain('upload of setup.sh: AuthorizationFailure');
  });
});

test('agent.yaml of an NVA is one that the agent takes', () => {
  const parsed = parseTopology(readFileSync('anycast.yaml', 'utf8'));
  if (!parsed.ok) throw new Error('anycast.yaml');
  const file = agentFileSchema.safeParse(parse(agentYaml(parsed.value.topology, 'we-nva-1')));
  expect(file.success && file.data.listen).toEqual({ address: '10.1.1.4', port: 8443 });
});

describe('as a program', () => {
  const main = (verb: string) =>
    spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'infra/azure/hooks/main.ts'), verb],
      {
        encoding: 'utf8',
        env: { PATH: join(folder, 'bin') },
      },
    );

  test('without a verb it says what it can', () => {
    const run = main('');
    expect(run.stderr).toContain('usage: npm run -s azure -- VERB');
    expect(run.status).toBe(2);
  });

  test('it runs az from PATH, asks for JSON, and ends with the status of findings', () => {
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      join(folder, 'bin/az'),
      '#!/bin/sh\ncase "$*" in "version -o json --only-show-errors") exit 127;; esac\nexit 3\n',
    );
    chmodSync(join(folder, 'bin/az'), 0o755);
    const run = main('preflight');
    expect(run.stdout).toContain('ERROR az-old: Azure CLI 0.0');
    expect(run.status).toBe(7);
  });
});
