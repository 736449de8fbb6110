// What the drivers write to and read from daemons: values in, texts out, without any daemon.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Route } from '../../../nva-agent/bgp/messages.ts';
import { readRoutes, readSessions, takeReply } from '../../../nva-agent/drivers/bird-answers.ts';
import { renderBirdConfig } from '../../../nva-agent/drivers/bird-config.ts';
import { backoffMs, differences } from '../../../nva-agent/drivers/comparison.ts';
import { checkedRoute, plainPath, plainText } from '../../../nva-agent/drivers/daemon-text.ts';
import { readPeer, splitDocuments } from '../../../nva-agent/drivers/frr-answers.ts';
import { planChange, readHoldings } from '../../../nva-agent/drivers/frr-commands.ts';
import type { DaemonPeer } from '../../../nva-agent/drivers/route-daemon.ts';

const route = (prepends: number, more: Partial<Route> = {}): Route => ({
  prefix: '192.0.2.10/32',
  asPath: [65001, ...Array<number>(prepends).fill(64500)],
  nextHop: '10.1.1.4',
  ...more,
});
const NOTHING = { networks: [], maps: [] };

describe('the filter before a daemon', () => {
  test('lets no control character and nothing beyond ASCII through', () => {
    for (const text of ['a\nb', 'a\rb', 'a\0b', 'a\u001b[2J', 'a\u007f', 'ä']) {
      expect(() => plainText(text)).toThrow(RangeError);
    }
    expect(plainText('show route export rs1 where proto = "anycast_agent" all')).toContain('rs1');
  });
  test.each(['/run/a"b.conf', '/run/a\nb', '/run/{a}', '/run/a;b', '/run/a\\b'])('quotes no path like %j', (path) => {
    expect(() => plainPath(path)).toThrow(RangeError);
  });
  test.each<[string, Partial<Route>]>([
    ['prefix', { prefix: '192.0.2.10/32; disable all' }],
    ['ASN', { asPath: [65001, Number.NaN] }],
    ['MED', { med: 1.5 }],
    ['community', { communities: ['65001:1 no-export'] }],
  ])('takes a %s only for what it claims to be', (_what, bad) => {
    expect(() => checkedRoute(route(1, bad))).toThrow(RangeError);
    expect(() => renderBirdConfig([route(1, bad)], 'master4')).toThrow(RangeError);
    expect(() => planChange(65001, [route(1, bad)], NOTHING)).toThrow(RangeError);
  });
});

describe('BIRD', () => {
  test('gets one static route with its attributes, and for no routes a file that defines nothing', () => {
    expect(renderBirdConfig([route(2, { med: 7, communities: ['65001:1'] })], 'master4')).toBe(
      `# Written by anycast-agent, replaced at every change.
protocol static anycast_agent {
  ipv4 { table master4; import all; };
  route 192.0.2.10/32 blackhole { bgp_path.prepend(64500); bgp_path.prepend(64500); bgp_community.add((65001,1)); bgp_med = 7; };
}
`,
    );
    expect(renderBirdConfig([], 'master4')).not.toContain('protocol');
    expect(renderBirdConfig([route(0)], 'master4')).toContain('route 192.0.2.10/32 blackhole;');
  });
  test('is understood when its answer comes byte by byte', () => {
    const answer = '0001 BIRD 2.0.12 ready.\n1006-  BGP state:  Established\n    more\n0000 \n0020 Configuration OK\n';
    const codes: number[] = [];
    let text = '';
    for (const octet of answer) {
      text += octet;
      const taken = takeReply(text);
      if (taken === undefined) continue;
      codes.push(taken.reply.code);
      text = taken.rest;
    }
    expect(codes).toEqual([1, 0, 20]);
    expect(text).toBe('');
  });
  test('tells sessions and routes', () => {
    const lines = [
      'Name       Proto      Table      State  Since         Info',
      'rs1        BGP        ---        up     03:49:52.694  Established   ',
      '  BGP state:          Established',
      '    Neighbor address: 10.1.0.4',
      '    Hold timer:       190.867/240',
      '    Routes:         0 imported, 3 exported, 0 preferred',
      'static1    Static     master4    up     03:49:48.187  ',
    ];
    expect(readSessions(lines)).toEqual([
      { protocol: 'rs1', address: '10.1.0.4', port: 179, state: 'Established', holdSeconds: 240, exported: 3 },
    ]);
    expect(
      readRoutes([
        'Table master4:',
        '192.0.2.10/32        blackhole [anycast_agent 03:49:48.187] * (200)',
        '\tBGP.as_path: 64500 64500',
        '\tBGP.community: (65001,1) (65001,2)',
      ]),
    ).toEqual([{ prefix: '192.0.2.10/32', asPath: [64500, 64500], communities: ['65001:1', '65001:2'], med: null }]);
  });
});

describe('FRR', () => {
  test('gets a complete route-map before the one command that uses it, and loses the old one after', () => {
    const first = planChange(65001, [route(2, { med: 7, communities: ['65001:1'] })], NOTHING);
    expect(first.commands).toEqual([
      'configure terminal',
      'bgp route-map delay-timer 0',
      'no route-map anycast-agent-192.0.2.10-32-a',
      'route-map anycast-agent-192.0.2.10-32-a permit 10',
      'set as-path prepend 64500 64500',
      'set community 65001:1',
      'set metric 7',
      'exit',
      'router bgp 65001',
      'address-family ipv4 unicast',
      'network 192.0.2.10/32 route-map anycast-agent-192.0.2.10-32-a',
      'exit',
      'exit',
    ]);
    const second = planChange(65001, [route(5)], first.after);
    expect(second.commands).toContain('network 192.0.2.10/32 route-map anycast-agent-192.0.2.10-32-b');
    expect(second.commands.at(-1)).toBe('no route-map anycast-agent-192.0.2.10-32-a');
    expect(planChange(65001, [route(5)], second.after).commands).toEqual([]);
    expect(planChange(65001, [], second.after).commands).toContain('no network 192.0.2.10/32');
  });
  test('holds what the plan says it holds, whatever the sequence of desired sets', () => {
    const set = fc.uniqueArray(fc.record({ host: fc.integer({ min: 1, max: 4 }), prepends: fc.nat(3) }), {
      selector: ({ host }) => host,
    });
    fc.assert(
      fc.property(fc.array(set, { maxLength: 6 }), (sets) => {
        let held: ReturnType<typeof planChange>['after'] = NOTHING;
        const networks = new Map<string, string>();
        const maps = new Set<string>();
        for (const desired of sets) {
          const routes = desired.map(({ host, prepends }) => route(prepends, { prefix: `192.0.2.${host}/32` }));
          const { commands, after } = planChange(65001, routes, held);
          for (const command of commands) runInFrr(command, networks, maps);
          held = after;
          expect([...networks.keys()].sort()).toEqual(routes.map(({ prefix }) => prefix).sort());
          // Every network has a map, and none is left over.
          expect([...new Set(networks.values())].sort()).toEqual([...maps].sort());
        }
      }),
      { numRuns: 200 },
    );
  });
  test('is read from its running configuration after a restart of the agent', () => {
    const held = readHoldings(`router bgp 65001
 address-family ipv4 unicast
  network 192.0.2.10/32 route-map anycast-agent-192.0.2.10-32-b
  network 203.0.113.0/24
 exit-address-family
exit
route-map anycast-agent-192.0.2.10-32-b permit 10
 set as-path prepend 64500
exit
route-map other permit 10
exit
`);
    expect(held).toEqual({
      networks: [{ prefix: '192.0.2.10/32', map: 'anycast-agent-192.0.2.10-32-b' }],
      maps: ['anycast-agent-192.0.2.10-32-b'],
    });
    expect(planChange(65001, [], held).commands).not.toContain('no network 203.0.113.0/24');
  });
  test('tells a peer and only our routes', () => {
    const documents = splitDocuments(`{
  "10.1.0.4":{"bgpState":"Established","bgpTimerHoldTimeMsecs":30000,"portForeign":179}
}
{
  "advertisedRoutes":{
    "192.0.2.10/32":{"path":"64500","metric":0},
    "203.0.113.0/24":{"path":""}
  }
}
`);
    const isOurs = (prefix: string) => prefix.startsWith('192.0.2.');
    expect(readPeer('10.1.0.4', documents[0], documents[1], isOurs)).toEqual({
      address: '10.1.0.4',
      port: 179,
      state: 'Established',
      holdSeconds: 30,
      routes: [{ prefix: '192.0.2.10/32', asPath: [64500], med: null }],
    });
    expect(readPeer('10.1.0.9', { warning: 'No such neighbor' }, {}, isOurs)).toBeUndefined();
  });
});

function runInFrr(command: string, networks: Map<string, string>, maps: Set<string>): void {
  const words = command.split(' ');
  if (command.startsWith('no route-map ')) maps.delete(words[2] ?? '');
  else if (command.startsWith('route-map ')) maps.add(words[1] ?? '');
  else if (command.startsWith('no network ')) networks.delete(words[2] ?? '');
  else if (command.startsWith('network ')) networks.set(words[1] ?? '', words[3] ?? '');
}

describe('the comparison', () => {
  const peer = (routes: DaemonPeer['routes']): DaemonPeer => ({
    address: '10.1.0.4',
    port: 179,
    state: 'Established',
    holdSeconds: 30,
    routes,
  });
  test('names what is missing, what differs and what is left', () => {
    const wanted = [route(2), route(1, { prefix: '192.0.2.11/32' })];
    const found = peer([
      { prefix: '192.0.2.10/32', asPath: [64500], med: null },
      { prefix: '192.0.2.12/32', asPath: [], med: null },
    ]);
    expect(differences(wanted, found)).toEqual([
      '192.0.2.10/32 is sent to 10.1.0.4 with other attributes',
      '192.0.2.11/32 is not sent to 10.1.0.4',
      '192.0.2.12/32 is still sent to 10.1.0.4',
    ]);
  });
  test('takes communities in any order, a missing MED for 0, and untold communities for nothing said', () => {
    const wanted = [route(1, { communities: ['65001:2', '65001:1'] })];
    const same = { prefix: '192.0.2.10/32', asPath: [64500], med: 0 };
    expect(differences(wanted, peer([{ ...same, communities: ['65001:1', '65001:2'] }]))).toEqual([]);
    expect(differences(wanted, peer([same]))).toEqual([]);
    expect(differences(wanted, peer([{ ...same, communities: ['65001:1'] }]))).toHaveLength(1);
  });
  test('the pause grows and stays bounded', () => {
    expect([1, 2, 3, 6, 7, 100].map(backoffMs)).toEqual([100, 200, 400, 3200, 5000, 5000]);
  });
});
