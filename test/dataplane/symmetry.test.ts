// Two NVAs in one region: what breaks when a connection's two directions go through different ones, and what mends it.
//
//   client --- hq --- router --- ra --- nva-1, nva-2, app     router and app each choose an NVA per packet by a hash
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { DataPlaneConfig, DataPlaneVip } from '../../nva-agent/dataplane/plan.ts';
import { describeWith } from '../support/needs.ts';
import { createNetwork, type Network } from './network.ts';
import { startNva, type TestNva } from './nva.ts';
import { startApp, VIP } from './regions.ts';

const NEEDS = { programs: ['ip', 'nft', 'conntrack', 'curl', 'nsenter', 'setpriv', 'sysctl'], root: true };
const NVAS = { 'nva-1': '10.1.1.4', 'nva-2': '10.1.1.5' } as const;
const APP = '10.1.2.10';
const CLIENTS = Array.from({ length: 8 }, (_, i) => `10.200.0.${10 + i}`);
const CONNECTIONS_PER_CLIENT = 3;
const ALL = CLIENTS.length * CONNECTIONS_PER_CLIENT;

const FORWARDING = [
  'net.ipv4.ip_forward=1',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  'net.ipv4.conf.all.send_redirects=0',
  'net.ipv4.conf.default.send_redirects=0',
];

function createRegion(): Network {
  const network = createNetwork(
    ['hq', 'ra'],
    [
      { name: 'client', legs: [['hq', `${CLIENTS[0]}/24`]], routes: [['default', '10.200.0.1']] },
      {
        name: 'router',
        legs: [
          ['hq', '10.200.0.1/24'],
          ['ra', '10.1.200.1/16'],
        ],
        sysctls: FORWARDING,
      },
      ...Object.entries(NVAS).map(([name, address]) => ({
        name,
        legs: [['ra', `${address}/16`]] as const,
        routes: [['default', '10.1.200.1']] as const,
        sysctls: FORWARDING,
      })),
      { name: 'app', legs: [['ra', `${APP}/16`]], routes: [['default', NVAS['nva-1']]], sysctls: FORWARDING },
    ],
  );
  for (const address of CLIENTS.slice(1)) network.run('client', ['ip', 'addr', 'add', `${address}/24`, 'dev', 'hq']);
  network.run('router', ['ip', 'route', 'add', `${VIP}/32`, 'via', NVAS['nva-1']]);
  for (const host of ['router', 'app']) {
    network.run(host, ['ip', 'route', 'add', 'default', 'via', NVAS['nva-2'], 'table', '102']);
    network.run(host, ['ip', 'rule', 'add', 'fwmark', '2', 'lookup', '102']);
  }
  return network;
}

/** How a side chooses: always the first NVA, by connection (as ECMP or a load balancer without persistence does), by client. */
type Choice = 'first' | 'connection' | 'client';

function choose(network: Network, incoming: Choice, returning: Choice): void {
  const rules = {
    first: 'mark set 0',
    connection: { incoming: 'jhash ip saddr . tcp sport', returning: 'jhash ip daddr . tcp dport . ip saddr' },
    client: { incoming: 'jhash ip saddr', returning: 'jhash ip daddr' },
  };
  const mark = (choice: Choice, side: 'incoming' | 'returning') =>
    choice === 'first' ? 'meta mark set 1' : `meta mark set ${rules[choice][side]} mod 2 seed 0x5eed offset 1`;
  const table = (hook: string, match: string, rule: string) =>
    `table ip choice {}
delete table ip choice
table ip choice {
  chain steer {
    ${hook}; policy accept;
    ${match} ${rule}
  }
}
`;
  const steer = (host: string, text: string) => network.run(host, ['nft', '-f', '-'], text);
  steer('router', table('type filter hook prerouting priority mangle', `ip daddr ${VIP}`, mark(incoming, 'incoming')));
  steer('app', table('type route hook output priority mangle', 'tcp sport 8080', mark(returning, 'returning')));
}

function configOf(name: keyof typeof NVAS, more: Partial<DataPlaneVip>): DataPlaneConfig {
  const other = name === 'nva-1' ? 'nva-2' : 'nva-1';
  return {
    nva: name,
    address: NVAS[name],
    vips: [
      {
        vip: 'orders',
        address: VIP,
        mode: 'dnat-udr',
        appHost: APP,
        ports: [{ listen: 80, to: 8080, protocol: 'tcp' }],
        idleSeconds: 60,
        drainSeconds: 5,
        ...more,
      },
    ],
    ...(more.symmetry === 'shared-sessions' ? { sessionPeer: { nva: other, address: NVAS[other] } } : {}),
  };
}

/** Small downloads from every client address at once; how many were served to the end. */
async function countServed(network: Network, withinSeconds = 4): Promise<number> {
  const one = (client: string) =>
    new Promise<boolean>((resolve) => {
      const url = `http://${VIP}/?bytes=20000&ms=200`;
      const child = network.start('client', [
        'curl',
        '-s',
        '--max-time',
        String(withinSeconds),
        '--interface',
        client,
        url,
      ]);
      let bytes = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      child.once('close', () => resolve(bytes === 20_000));
    });
  const jobs = CLIENTS.flatMap((client) => Array.from({ length: CONNECTIONS_PER_CLIENT }, () => one(client)));
  return (await Promise.all(jobs)).filter(Boolean).length;
}

describeWith(NEEDS, 'two NVAs in a region', () => {
  jest.setTimeout(40_000);
  let network: Network;
  let nvas: readonly TestNva[];
  const applyBoth = (more: Partial<DataPlaneVip>) =>
    Promise.all(nvas.map((nva, i) => nva.apply(configOf(i === 0 ? 'nva-1' : 'nva-2', more))));
  const connectionsOf = async (nva: TestNva | undefined) => (await nva?.status())?.vips[0]?.connections ?? 0;

  beforeAll(async () => {
    network = createRegion();
    await startApp(network, 'app', 'app');
    nvas = (['nva-1', 'nva-2'] as const).map((name) => startNva(network, name, configOf(name, {})));
  });
  afterAll(() => network.remove());

  /** Both NVAs carried new connections, so a pass is no accident of the hash. */
  const expectBothUsed = async (before: readonly number[]) => {
    for (const [i, nva] of nvas.entries()) expect(await connectionsOf(nva)).toBeGreaterThan(before[i] ?? 0);
  };
  const used = () => Promise.all(nvas.map(connectionsOf));

  test('DNAT with a UDR to one of them breaks the connections that came by the other', async () => {
    await applyBoth({});
    choose(network, 'connection', 'first');
    const served = await countServed(network);
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(ALL);
  });

  test('one active NVA mends it', async () => {
    choose(network, 'first', 'first');
    expect(await countServed(network)).toBe(ALL);
  });

  test('SNAT mends it', async () => {
    await applyBoth({ mode: 'snat' });
    choose(network, 'connection', 'first');
    const before = await used();
    expect(await countServed(network)).toBe(ALL);
    await expectBothUsed(before);
  });

  test('a load balancer without session persistence breaks some', async () => {
    await applyBoth({ symmetry: 'load-balancer' });
    choose(network, 'connection', 'connection');
    const served = await countServed(network);
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(ALL);
  });

  test('a load balancer with session persistence by client mends it', async () => {
    choose(network, 'client', 'client');
    const before = await used();
    expect(await countServed(network)).toBe(ALL);
    await expectBothUsed(before);
  });
});

describeWith({ ...NEEDS, programs: [...NEEDS.programs, 'conntrackd'] }, 'two NVAs that share their sessions', () => {
  jest.setTimeout(40_000);
  let network: Network;
  let nvas: readonly TestNva[];
  beforeAll(async () => {
    network = createRegion();
    await startApp(network, 'app', 'app');
    choose(network, 'connection', 'first');
  });
  afterAll(() => network.remove());

  describe('DNAT with a UDR to one of them', () => {
    test('serves every connection, whichever NVA it came by', async () => {
      nvas = (['nva-1', 'nva-2'] as const).map((name) =>
        startNva(network, name, configOf(name, { symmetry: 'shared-sessions' })),
      );
      expect(await Promise.all(nvas.map((nva) => nva.apply()))).toEqual(
        nvas.map(() => expect.arrayContaining(['shared-sessions'])),
      );
      // A connection whose answer overtakes the other NVA's word waits for a retransmission or two.
      expect(await countServed(network, 15)).toBe(ALL);
      for (const nva of nvas) expect((await nva.status()).vips[0]?.connections).toBeGreaterThan(0);
    });

    test('applied again, nothing is touched', async () => {
      expect(await Promise.all(nvas.map((nva) => nva.apply()))).toEqual([[], []]);
    });

    test('and breaks connections again once they are not shared', async () => {
      const changed = await Promise.all(nvas.map((nva, i) => nva.apply(configOf(i === 0 ? 'nva-1' : 'nva-2', {}))));
      for (const parts of changed) expect(parts).toContain('shared-sessions');
      const served = await countServed(network);
      expect(served).toBeGreaterThan(0);
      expect(served).toBeLessThan(ALL);
    });
  });
});
