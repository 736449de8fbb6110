// The policy document: paths per scenario are those of the ladder, and its BIRD and FRR parts are read by the real daemons.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { policyDocument } from '../../../infra/cli/policy-document.ts';
import { scenariosOf } from '../../../infra/cli/policy-scenarios.ts';
import { ROUTERS, snippetOf } from '../../../infra/cli/policy-snippets.ts';
import { parseTopology } from '../../../shared/topology.ts';
import type { Topology } from '../../../shared/topology-schema.ts';
import { describeWith } from '../../support/needs.ts';

const parsed = parseTopology(readFileSync('infra/examples/contoso.yaml', 'utf8'));
if (!parsed.ok) throw new Error('the example is not right');
const contoso = parsed.value.topology;
const [orders, billing] = contoso.vips;
if (orders === undefined || billing === undefined) throw new Error('the example has two vips');
/** With communities per role and an active-active vip: every branch of the snippets. */
const rich: Topology = {
  ...contoso,
  vips: [
    { ...orders, communities: { primary: ['65001:100'], backup: ['65001:200'], lastResort: ['65001:300'] }, med: 50 },
    { ...billing, mode: 'active-active' },
  ],
};
const CASES = [
  ['plain', contoso],
  ['communities and ECMP', rich],
] as const;

describe('scenarios', () => {
  const scenarios = scenariosOf(contoso, orders);
  const paths = (index: number) => scenarios[index]?.rows.map((row) => row.announced.length - 1);
  test('steady, reflex, takeover, return, failback and drain have the rungs of the ladder', () => {
    expect(scenarios.map(({ wins }) => wins)).toEqual([
      'westeurope',
      'northeurope',
      'northeurope',
      'northeurope',
      'westeurope',
      'northeurope',
    ]);
    expect([0, 1, 2, 3, 4].map(paths)).toEqual([
      [12, 15],
      [18, 15],
      [18, 9],
      [12, 9],
      [6, 9],
    ]);
    expect(scenarios[5]?.rows[0]?.announced).toEqual([]);
  });
  test('the winner named is the one with the strictly shortest path behind either maker of edge', () => {
    for (const { wins, rows } of scenarios) {
      const lengths = (maker: 'shortest' | 'longest', region: string) => {
        const all = rows.find((row) => row.region === region)?.onPremises.map(({ asPath }) => asPath.length) ?? [];
        return maker === 'shortest' ? Math.min(...all) : Math.max(...all);
      };
      for (const other of rows.filter((row) => row.region !== wins && row.rung !== null))
        expect([wins, lengths('longest', wins) < lengths('shortest', other.region)]).toEqual([wins, true]);
    }
  });
  test('tags follow the standing', () => {
    const [vip] = rich.vips;
    if (vip === undefined) throw new Error('fixture');
    expect(scenariosOf(rich, vip)[1]?.rows.map(({ communities, med }) => [communities, med])).toEqual([
      [['65001:300'], 50],
      [['65001:200'], 50],
    ]);
  });
  test('over a VPN one path is seen, unchanged', () => {
    const vpn: Topology = { ...contoso, transport: { kind: 'vpn' } };
    expect(scenariosOf(vpn, orders)[0]?.rows[0]?.onPremises).toEqual([
      { edge: 'VPN gateway', asPath: [65515, 65001, ...new Array<number>(12).fill(64500)] },
    ]);
  });
});

test('the document has every vip, every router and no empty table', () => {
  for (const [, topology] of CASES) {
    const text = policyDocument(topology, 65500);
    for (const vip of topology.vips) expect(text).toContain(`## ${vip.name} ${vip.prefix}`);
    for (const router of ROUTERS) expect(text).toContain(snippetOf(router, topology, 65500).trimEnd());
    expect(text).not.toMatch(/undefined|\[object|\n\|(?: --- \|)+\n\n/);
  }
});

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};
const SYSTEM = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/usr/lib/frr` };

describeWith({ programs: ['bird'] }, 'BIRD', () => {
  test.each(CASES)('reads the %s configuration', (name, topology) => {
    const file = fileOf(`${name}.conf`, snippetOf('bird', topology, 65500));
    execFileSync('bird', ['-p', '-c', file], { env: SYSTEM, stdio: 'pipe' });
    const broken = fileOf('broken.conf', `${snippetOf('bird', topology, 65500)}\nfilter {`);
    expect(() => execFileSync('bird', ['-p', '-c', broken], { env: SYSTEM, stdio: 'pipe' })).toThrow();
  });
});

const BGPD = '/usr/lib/frr/bgpd';
describeWith({ programs: ['vtysh', BGPD] }, 'FRR', () => {
  test.each(CASES)('reads the %s configuration', (name, topology) => {
    const file = fileOf(`${name}-frr.conf`, snippetOf('frr', topology, 65500));
    execFileSync('vtysh', ['-C', '-f', file], { env: SYSTEM, stdio: 'pipe' });
    const broken = fileOf('broken-frr.conf', `${snippetOf('frr', topology, 65500)}\nno such line\n`);
    expect(() => execFileSync('vtysh', ['-C', '-f', broken], { env: SYSTEM, stdio: 'pipe' })).toThrow();
    // bgpd itself ends well whatever it reads; what it could not use it says.
    const args = ['--dryrun', '-S', '-i', join(folder, 'pid'), '--vty_socket', folder, '-z', join(folder, 'z')];
    const told = (one: string) => spawnSync(BGPD, [...args, '-f', one], { env: SYSTEM, encoding: 'utf8' }).stderr;
    expect(told(file)).not.toContain('No such command');
    expect(told(broken)).toContain('No such command');
  });
});
