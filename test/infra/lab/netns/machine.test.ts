// What the lab reads from the machine: leftovers, missing programs, BIRD's tables, the kernel's route changes, options.
import { describe, expect, test } from '@jest/globals';
import { isEstablished, parseBirdRoutes } from '../../../../infra/lab/netns/bird-routes.ts';
import { findLeftovers, runPrefix } from '../../../../infra/lab/netns/leftovers.ts';
import { parseLabOptions, usage } from '../../../../infra/lab/netns/options.ts';
import { findMissing } from '../../../../infra/lab/netns/requirements.ts';
import { parseRouteChange } from '../../../../infra/lab/netns/route-watch.ts';
import { SCENARIO_NAMES } from '../../../../infra/lab/netns/scenarios.ts';

describe('leftovers', () => {
  const isAlive = (pid: number) => pid === 100;
  test('are what dead runs of this lab left, nothing of living runs, nothing of others', () => {
    const names = ['afo100-client', 'afo200-client', 'afo200', 'afo200-we-nva', 'cni-1', 'afo', 'afox-1', 'myafo200-x'];
    expect(findLeftovers(names, isAlive)).toEqual(['afo200-client', 'afo200', 'afo200-we-nva']);
  });
  test('a run recognises its own names', () => {
    expect(findLeftovers([`${runPrefix(7)}-client`], () => false)).toEqual(['afo7-client']);
  });
});

describe('requirements', () => {
  const machine = { platform: 'linux', uid: 0, has: () => true };
  test('nothing is missing on a machine that has all', () => {
    expect(findMissing(machine)).toEqual([]);
  });
  test('name the Debian packages to install, each once', () => {
    const [line] = findMissing({ ...machine, has: (program) => !['bird', 'birdc', 'haproxy'].includes(program) });
    expect(line).toBe('not installed: bird, birdc, haproxy; on Debian: apt-get install bird2 haproxy');
  });
  test('root is asked for beside what is not installed', () => {
    expect(findMissing({ ...machine, uid: 1000, has: () => false })).toHaveLength(2);
  });
  test('other systems are told so first', () => {
    expect(findMissing({ ...machine, platform: 'darwin', has: () => false })).toEqual([
      'network namespaces are a feature of Linux, this is darwin',
    ]);
  });
});

const TABLE = `BIRD 2.0.12 ready.
Table master4:
192.0.2.10/32        unicast [circuit_we 2026-11-22 00:51:44.100] * (100) [AS64500i]
	via 10.1.1.4 on we
	Type: BGP univ
	BGP.origin: IGP
	BGP.as_path: 12076 64500 64500
	BGP.next_hop: 10.1.1.4
	BGP.local_pref: 100
                     unicast [circuit_ne 2026-11-22 00:51:44.200] (100) [AS64500i]
	via 10.2.1.4 on ne
	Type: BGP univ
	BGP.as_path: 12076 64500 64500 64500
	BGP.next_hop: 10.2.1.4
198.51.100.0/24      blackhole [static1 2026-11-22 00:51:44.200] * (200)
`;

describe('BIRD’s table', () => {
  test('is read with best route, next hop and path', () => {
    expect(parseBirdRoutes(TABLE)).toEqual([
      {
        prefix: '192.0.2.10/32',
        nextHop: '10.1.1.4',
        protocol: 'circuit_we',
        isBest: true,
        asPath: [12076, 64500, 64500],
      },
      {
        prefix: '192.0.2.10/32',
        nextHop: '10.2.1.4',
        protocol: 'circuit_ne',
        isBest: false,
        asPath: [12076, 64500, 64500, 64500],
      },
    ]);
  });
  test('of nobody is empty', () => {
    expect(parseBirdRoutes('BIRD 2.0.12 ready.\nNetwork not found\n')).toEqual([]);
  });
  test('says which session is established', () => {
    const text = [
      'Name       Proto      Table      State  Since         Info',
      'nva_we     BGP        ---        up     00:51:44.100  Established   ',
      'nva_we_2   BGP        ---        start  00:51:44.100  Active        Socket: Connection refused',
    ].join('\n');
    expect(isEstablished(text, 'nva_we')).toBe(true);
    expect(isEstablished(text, 'nva_we_2')).toBe(false);
    expect(isEstablished(text, 'nva')).toBe(false);
  });
});

describe('the kernel’s route changes', () => {
  const at = 12;
  test('a replacement names the new next hop', () => {
    expect(parseRouteChange('192.0.2.10 via 10.2.1.4 dev ne proto bird metric 32 ', '192.0.2.10', at)).toEqual({
      atMs: 12,
      nextHop: '10.2.1.4',
    });
  });
  test('a deletion leaves none', () => {
    const line = 'Deleted 192.0.2.10 via 10.1.1.4 dev we proto bird metric 32 ';
    expect(parseRouteChange(line, '192.0.2.10', at)).toEqual({ atMs: 12, nextHop: null });
  });
  test('other destinations are nobody’s business', () => {
    expect(parseRouteChange('10.1.0.0/16 dev we proto kernel scope link', '192.0.2.10', at)).toBeUndefined();
    expect(parseRouteChange('192.0.2.11 via 10.1.1.4 dev we', '192.0.2.10', at)).toBeUndefined();
  });
});

describe('options', () => {
  test('without a scenario the lab is shown', () => {
    expect(parseLabOptions([])).toMatchObject({ ok: true, value: { runs: 1, json: false } });
  });
  test.each(SCENARIO_NAMES.map((name) => [name]))('%s is a scenario and described', (name) => {
    expect(parseLabOptions(['--scenario', name, '--runs', '20', '--json'])).toMatchObject({
      ok: true,
      value: { scenario: name, runs: 20, json: true },
    });
    expect(usage()).toContain(name);
  });
  test('every problem is listed', () => {
    const parsed = parseLabOptions(['--scenario', 'app-craash', '--runs', '0']);
    expect(parsed.ok ? [] : parsed.error.map((finding) => finding.code)).toEqual(['unknown-scenario', 'bad-number']);
  });
  test('runs without a scenario are a mistake', () => {
    expect(parseLabOptions(['--runs', '3'])).toMatchObject({ ok: false, error: [{ code: 'missing' }] });
  });
  test('an unknown option is a mistake', () => {
    expect(parseLabOptions(['--scenaro', 'x'])).toMatchObject({ ok: false, error: [{ code: 'bad-option' }] });
  });
  test('second chances belong to planned moves', () => {
    expect(parseLabOptions(['--scenario', 'drain', '--second-chance'])).toMatchObject({
      ok: true,
      value: { secondChance: true },
    });
    expect(parseLabOptions(['--scenario', 'app-crash', '--second-chance'])).toMatchObject({
      ok: false,
      error: [{ code: 'not-planned' }],
    });
  });
});
