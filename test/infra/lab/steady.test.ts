// What counts as the state the lab should rest in, and each thing that must not be missing from it.
import { describe, expect, test } from '@jest/globals';
import { isSteady, isWorldSteady } from '../../../infra/lab/steady.ts';
import type { World } from '../../../infra/lab/world.ts';
import type { Status } from '../../../shared/api.ts';
import { labStatus, labWorld } from '../../support/lab-world.ts';

/** The status with the region at this place of the ranking bent. */
function withRegion(index: number, change: Partial<Status['vips'][number]['regions'][number]>): Status {
  const status = labStatus();
  const vips = status.vips.map((vip) => ({
    ...vip,
    regions: vip.regions.map((region, i) => (i === index ? { ...region, ...change } : region)),
  }));
  return { ...status, vips };
}
const step = (proof: 'waiting' | 'failed' | 'not checked') => ({ proof, detail: '', atMs: null });
const proofsOf = (index: number) => labStatus().vips[0]?.regions[index]?.proofs ?? fail();
const fail = (): never => {
  throw new Error('the fixture lacks a region');
};

function withSessionDown(): World {
  const world = labWorld();
  const regions = world.regions.map((region) => ({
    ...region,
    routeServers: region.routeServers.map((server) => ({
      ...server,
      sessions: server.sessions.map((session) => ({ ...session, state: 'Idle' })),
    })),
  }));
  return { ...world, regions };
}
const withVip = (change: Partial<World['vips'][number]>): World => {
  const world = labWorld();
  return { ...world, vips: world.vips.map((vip) => ({ ...vip, ...change })) };
};

describe('steady', () => {
  test('is the world as ordered, acknowledged and answered', () => {
    expect(isSteady(labWorld(), labStatus())).toBe(true);
  });
  test('does not ask for proofs that were never begun, nor for users of a backup', () => {
    const proofs = { ...proofsOf(1), observer: step('waiting') };
    expect(isSteady(labWorld(), withRegion(1, { proofs }))).toBe(true);
    const none = step('not checked');
    const unchecked = { agent: none, routeServer: none, circuit: none, observer: none };
    expect(isSteady(labWorld(), withRegion(0, { proofs: unchecked }))).toBe(true);
  });
});

describe('not steady', () => {
  test.each<[string, World, Status | undefined]>([
    ['without a control plane that answers', labWorld(), undefined],
    ['with a session down', withSessionDown(), labStatus()],
    ['while the second region answers', withVip({ answeredBy: 'northeurope' }), labStatus()],
    ['during an outage', withVip({ outageSinceMs: 1 }), labStatus()],
    ['with a proof open', labWorld(), withRegion(0, { proofs: { ...proofsOf(0), routeServer: step('waiting') } })],
    ['with a proof failed', labWorld(), withRegion(0, { proofs: { ...proofsOf(0), observer: step('failed') } })],
    ['when Route Server holds another rung than ordered', labWorld({}, [12, 18]), labStatus()],
    ['when what should be withheld is there', labWorld(), withRegion(1, { state: 'withheld' })],
  ])('%s', (_what, world, status) => {
    expect(isSteady(world, status)).toBe(false);
  });
  test('by the world alone, control plane or not', () => {
    expect(isWorldSteady(labWorld())).toBe(true);
    expect(isWorldSteady(withSessionDown())).toBe(false);
  });
});
