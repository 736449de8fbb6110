// Whom orders name as the owner of living connections: after planned moves only, and only where a second chance is on.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { compileOrders } from '../../../functions/engine/orders.ts';
import type { EngineConfig, Policy, Snapshot } from '../../../functions/engine/types.ts';
import { orderSchema } from '../../../shared/order.ts';
import { allWell, deployment, intentOf, nvaName, START_MS, saying } from '../../support/engine-world.ts';

const nowMs = START_MS;
const dataPlane = { mode: 'reverse-proxy', ports: [{ listen: 80, to: 8080 }], secondChance: { enabled: true } };
const chance = deployment({ vips: [{ dataPlane }] });

const rest = (config: EngineConfig) => firstPolicy(config, nowMs - 3_600_000);
const decided = (config: EngineConfig, policy: Policy, change: (snapshot: Snapshot) => Snapshot = (same) => same) =>
  decide(change(allWell(policy, config, nowMs)), policy, config, nowMs).policy;

/** Owners by NVA: `[previousOwner, nextOwner]`. */
function ownersOf(config: EngineConfig, policy: Policy) {
  const orders = compileOrders(policy, config, { epoch: 1, generation: 2 }, nowMs);
  return Object.fromEntries(
    Object.entries(orders).map(([nva, order]) => {
      expect(orderSchema.parse(order)).toEqual(order);
      return [nva, [order.vips[0]?.previousOwner, order.vips[0]?.nextOwner]];
    }),
  );
}
const moved = (config: EngineConfig, region: string) =>
  decided(config, { ...rest(config), intents: [intentOf({ region })] });

describe('with a second chance', () => {
  test('nothing moved, nobody is named', () => {
    expect(ownersOf(chance, rest(chance))).toEqual({
      'a-nva-1': [undefined, undefined],
      'b-nva-1': [undefined, undefined],
    });
  });

  test('a planned move names the previous owner to the new one, and the new one to the previous', () => {
    expect(ownersOf(chance, moved(chance, 'b'))).toEqual({
      'a-nva-1': [undefined, 'b-nva-1'],
      'b-nva-1': ['a-nva-1', undefined],
    });
  });

  test('a drain of the acting region is such a move', () => {
    const intents = [intentOf({ type: 'drain', region: 'a' })];
    const policy = decided(chance, { ...rest(chance), intents });
    expect([policy.vips.orders?.acting, policy.vips.orders?.regions.a?.role]).toEqual(['b', 'drained']);
    expect(ownersOf(chance, policy)).toMatchObject({
      'a-nva-1': [undefined, 'b-nva-1'],
      'b-nva-1': ['a-nva-1', undefined],
    });
  });

  test('a takeover names nobody, and forgets whom the move before named', () => {
    const policy = moved(chance, 'b');
    const fallen = decided(chance, policy, (snapshot) => saying(snapshot, 'b-nva-1', 'unhealthy', nowMs - 1000));
    expect(fallen.vips.orders?.acting).toBe('a');
    expect(ownersOf(chance, fallen)).toEqual({
      'a-nva-1': [undefined, undefined],
      'b-nva-1': [undefined, undefined],
    });
  });

  test('with three regions the one that acted before is named, not the third', () => {
    const config = deployment({ regions: ['a', 'b', 'c'], vips: [{ dataPlane }] });
    expect(ownersOf(config, moved(config, 'c'))).toEqual({
      'a-nva-1': [undefined, 'c-nva-1'],
      'b-nva-1': [undefined, undefined],
      'c-nva-1': ['a-nva-1', undefined],
    });
  });

  test('of several NVAs in a region the active one is named', () => {
    const config = deployment({ nvasPerRegion: 2, vips: [{ nvas: 'one', dataPlane }] });
    const policy = rest(config);
    const vip = policy.vips.orders;
    const row = vip?.regions.a;
    if (vip === undefined || row === undefined) throw new Error('no row');
    const active = { ...vip, regions: { ...vip.regions, a: { ...row, active: nvaName('a', 2) } } };
    const intents = [intentOf({ region: 'b' })];
    const next = decided(config, { ...policy, vips: { orders: active }, intents });
    expect(ownersOf(config, next)['b-nva-1']).toEqual(['a-nva-2', undefined]);
  });

  test('two active-active members name each other at all times; with three there is nobody to name', () => {
    const pair = deployment({ vips: [{ mode: 'active-active', dataPlane }] });
    expect(ownersOf(pair, rest(pair))['a-nva-1']).toEqual(['b-nva-1', 'b-nva-1']);
    const three = deployment({ regions: ['a', 'b', 'c'], vips: [{ mode: 'active-active', dataPlane }] });
    expect(ownersOf(three, rest(three))['a-nva-1']).toEqual([undefined, undefined]);
  });
});

test('without a second chance orders and policy are as they always were', () => {
  const policy = moved(deployment(), 'b');
  expect(policy.vips.orders).not.toHaveProperty('previous');
  expect(ownersOf(deployment(), policy)['b-nva-1']).toEqual([undefined, undefined]);
});
