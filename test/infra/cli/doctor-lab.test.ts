// doctor against a real lab: nothing found on a sound one, each seeded misconfiguration found by its own word; the
// command line as a process; the Python runbooks fail a vip over and back.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ControlPlaneClient } from '../../../infra/cli/client.ts';
import { createAgentReader } from '../../../infra/cli/doctor/agent-reader.ts';
import { createAzureReader } from '../../../infra/cli/doctor/azure-reader.ts';
import { examine } from '../../../infra/cli/doctor/examine.ts';
import { gatherFacts } from '../../../infra/cli/doctor/gather.ts';
import { networkId } from '../../../infra/lab/azure/resources.ts';
import type { World } from '../../../infra/lab/world.ts';
import { parseTopology } from '../../../shared/topology.ts';
import type { Topology } from '../../../shared/topology-schema.ts';
import { describeWith } from '../../support/needs.ts';
import { runPython } from '../../support/runbooks.ts';
import { until } from '../../support/until.ts';

jest.setTimeout(240_000);
const SLOW_MS = 120_000;

let child: ChildProcess;
let world: World;
let deployed: Topology;
let folder: string;
let control: string;
let places: Record<'file' | 'ca' | 'armEndpoint' | 'workspaceId' | 'dcrId', string>;
let runbook: Record<string, string>;
let seats: string[];

const getJson = async (path: string) => (await fetch(`${control}${path}`)).json();
const operatorToken = async () => ((await getJson('/token')) as { access_token: string }).access_token;
const post = async (path: string, body: unknown) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${control}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.status !== 201) throw new Error(await answer.text());
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  const argv = ['--disable-warning=ExperimentalWarning', 'infra/lab/main.ts', '--port', '0', '--control-port', '0'];
  child = spawn(process.execPath, [...argv, '--client-ms', '50'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const port = await until(
    'the lab says where it is',
    () => /lab http:\/\/127\.0\.0\.1:(\d+)\/world/.exec(output)?.[1],
    SLOW_MS,
    100,
  );
  control = `http://127.0.0.1:${port}`;
  world = await until(
    'steady',
    async () => {
      const seen = (await getJson('/world')) as World;
      return seen.steadyAfterMs === null ? undefined : seen;
    },
    SLOW_MS,
    200,
  );
  places = (await getJson('/doctor')) as typeof places;
  runbook = (await getJson('/runbook')) as typeof runbook;
  seats = Object.values(world.ports.functions).map((one) => `http://127.0.0.1:${one}`);
  const parsed = parseTopology(readFileSync(places.file, 'utf8'));
  if (!parsed.ok) throw new Error('the lab wrote a file that is not right');
  deployed = parsed.value.topology;
});
afterAll(async () => {
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await fetch(`${control}/resources`, { method: 'DELETE' });
});

interface Bent {
  readonly topology?: (topology: Topology) => Topology;
  readonly token?: string;
  readonly clockMs?: number;
  readonly arm?: boolean;
}

/** What doctor finds, problems only, as `code where`. */
async function problems(bent: Bent = {}): Promise<string[]> {
  const topology = (bent.topology ?? ((same: Topology) => same))(deployed);
  const token = async () => bent.token ?? operatorToken();
  const ca = readFileSync(places.ca, 'utf8');
  const credential = {
    getToken: async () => ({ token: await operatorToken(), expiresOnTimestamp: Date.now() + 1e6 }),
  };
  const facts = await gatherFacts({
    topology,
    client: new ControlPlaneClient({ name: 'lab', seats: seats }, { fetch, token, debug: undefined }),
    agents: createAgentReader(ca),
    azure: bent.arm === false ? 'not this time' : createAzureReader({ credential, endpoint: places.armEndpoint, ca }),
    workspaceId: places.workspaceId,
    ruleId: places.dcrId,
    nowMs: () => Date.now() + (bent.clockMs ?? 0),
  });
  const { findings } = examine(facts);
  for (const finding of findings) expect(finding.fix.length).toBeGreaterThan(10);
  return findings.filter(({ severity }) => severity === 'problem').map(({ code, where }) => `${code} ${where}`);
}

const hub = (region: string) => deployed.regions.find((one) => one.name === region)?.routeServer.resourceId ?? '';
const overlay = (path: string, body: object | null) => post('/resources', { overlay: { [path]: body } });
/** The sound answer, changed. */
async function overlayChanged(path: string, change: (sound: never) => object): Promise<void> {
  await overlay(path, change((await soundJson(path)) as never));
}
async function soundJson(path: string): Promise<unknown> {
  const { httpsGet } = await import('../../../infra/cli/doctor/https-get.ts');
  const headers = { authorization: `Bearer ${await operatorToken()}` };
  const answer = await httpsGet(`${places.armEndpoint}${path}`, {
    ca: readFileSync(places.ca, 'utf8'),
    headers,
    timeoutMs: 5000,
  });
  return JSON.parse(answer.body);
}
const changeHub = (properties: object) =>
  overlayChanged(hub('westeurope'), (sound: { properties: object }) => ({
    ...sound,
    properties: { ...sound.properties, ...properties },
  }));
const changeConnection = (properties: object) =>
  overlayChanged(`${hub('westeurope')}/bgpConnections`, (sound: { value: { properties: object }[] }) => ({
    value: sound.value.map((one) => ({ ...one, properties: { ...one.properties, ...properties } })),
  }));
const region = (name: string) => {
  const found = deployed.regions.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no region ${name}`);
  return found;
};
const changeSubnet = (subnetName: string, properties: object) =>
  overlayChanged(
    networkId(region('westeurope')),
    (sound: { properties: { subnets: { name: string; properties: object }[] } }) => ({
      ...sound,
      properties: {
        ...sound.properties,
        subnets: sound.properties.subnets.map((one) =>
          one.name === subnetName ? { ...one, properties: { ...one.properties, ...properties } } : one,
        ),
      },
    }),
  );
const TABLE = '/subscriptions/0/resourceGroups/rg/providers/Microsoft.Network/routeTables/rt';
const routeTable = (prefix: string, nextHop: string) =>
  overlay(TABLE, {
    id: TABLE,
    properties: {
      routes: [
        {
          name: 'drawn',
          properties: { addressPrefix: prefix, nextHopType: 'VirtualAppliance', nextHopIpAddress: nextHop },
        },
      ],
    },
  });
const mapNva = (change: (nva: Topology['regions'][number]['nvas'][number]) => object) => (topology: Topology) =>
  ({
    ...topology,
    regions: topology.regions.map((one) =>
      one.name === 'westeurope' ? { ...one, nvas: one.nvas.map((nva) => ({ ...nva, ...change(nva) })) } : one,
    ),
  }) as Topology;
const mapVip = (change: object) => (topology: Topology) =>
  ({
    ...topology,
    vips: topology.vips.map((vip) => (vip.name === 'orders' ? { ...vip, ...change } : vip)),
  }) as Topology;

test('a sound deployment has no finding', async () => {
  // A machine that runs other suites may lose sight of its storage for a moment, which doctor then says.
  let found: string[] = [];
  const isSound = async () => {
    found = await problems();
    return found.length === 0 ? true : undefined;
  };
  await until('nothing is found', isSound, SLOW_MS, 500).catch(() => undefined);
  expect(found).toEqual([]);
});

/** Each is a mistake people make; the seed makes it, the words must name it. */
const SEEDS: readonly [name: string, expected: string, seed: () => Promise<Bent> | Bent][] = [
  [
    'branch-to-branch was forgotten',
    'branch-to-branch-off westeurope',
    async () => {
      await changeHub({ allowBranchToBranchTraffic: false });
      return {};
    },
  ],
  [
    'Route Server failed to provision',
    'route-server-unwell westeurope',
    async () => {
      await changeHub({ provisioningState: 'Failed' });
      return {};
    },
  ],
  [
    'the resource is a Virtual WAN hub',
    'route-server-asn westeurope',
    async () => {
      await changeHub({ virtualRouterAsn: 65520 });
      return {};
    },
  ],
  [
    'the file has addresses of an earlier Route Server',
    'peers-differ westeurope',
    async () => {
      await changeHub({ virtualRouterIps: ['10.1.0.68', '10.1.0.69'] });
      return {};
    },
  ],
  [
    'the resource id is wrong',
    'route-server-unreadable westeurope',
    async () => {
      await overlay(hub('westeurope'), null);
      return {};
    },
  ],
  [
    'the peering was never made',
    'connection-missing we-nva-1',
    async () => {
      await overlay(`${hub('westeurope')}/bgpConnections`, { value: [] });
      return {};
    },
  ],
  [
    'the peering has another AS number',
    'connection-asn we-nva-1',
    async () => {
      await changeConnection({ peerAsn: 65009 });
      return {};
    },
  ],
  [
    'the peering has another address',
    'connection-address we-nva-1',
    async () => {
      await changeConnection({ peerIp: '10.1.1.5' });
      return {};
    },
  ],
  [
    'RouteServerSubnet has a route table',
    'route-server-subnet-routed westeurope',
    async () => {
      await routeTable('0.0.0.0/0', '10.1.9.4');
      await changeSubnet('RouteServerSubnet', { routeTable: { id: TABLE } });
      return {};
    },
  ],
  [
    'RouteServerSubnet has a security group',
    'route-server-subnet-guarded westeurope',
    async () => {
      await changeSubnet('RouteServerSubnet', { networkSecurityGroup: { id: '/nsg' } });
      return {};
    },
  ],
  [
    'RouteServerSubnet is too small',
    'route-server-subnet-small westeurope',
    async () => {
      await changeSubnet('RouteServerSubnet', { addressPrefix: '10.1.0.0/28' });
      return {};
    },
  ],
  [
    "a route draws Route Server's addresses into a firewall",
    'way-to-peers we-nva-1',
    async () => {
      await routeTable('10.1.0.0/16', '10.1.9.4');
      await changeSubnet('nvas', { routeTable: { id: TABLE } });
      return {};
    },
  ],
  [
    'no route leads answers back through the NVA',
    'return-route-missing orders in westeurope',
    async () => {
      await routeTable('10.0.0.0/24', '10.1.1.4');
      await changeSubnet('nvas', { addressPrefix: '10.1.0.0/16', routeTable: { id: TABLE } });
      return {
        topology: (topology) => {
          const bent = mapVip({ dataPlane: { ...topology.vips[0]?.dataPlane, mode: 'dnat-udr' } })(topology);
          const regions = bent.regions.map((one) => ({ ...one, apps: { ...one.apps, orders: '10.1.2.10:8080' } }));
          return { ...bent, regions };
        },
      };
    },
  ],
  [
    'the peering is called otherwise',
    'learned-unreadable we-nva-1',
    () => ({
      topology: mapNva(() => ({ bgpConnection: 'nva1' })),
    }),
  ],
  [
    'a route map takes the prepends away',
    'prepend-not-visible we-nva-1',
    async () => {
      await post('/resources', { learned: { 'we-nva-1': 'without-prepends' } });
      return {};
    },
  ],
  [
    'one instance holds nothing',
    'route-not-learned we-nva-1',
    async () => {
      await post('/resources', { learned: { 'we-nva-1': 'one-instance' } });
      return {};
    },
  ],
  [
    'somebody else announces from the NVA',
    'route-unexpected we-nva-1',
    async () => {
      await post('/resources', { learned: { 'we-nva-1': 'one-more-prefix' } });
      return {};
    },
  ],
  [
    'the circuit named is another',
    'circuit-unreadable westeurope',
    () => ({
      topology: (topology) => ({
        ...topology,
        regions: topology.regions.map((one) =>
          one.name === 'westeurope' && one.circuit
            ? { ...one, circuit: { ...one.circuit, resourceId: `${one.circuit.resourceId}-2` } }
            : one,
        ),
      }),
    }),
  ],
  [
    'the audit table is missing',
    'audit-table-missing AnycastAudit_CL',
    async () => {
      await overlay(`${places.workspaceId}/tables/AnycastAudit_CL`, null);
      return {};
    },
  ],
  [
    'the audit table lacks a column',
    'audit-columns AnycastAudit_CL',
    async () => {
      await overlayChanged(`${places.workspaceId}/tables/AnycastAudit_CL`, () => ({
        properties: { schema: { columns: [{ name: 'TimeGenerated' }, { name: 'EventId' }] } },
      }));
      return {};
    },
  ],
  [
    'the rule is not Direct',
    'rule-kind DCR',
    async () => {
      await overlayChanged(places.dcrId, (sound: object) => ({ ...sound, kind: 'Linux' }));
      return {};
    },
  ],
  [
    'the rule lacks the stream',
    'rule-stream DCR',
    async () => {
      await overlay(places.dcrId, { kind: 'Direct', properties: { streamDeclarations: {}, dataFlows: [] } });
      return {};
    },
  ],
  [
    'an agent is named by a wrong address',
    'agent-unreachable we-nva-1',
    () => ({
      topology: mapNva(() => ({ agent: 'https://127.0.0.1:1' })),
    }),
  ],
  [
    'two NVAs are mixed up',
    'agent-misnamed we-nva-1',
    () => ({
      topology: mapNva(() => ({ agent: region('northeurope').nvas[0]?.agent })),
    }),
  ],
  [
    'a seat is named by a wrong address',
    'seat-unreachable seat-we',
    () => ({
      topology: (topology) => ({
        ...topology,
        seats: topology.seats.map((one) => ({ ...one, url: 'http://127.0.0.1:1' })),
      }),
    }),
  ],
  [
    'a seat calls itself otherwise',
    'seat-misnamed seat-xx',
    () => ({
      topology: (topology) => ({ ...topology, seats: topology.seats.map((one) => ({ ...one, name: 'seat-xx' })) }),
    }),
  ],
  [
    'the file has another prefix than was deployed',
    'vip-differs orders',
    () => ({
      topology: mapVip({ prefix: '192.0.2.11/32' }),
    }),
  ],
  [
    'the agent has an older file',
    'agent-other-prefix we-nva-1',
    () => ({
      topology: mapVip({ prefix: '192.0.2.11/32' }),
    }),
  ],
  [
    'the file ranks regions otherwise',
    'vip-differs orders',
    () => ({
      topology: mapVip({ regions: ['northeurope', 'westeurope'] }),
    }),
  ],
  [
    'a vip was never deployed',
    'vip-not-deployed extra',
    () => ({
      topology: (topology) => ({
        ...topology,
        vips: [
          ...topology.vips,
          { ...(topology.vips[0] as Topology['vips'][number]), name: 'extra', prefix: '192.0.2.99/32' },
        ],
      }),
    }),
  ],
  [
    'the caller has no role',
    'role-missing you',
    () => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      return { token: `${part({ alg: 'RS256' })}.${part({ roles: [] })}.c2ln` };
    },
  ],
  ['clocks differ', 'clock-skew we-nva-1', () => ({ clockMs: 60_000 })],
];

describe('each seeded misconfiguration is found', () => {
  test('there are at least twenty kinds', () => {
    expect(new Set(SEEDS.map(([, expected]) => expected.split(' ')[0])).size).toBeGreaterThanOrEqual(20);
  });
  test.each(SEEDS)('%s: %s', async (_name, expected, seed) => {
    // What only agents and seats can show needs no look at Azure.
    const bent = { ...(await seed()), ...(/^(agent|seat|vip|role|clock)-/.test(expected) && { arm: false }) };
    const found = async () => ((await problems(bent)).includes(expected) ? true : undefined);
    await until(expected, found, SLOW_MS, 500);
  });
  test('a session that is down, as the agent sees it', async () => {
    await post('/faults', { kind: 'session-down', nva: 'we-nva-1', instance: 1 });
    await until(
      'found',
      async () => ((await problems({ arm: false })).includes('session-down we-nva-1') ? true : undefined),
      SLOW_MS,
      200,
    );
    await fetch(`${control}/faults`, { method: 'DELETE' });
    await until('mended', async () => ((await problems({ arm: false })).length === 0 ? true : undefined), SLOW_MS, 200);
  });
});

describe('the command line as a process', () => {
  const anycastctl = async (...args: string[]) => {
    const config = join(folder, 'config.yaml');
    writeFileSync(config, `contexts: { lab: { seats: ["${seats[0]}"], tokenUrl: "${control}/token" } }\n`);
    const env = { ...process.env, ANYCAST_CONFIG: config };
    const argv = ['--disable-warning=ExperimentalWarning', 'infra/cli/anycastctl.mjs', ...args];
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, argv, { env });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  };
  test('status, topology, which-seat and doctor answer with nothing on stderr', async () => {
    const status = await anycastctl('status');
    expect([status.code, status.stderr]).toEqual([0, '']);
    expect(status.stdout.split('\n')).toHaveLength(6);
    const topology = await anycastctl('topology', 'orders');
    expect(topology.stdout).toMatch(
      /^orders 192\.0\.2\.10\/32 {3}served by westeurope\n\+ hq +\|\d+s? *\|answered by westeurope/,
    );
    const seats = await anycastctl('which-seat', '--json');
    expect(JSON.parse(seats.stdout)).toMatchObject([{ seat: 'seat-we', answers: true, leads: true, ledger: 'ok' }]);
    const bundle = join(folder, 'bundle.json');
    const doctor = await anycastctl('doctor', '--json', '--bundle', bundle);
    expect([doctor.code, JSON.parse(doctor.stdout)]).toEqual([0, { ok: true, findings: [], unchecked: [] }]);
    const held = readFileSync(bundle, 'utf8');
    expect(JSON.parse(held)).toMatchObject({ v: 1, findings: [] });
    expect(held).not.toMatch(/eyJ[\w-]+\.|PRIVATE KEY|access_token/);
  });
  test('audit exports what verify then accepts', async () => {
    const exported = await anycastctl('audit', 'export');
    const file = join(folder, 'audit.ndjson');
    writeFileSync(file, exported.stdout);
    expect((await anycastctl('audit', 'verify', '--file', file)).code).toBe(0);
    writeFileSync(file, exported.stdout.split('\n').toSpliced(1, 1).join('\n'));
    expect((await anycastctl('audit', 'verify', '--file', file)).code).toBe(7);
  });
});

describeWith({ programs: ['python3'] }, 'a Python runbook in the lab', () => {
  test('fails a vip over, is run again without harm, and fails it back, each proved', async () => {
    const over = await runPython(
      'Start-AnycastFailover',
      ['orders', 'CHG0042', 'northeurope', '', '', '', 'job-1'],
      runbook,
    );
    expect([over.code, over.outcome.state]).toEqual([0, 'proved']);
    const again = await runPython(
      'Start-AnycastFailover',
      ['orders', 'CHG0042', 'northeurope', '', '', '', 'job-1'],
      runbook,
    );
    expect((again.outcome.operation as { id: string }).id).toBe((over.outcome.operation as { id: string }).id);
    expect(over.outcome.operation).toMatchObject({ actorType: 'runbook', region: 'northeurope' });
    const back = await runPython('Start-AnycastFailback', ['orders', 'CHG0042 done', '', '', '', 'job-2'], runbook);
    expect([back.code, back.outcome.state]).toEqual([0, 'proved']);
    const well = await runPython('Test-AnycastHealth', [], runbook);
    expect([well.code, well.outcome.ok]).toEqual([0, true]);
  });
});
