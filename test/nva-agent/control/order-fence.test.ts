// The order fence: address, age, lifetime, rows.
import { describe, expect, test } from '@jest/globals';
import type { AgentPlan } from '../../../nva-agent/agent.ts';
import { judgeOrder } from '../../../nva-agent/control/order-fence.ts';
import type { Order } from '../../../shared/order.ts';
import { RULE } from '../health/probe-world.ts';
import { makeOrder, VIP_PREFIX } from '../order-draft.ts';

const defaults = { lastResortRung: 6, lastResortPrepend: 18, prependAsn: 64500 };
const PLAN: AgentPlan = {
  nva: 'we-nva-1',
  vips: [
    { vip: 'orders', group: 'default', prefix: VIP_PREFIX, health: RULE, defaults },
    { vip: 'billing', group: 'other', prefix: '192.0.2.20/32', health: RULE, defaults },
  ],
  routeChangeMs: 0,
  stopLastResortMs: 0,
  stopWithdrawMs: 0,
};
const LAST = { epoch: 2, generation: 5 };
const newer = (change: Partial<Order> = {}, row = {}) =>
  makeOrder({ epoch: 2, generation: 6, notAfterMs: 1000, ...change }, row);
const [ROW] = makeOrder().vips;

describe('the fence', () => {
  test.each<[string, Order, number, string, RegExp | undefined]>([
    ['newer generation', newer(), 1000, 'new', undefined],
    ['newer epoch, lower generation', newer({ epoch: 3, generation: 0 }), 1000, 'new', undefined],
    ['equal', newer({ generation: 5 }), 1000, 'same', undefined],
    ['equal and past its time: already accepted once', newer({ generation: 5 }), 9000, 'same', undefined],
    ['no rows: nothing of the group is announced', newer({ vips: [] }), 1000, 'new', undefined],
    ['another NVA', newer({ to: 'ne-nva-1' }), 1000, 'misaddressed', /ne-nva-1/],
    ['a group with no vip here', newer({ group: 'strange' }), 1000, 'unknown-group', /strange/],
    ['older generation', newer({ generation: 4 }), 1000, 'older', /epoch 2 generation 4 .* epoch 2 generation 5/],
    ['older epoch, higher generation', newer({ epoch: 1, generation: 99 }), 1000, 'older', undefined],
    ['one millisecond late', newer(), 1001, 'expired', /1 ms/],
    ['a vip nobody knows', newer({}, { vip: 'nobody' }), 1000, 'malformed', /nobody/],
    ['a vip of another group', newer({}, { vip: 'billing', prefix: '192.0.2.20/32' }), 1000, 'malformed', /billing/],
    ['another prefix', newer({}, { prefix: '192.0.2.11/32' }), 1000, 'malformed', /192\.0\.2\.11/],
    ['Route Server itself in the path', newer({}, { prependAsn: 65515 }), 1000, 'malformed', /65515/],
    ['ExpressRoute in the path', newer({}, { prependAsn: 12076 }), 1000, 'malformed', /12076/],
    ['a reserved ASN in the path', newer({}, { prependAsn: 23456 }), 1000, 'malformed', /23456/],
    ['a vip twice', newer({ vips: ROW === undefined ? [] : [ROW, ROW] }), 1000, 'malformed', /twice/],
  ])('%s', (_name, order, wallMs, expected, detail) => {
    const judged = judgeOrder(order, PLAN, LAST, wallMs);
    expect(judged.type === 'refused' ? judged.refusal : judged.type).toBe(expected);
    if (detail !== undefined) expect(judged).toMatchObject({ detail: expect.stringMatching(detail) });
  });

  test('every problem of a malformed order is told', () => {
    const rows =
      ROW === undefined
        ? []
        : [
            { ...ROW, vip: 'nobody' },
            { ...ROW, prependAsn: 65515, prefix: '10.0.0.0/8' },
          ];
    const judged = judgeOrder(newer({ vips: rows }), PLAN, LAST, 1000);
    expect(judged).toMatchObject({ detail: expect.stringMatching(/nobody.*10\.0\.0\.0.*65515/) });
  });

  test('the first order of a group only has to be alive', () => {
    expect(judgeOrder(makeOrder({ epoch: 0, generation: 0, notAfterMs: 5 }), PLAN, undefined, 5).type).toBe('new');
    expect(judgeOrder(makeOrder({ epoch: 0, generation: 0, notAfterMs: 5 }), PLAN, undefined, 6).type).toBe('refused');
  });
});
