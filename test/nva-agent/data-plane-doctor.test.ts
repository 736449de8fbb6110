// What doctor finds wrong with a machine that shall carry traffic, each with its fix.
import { expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { AgentConfig } from '../../nva-agent/control/config.ts';
import { checkDataPlane, type DataPlaneMachine } from '../../nva-agent/data-plane-doctor.ts';
import { parseTopology } from '../../shared/topology.ts';
import { refusal } from '../support/data-plane.ts';
import { contoso, type Draft } from '../support/topology.ts';

const ADMIN = 1n << 12n;
const BIND = 1n << 10n;
const fit: DataPlaneMachine = {
  has: () => true,
  capabilities: () => ADMIN | BIND,
  execute: async () => 'cap_net_bind_service cap_net_admin\n',
};

function configWith(bend: (draft: Draft) => void = () => {}): AgentConfig {
  const draft = contoso();
  draft.vips = [draft.vips[0]];
  for (const region of draft.regions) region.apps = { orders: region.apps.orders };
  bend(draft);
  const parsed = parseTopology(stringify(draft));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return { nva: 'we-nva-1', loadedTopology: parsed.value.topology } as AgentConfig;
}
const wrong = async (machine: Partial<DataPlaneMachine>, bend?: (draft: Draft) => void) =>
  (await checkDataPlane(configWith(bend), { ...fit, ...machine })).filter(({ outcome }) => outcome !== 'ok');

test('a fit machine has nothing to say against it', async () => expect(await wrong({})).toEqual([]));

test('nothing is asked where somebody else carries the vips', async () => {
  const none = (draft: Draft) => {
    draft.vips[0].dataPlane = { mode: 'none' };
  };
  expect(await checkDataPlane(configWith(none), { ...fit, has: () => false })).toEqual([]);
});

test.each([
  ['haproxy', 'haproxy', undefined],
  ['nft', 'nftables', undefined],
  ['conntrack', 'conntrack', 'snat'],
] as const)('%s missing: install %s', async (program, debianPackage, mode) => {
  const bend = (draft: Draft) => {
    if (mode !== undefined) draft.vips[0].dataPlane.mode = mode;
  };
  expect(await wrong({ has: (name) => name !== program }, bend)).toMatchObject([
    { outcome: 'failed', message: expect.stringContaining(program), fix: `apt-get install ${debianPackage}` },
  ]);
});

test('a second chance needs bridge as well', async () => {
  const bend = (draft: Draft) => {
    draft.vips[0].dataPlane.secondChance = { enabled: true };
  };
  expect(await wrong({ has: (name) => name !== 'bridge' }, bend)).toHaveLength(1);
  expect(await wrong({ has: (name) => name !== 'bridge' })).toEqual([]);
});

test.each([
  [0n, 'CAP_NET_ADMIN and CAP_NET_BIND_SERVICE'],
  [BIND, 'CAP_NET_ADMIN'],
  [ADMIN, 'CAP_NET_BIND_SERVICE'],
])('capabilities %s: %s missing, and the drop-in that grants them', async (held, names) => {
  expect(await wrong({ capabilities: () => held })).toMatchObject([
    {
      outcome: 'failed',
      message: expect.stringContaining(`${names} missing`),
      fix: expect.stringContaining('data-plane.conf'),
    },
  ]);
});

test('a unit without the drop-in is found also by root', async () => {
  expect(await wrong({ execute: async () => '\n' })).toMatchObject([
    { check: 'data plane of the service', outcome: 'failed' },
  ]);
});

test('without systemd the unit is not checked, and that is said', async () => {
  const execute = async () => {
    throw refusal();
  };
  expect(await wrong({ execute })).toMatchObject([{ outcome: 'not checked' }]);
});
