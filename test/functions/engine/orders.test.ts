// Orders as NVAs carry them out: prepends, last resort, standbys, survivors, roles and force.
import { describe, expect, test } from '@jest/globals';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { compileOrders } from '../../../functions/engine/orders.ts';
import type { EngineConfig, RegionPolicy } from '../../../functions/engine/types.ts';
import { orderSchema } from '../../../shared/order.ts';
import { deployment, nvaName, START_MS } from '../../support/engine-world.ts';

const sequence = { epoch: 3, generation: 9 };

function ordersOf(config: EngineConfig, change: Partial<RegionPolicy> = {}) {
  const policy = firstPolicy(config, 0);
  const vip = policy.vips.orders;
  const row = vip?.regions.a;
  if (vip === undefined || row === undefined) throw new Error('no row');
  const regions = { ...vip.regions, a: { ...row, ...change } };
  return compileOrders(
    { ...policy, vips: { ...policy.vips, orders: { ...vip, regions } } },
    config,
    sequence,
    START_MS,
  );
}
const rowOf = (config: EngineConfig, change: Partial<RegionPolicy> = {}, nva = nvaName('a')) =>
  ordersOf(config, change)[nva]?.vips[0];

test('one order per NVA, valid by the schema, for a minute, whole group', () => {
  const orders = ordersOf(deployment({ nvasPerRegion: 2, vips: [{}, {}, {}] }));
  expect(Object.keys(orders).sort()).toEqual(['a-nva-1', 'a-nva-2', 'b-nva-1', 'b-nva-2']);
  for (const [nva, order] of Object.entries(orders)) {
    expect(orderSchema.parse(order)).toEqual(order);
    expect(order).toMatchObject({ to: nva, ...sequence, issuedAtMs: START_MS, notAfterMs: START_MS + 60_000 });
    expect(order.vips.map((vip) => vip.vip)).toEqual(['orders', 'vip-1', 'vip-2']);
  }
});

test('the worked example of the ladder: 12 and 15 prepends, last resort 18', () => {
  expect(rowOf(deployment())).toMatchObject({
    rung: 4,
    prepend: 12,
    prependAsn: 64500,
    lastResortPrepend: 18,
    state: 'announced',
  });
  expect(rowOf(deployment(), {}, nvaName('b'))).toMatchObject({ rung: 5, prepend: 15 });
});

test('withheld stays withheld', () => expect(rowOf(deployment(), { state: 'withheld' })?.state).toBe('withheld'));

describe('several NVAs', () => {
  const one = deployment({ nvasPerRegion: 2, vips: [{ nvas: 'one' }] });
  const prepends = (config: EngineConfig, change: Partial<RegionPolicy>) =>
    [1, 2].map((n) => rowOf(config, change, nvaName('a', n))?.prepend);

  test('nvas: one, the standby sits one prepend above, also on last resort', () => {
    expect(prepends(one, {})).toEqual([20, 21]);
    expect(prepends(one, { active: nvaName('a', 2) })).toEqual([21, 20]);
    expect(rowOf(one, {}, nvaName('a', 2))?.lastResortPrepend).toBe(31);
  });

  test('survivors announce less, never below none', () => {
    const survivors = { nvas: [nvaName('a', 2)], minus: 1 };
    expect(prepends(deployment({ nvasPerRegion: 2 }), { survivors })).toEqual([20, 19]);
    expect(prepends(deployment({ nvasPerRegion: 2 }), { survivors, rung: 0 })).toEqual([0, 0]);
  });
});

describe('by role', () => {
  const config = deployment({
    vips: [
      {
        communities: { primary: ['65001:1'], lastResort: ['65001:9'] },
        med: { primary: 10, backup: 20 },
      },
    ],
  });

  test.each([
    ['primary', { role: 'primary', rung: 4 }, ['65001:1'], 10],
    ['backup', { role: 'backup', rung: 4 }, [], 20],
    ['last resort', { role: 'drained', rung: 6 }, ['65001:9'], null],
  ] as const)('%s', (_, change, communities, med) => {
    expect(rowOf(config, change)).toMatchObject({ communities, med });
  });

  test('plain values go with every rung, none is null', () => {
    const plain = deployment({ vips: [{ communities: ['65001:5'], med: 7 }] });
    expect(rowOf(plain)).toMatchObject({ communities: ['65001:5'], med: 7 });
    expect(rowOf(deployment())).toMatchObject({ communities: [], med: null });
  });
});

test('local failure: as configured, ignored while forced, last resort while drained', () => {
  const config = deployment({ vips: [{ onLocalFailure: 'withdraw' }] });
  expect(rowOf(config)?.onLocalFailure).toBe('withdraw');
  expect(rowOf(config, { ignoreUntilMs: START_MS + 1 })?.onLocalFailure).toBe('ignore');
  expect(rowOf(config, { ignoreUntilMs: START_MS })?.onLocalFailure).toBe('withdraw');
  expect(rowOf(config, { role: 'drained' })?.onLocalFailure).toBe('last-resort');
});
