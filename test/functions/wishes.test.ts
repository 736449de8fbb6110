// Wishes on in-memory stores: asked twice, asked for later, cancelled, and answered by whoever leads.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import { readCancelled } from '../../functions/activities/drill.ts';
import type { DecideResult, Wish } from '../../functions/activities/names.ts';
import type { Intent } from '../../functions/engine/types.ts';
import { concludeIntents } from '../../functions/wishes.ts';
import { createTestPlane, GROUP, type TestPlane } from '../support/plane.ts';

type Looked = Extract<DecideResult, { ok: true }>;

async function look(world: TestPlane, wish?: Wish): Promise<Looked> {
  const looked = await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'op-1', ...(wish && { wish }) });
  if (!looked.ok) throw new Error(looked.code);
  await auditAhead(world.plane)({ group: GROUP });
  await Promise.all(looked.deliver.map((nva) => deliverOrder(world.plane)({ group: GROUP, nva })));
  return looked;
}

let world: TestPlane;
beforeEach(async () => {
  world = createTestPlane();
  await pass(2);
  await pass(40);
});

async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 2) {
    world.nowMs += 2000;
    await world.report();
    await look(world);
  }
}

const failover = (more: Partial<Intent> = {}): Extract<Wish, { type: 'intent' }> => ({
  type: 'intent',
  intent: {
    ...{ id: 'i-1', type: 'failover', vip: 'orders', actor: 'ops', actorType: 'human', reason: 'patch' },
    ...{ force: [], createdAtMs: world.nowMs, deadlineMs: world.nowMs + 120_000, operation: 'op-1' },
    ...more,
  },
});
const cancel = (isDrill = false): Wish => ({
  ...{ type: 'cancel', operation: 'op-1', isDrill, actor: 'boss', actorType: 'human', reason: 'not today' },
});
const acting = () => world.ledgerNow().policy.vips.orders?.acting;
const recordsOf = (kind: string) =>
  world.outbox
    .rows(GROUP)
    .map((row) => row.record)
    .filter((record) => record.Kind === kind);

describe('the same wish again', () => {
  test('after it was carried out is answered, not carried out again', async () => {
    // Without a target the best other region is meant: done twice it would go there and back.
    const first = await look(world, failover());
    expect([first.wish?.outcome, acting()]).toEqual(['carried-out', 'northeurope']);
    await pass(40);
    const again = await look(world, failover());
    expect(again.wish).toMatchObject({ outcome: 'carried-out', decisionId: first.decisionId });
    expect(acting()).toBe('northeurope');
    expect(recordsOf('intent').map((record) => record.Reason)).toEqual(['asked', 'carried-out']);
  });

  test('a refusal is remembered with its reasons', async () => {
    const ne = world.agents.get('ne-nva-1');
    if (ne) ne.verdict = 'unhealthy';
    await pass(2);
    expect((await look(world, failover())).wish).toMatchObject({ outcome: 'refused' });
    if (ne) ne.verdict = 'healthy';
    await pass(40);
    const again = await look(world, failover());
    expect(again.wish).toMatchObject({ outcome: 'refused', reasons: [{ code: 'target-unhealthy' }] });
    expect(acting()).toBe('westeurope');
  });

  test('a hold that was released is not put down again', async () => {
    const who = { actor: 'ops', actorType: 'human' } as const;
    const hold: Wish = { type: 'hold', id: 'h-1', vip: null, seconds: 600, full: false, reason: 'change', ...who };
    await look(world, hold);
    await look(world, { type: 'release', id: 'h-1', ...who });
    expect((await look(world, hold)).wish?.outcome).toBe('carried-out');
    expect(world.ledgerNow().policy.holds).toEqual([]);
  });

  test('a hold ends by itself and says so', async () => {
    const who = { actor: 'ops', actorType: 'human' } as const;
    await look(world, { type: 'hold', id: 'h-2', vip: null, seconds: 10, full: false, reason: 'short', ...who });
    await pass(8);
    expect(world.ledgerNow().policy.holds).toHaveLength(1);
    await pass(4);
    expect(world.ledgerNow().policy.holds).toEqual([]);
    expect(recordsOf('hold').map((record) => record.Reason)).toEqual(['held', 'over']);
  });

  test('what is remembered is bounded in number and time', () => {
    const entry = { operation: '', outcome: 'carried-out', reasons: [], decisionId: '', generation: 0 };
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [`i-${i}`, { ...entry, keptUntilMs: i < 150 ? 5 : 50 }]),
    );
    const decision = { intents: [] } as unknown as Parameters<typeof concludeIntents>[2];
    const kept = concludeIntents(many, [], decision, { decisionId: 'd', generation: 1 }, 10);
    expect(Object.keys(kept)).toHaveLength(150);
    const young = concludeIntents(many, [], decision, { decisionId: 'd', generation: 1 }, 1);
    expect(Object.keys(young)).toHaveLength(200);
    expect(young['i-299']).toBeDefined();
  });
});

describe('a wish for later', () => {
  test('waits in the ledger, whoever leads carries it out, and the one who asked hears of it', async () => {
    const atMs = world.nowMs + 30_000;
    const wish = failover({ notBeforeMs: atMs, deadlineMs: atMs + 120_000 });
    expect((await look(world, wish)).wish).toMatchObject({ outcome: 'waiting', reasons: [{ code: 'scheduled' }] });
    await pass(28);
    expect(acting()).toBe('westeurope');
    // The seat that accepted it goes away; the other one takes the lead and needs nobody to remind it.
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    world.nowMs += 25_000;
    await other.report();
    await look(other);
    expect(acting()).toBe('northeurope');
    const told = await look(world, wish);
    expect(told).toMatchObject({ leads: false, wish: { outcome: 'carried-out' } });
  });

  test('can be cancelled until then, and stays cancelled', async () => {
    const atMs = world.nowMs + 30_000;
    const wish = failover({ notBeforeMs: atMs, deadlineMs: atMs + 120_000 });
    await look(world, wish);
    expect((await look(world, cancel())).wish?.outcome).toBe('carried-out');
    expect((await look(world, cancel())).wish?.outcome).toBe('already-so');
    await pass(40);
    const told = await look(world, wish);
    expect(told.wish).toMatchObject({ outcome: 'cancelled', reasons: [{ detail: 'by boss: not today' }] });
    expect(acting()).toBe('westeurope');
    expect(recordsOf('intent').at(-1)).toMatchObject({ Reason: 'cancelled', Actor: 'boss', Vip: 'orders' });
  });
});

describe('cancelling', () => {
  test('before the wish arrived: it finds that it is not wanted', async () => {
    await look(world, cancel());
    expect((await look(world, failover())).wish?.outcome).toBe('cancelled');
    expect(acting()).toBe('westeurope');
  });

  test('after it was carried out is refused with what was done', async () => {
    await look(world, failover());
    expect((await look(world, cancel())).wish).toMatchObject({
      outcome: 'refused',
      reasons: [{ code: 'already-committed' }],
    });
    expect(acting()).toBe('northeurope');
  });

  test('a drill that has moved is told, and may still go back', async () => {
    await look(world, failover({ id: 'op-1-there' }));
    const asked = { group: GROUP, operation: 'op-1' };
    expect(await readCancelled(world.plane)(asked)).toEqual({ ok: true, isCancelled: false });
    expect((await look(world, cancel(true))).wish?.outcome).toBe('carried-out');
    expect(await readCancelled(world.plane)(asked)).toEqual({ ok: true, isCancelled: true });
    await pass(40);
    expect(world.ledgerNow().policy.holds.map((hold) => hold.id)).toEqual(['h-op-1-there']);
    const home = failover({ id: 'op-1-back', region: 'westeurope', endsHoldOf: 'op-1-there' });
    expect((await look(world, { ...home, evenIfCancelled: true })).wish?.outcome).toBe('carried-out');
    // The drill is over, and automation is free again.
    expect([acting(), world.ledgerNow().policy.holds]).toEqual(['westeurope', []]);
  });
});
