// Orders through their one door: each refusal, persistence before effect, order of arrival.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  createOrderDesk,
  type OrderDesk,
  type OrderDeskOwner,
  type OrderOutcome,
  WAITING_MAX,
} from '../../../nva-agent/control/order-desk.ts';
import { loadOrders, realDisk } from '../../../nva-agent/control/order-store.ts';
import { ORDER_BYTES_MAX, type Order } from '../../../shared/order.ts';
import { signOrder } from '../../../shared/order-signature.ts';
import { makeOrderKey } from '../agent-world.ts';
import { RULE } from '../health/probe-world.ts';
import { makeOrder, VIP_PREFIX } from '../order-draft.ts';

const defaults = { lastResortRung: 6, lastResortPrepend: 18, prependAsn: 64500 };
const plan = {
  nva: 'we-nva-1',
  vips: [{ vip: 'orders', group: 'default', prefix: VIP_PREFIX, health: RULE, defaults }],
  routeChangeMs: 0,
  stopLastResortMs: 0,
  stopWithdrawMs: 0,
};
const key = makeOrderKey('k1');
const stranger = makeOrderKey('k1');

let folder: string;
let applied: Order[];
let counted: OrderOutcome[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-desk-'));
  applied = [];
  counted = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const openDesk = (change: Partial<OrderDeskOwner> = {}): OrderDesk =>
  createOrderDesk({
    plan: () => plan,
    keys: () => [key.public],
    stateDirectory: folder,
    last: (group) => applied.findLast((order) => order.group === group),
    apply: (order) => applied.push(order),
    count: (outcome) => counted.push(outcome),
    wallMs: Date.now,
    ...change,
  });
const sign = (change: Partial<Order> = {}) => signOrder(makeOrder(change), key.signing);

describe('the order desk', () => {
  test('accepts, persists, applies and counts', async () => {
    const persistedBeforeApplied: number[] = [];
    const desk = openDesk({
      apply: (order) => {
        applied.push(order);
      },
      disk: {
        write: async (path, text) => {
          persistedBeforeApplied.push(applied.length);
          await realDisk.write(path, text);
        },
      },
    });
    expect(await desk.accept(await sign())).toEqual({ accepted: true, group: 'default', epoch: 1, generation: 1 });
    expect(persistedBeforeApplied).toEqual([0]);
    expect([applied.length, counted]).toEqual([1, ['accepted']]);
    expect((await loadOrders(folder, 'we-nva-1')).orders).toEqual(applied);
  });

  test('the same order again is acknowledged and neither persisted nor applied again', async () => {
    const desk = openDesk();
    const jws = await sign();
    await desk.accept(jws);
    expect(await desk.accept(jws)).toMatchObject({ accepted: true, generation: 1 });
    expect([applied.length, counted]).toEqual([1, ['accepted', 'same']]);
  });

  test.each<[OrderOutcome, () => Promise<string>]>([
    ['malformed', async () => 'no JWS at all'],
    [
      'malformed',
      () => sign({ generation: 2, vips: [{ ...makeOrder().vips[0], vip: 'nobody' } as Order['vips'][number]] }),
    ],
    ['too-large', async () => 'x'.repeat(ORDER_BYTES_MAX + 1)],
    ['unknown-key', () => signOrder(makeOrder(), makeOrderKey('k2').signing)],
    ['bad-signature', () => signOrder(makeOrder(), stranger.signing)],
    ['misaddressed', () => sign({ to: 'ne-nva-1' })],
    ['unknown-group', () => sign({ group: 'strange' })],
    ['expired', () => sign({ generation: 2, notAfterMs: Date.now() - 1 })],
    ['older', () => sign({ epoch: 0 })],
  ])('refuses %s, counts it, and keeps the old order', async (refusal, jws) => {
    const desk = openDesk();
    await desk.accept(await sign());
    expect(await desk.accept(await jws())).toMatchObject({ accepted: false, refusal });
    expect(counted).toEqual(['accepted', refusal]);
    expect((await loadOrders(folder, 'we-nva-1')).orders).toEqual(applied);
    expect(applied).toHaveLength(1);
  });

  test('an order that cannot be persisted is not applied', async () => {
    const desk = openDesk({ disk: { write: () => Promise.reject(new Error('ENOSPC')) } });
    expect(await desk.accept(await sign())).toMatchObject({ accepted: false, refusal: 'not-persisted' });
    expect(applied).toEqual([]);
  });

  test('orders are taken in order of arrival, however slow the disk', async () => {
    let writes = 0;
    const desk = openDesk({
      disk: {
        write: async (path, text) => {
          writes += 1;
          // The first write takes longest: without a queue the second order would overtake it.
          for (let i = writes; i < 5; i += 1) await new Promise(setImmediate);
          await realDisk.write(path, text);
        },
      },
    });
    // Signed beforehand: signatures end in any order, and it is arrival that counts.
    const signed = await Promise.all([1, 2, 3].map((generation) => sign({ generation })));
    const all = await Promise.all(signed.map((jws) => desk.accept(jws)));
    expect(all.every((answer) => answer.accepted)).toBe(true);
    expect(applied.map((order) => order.generation)).toEqual([1, 2, 3]);
    expect((await loadOrders(folder, 'we-nva-1')).orders).toMatchObject([{ generation: 3 }]);
  });

  test('the queue is bounded', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const desk = openDesk({ disk: { write: () => held } });
    const jws = await sign();
    const waiting = Array.from({ length: WAITING_MAX }, () => desk.accept(jws));
    expect(await desk.accept(jws)).toMatchObject({ accepted: false, refusal: 'not-persisted' });
    release();
    expect((await Promise.all(waiting)).every((answer) => answer.accepted)).toBe(true);
  });

  test('a key that was rotated out is refused from then on, a new one accepted', async () => {
    const next = makeOrderKey('k2');
    let keys = [key.public];
    const desk = openDesk({ keys: () => keys });
    await desk.accept(await sign());
    keys = [next.public];
    expect(await desk.accept(await sign({ generation: 2 }))).toMatchObject({ refusal: 'unknown-key' });
    expect(await desk.accept(await signOrder(makeOrder({ generation: 2 }), next.signing))).toMatchObject({
      accepted: true,
    });
  });
});
