// What doctor finds wrong with an NVA's network, each with its fix.
import { expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { AgentConfig } from '../../nva-agent/control/config.ts';
import { checkHost, type HostFacts, parseRoutes } from '../../nva-agent/host-doctor.ts';
import { parseTopology } from '../../shared/topology.ts';
import { contoso, type Draft } from '../support/topology.ts';

const HEADER = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const row = (name: string, to: string, gateway: string, mask: string, flags = '0003') =>
  `${name}\t${to}\t${gateway}\t${flags}\t0\t0\t0\t${mask}\t0\t0\t0   `;
const DEFAULT = row('eth0', '00000000', '0101010A', '00000000');
const OWN_SUBNET = row('eth0', '0001010A', '00000000', '00FFFFFF', '0001');
const ROUTE_SERVER = row('eth0', '0000010A', '0101010A', 'C0FFFFFF');
const routesOf = (...rows: readonly string[]) => parseRoutes([HEADER, ...rows, ''].join('\n'));

const fit: HostFacts = {
  addresses: [
    { interface: 'lo', address: '127.0.0.1' },
    { interface: 'eth0', address: '10.1.1.4' },
  ],
  routes: routesOf(DEFAULT, OWN_SUBNET),
};

function configWith(bend: (draft: Draft) => void = () => {}, driver = 'native'): AgentConfig {
  const draft = contoso();
  bend(draft);
  const parsed = parseTopology(stringify(draft));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return { nva: 'we-nva-1', driver: { type: driver }, loadedTopology: parsed.value.topology } as AgentConfig;
}
const wrong = (facts: Partial<HostFacts>, config = configWith()) =>
  checkHost(config, { ...fit, ...facts }).filter(({ outcome }) => outcome !== 'ok');

test('routes are read as proc(5) writes them; those that are down or reject are none', () => {
  expect(routesOf(DEFAULT, ROUTE_SERVER)).toEqual([
    { interface: 'eth0', to: { first: 0, length: 0 }, gateway: '10.1.1.1' },
    { interface: 'eth0', to: { first: 0x0a010000, length: 26 }, gateway: '10.1.1.1' },
  ]);
  expect(routesOf(row('eth0', '00000000', '0101010A', '00000000', '0002'))).toEqual([]);
  expect(routesOf(row('*', '0000010A', '00000000', '00FFFFFF', '0201'))).toEqual([]);
  expect(parseRoutes('nonsense\n\n')).toEqual([]);
});

test('a fit machine has nothing to say against it, and something was looked at', () => {
  expect(wrong({})).toEqual([]);
  expect(checkHost(configWith(), fit).map(({ check }) => check)).toEqual([
    'address 10.1.1.4',
    'way to 10.1.0.4',
    'way to 10.1.0.5',
    'default route',
  ]);
});

test('the address on no running interface: failed, with those there are', () => {
  const addresses = [
    { interface: 'lo', address: '127.0.0.1' },
    { interface: 'eth0', address: '10.1.1.5' },
  ];
  expect(wrong({ addresses })).toEqual([
    {
      check: 'address 10.1.1.4',
      outcome: 'failed',
      message: 'no running interface has it; this machine has 10.1.1.5 (eth0)',
      fix: expect.stringContaining('correct the address of we-nva-1'),
    },
  ]);
});

test('no way to Route Server: failed, with the route to add by the gateway Azure gives a subnet', () => {
  expect(wrong({ routes: routesOf(OWN_SUBNET) })).toEqual([
    ...['10.1.0.4', '10.1.0.5'].map((peer) => ({
      check: `way to ${peer}`,
      outcome: 'failed',
      message: 'no route of the main table leads there',
      fix: 'ip route add 10.1.0.0/26 via 10.1.1.1 dev eth0',
    })),
    expect.objectContaining({ check: 'default route', outcome: 'warning', fix: expect.any(String) }),
  ]);
});

test('a way by another interface than that of the address: a warning', () => {
  const other = row('eth1', '0000010A', '01050A0A', 'C0FFFFFF');
  expect(wrong({ routes: routesOf(DEFAULT, other) })).toMatchObject([
    {
      outcome: 'warning',
      message: "leaves by eth1, but the NVA's address is on eth0",
      fix: expect.stringMatching(/^ip route add 10\.1\.0\.0\/26 via 10\.1\.1\.1 dev eth0;/),
    },
    { outcome: 'warning' },
  ]);
});

test('only a default route: nothing to our own speaker, a warning where a daemon installs what it learns', () => {
  for (const driver of ['bird', 'frr']) {
    expect(wrong({}, configWith(undefined, driver))).toHaveLength(2);
    expect(wrong({ routes: routesOf(DEFAULT, ROUTE_SERVER) }, configWith(undefined, driver))).toEqual([]);
  }
});

test('a table that cannot be read is not checked, which is no failure', () => {
  expect(wrong({ routes: undefined })).toMatchObject([{ check: 'routes', outcome: 'not checked' }]);
});

test('nothing is said where peers or the NVA are on loopback', () => {
  const bare: HostFacts = { addresses: [], routes: [] };
  const loopbackPeers = configWith((draft) => {
    draft.regions[0].routeServer.peers = ['127.0.0.1:1790', '127.0.0.1:1791'];
  });
  const loopbackNva = configWith((draft) => {
    draft.regions[0].nvas[0].address = '127.0.10.4';
  });
  expect(checkHost(loopbackPeers, bare)).toEqual([]);
  expect(checkHost(loopbackNva, bare)).toEqual([]);
  expect(checkHost(configWith(), bare)).toHaveLength(4);
});

test('this machine itself can be asked', () => {
  expect(checkHost(configWith()).map(({ check }) => check)).toContain('address 10.1.1.4');
});
