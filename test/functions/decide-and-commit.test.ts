// The look itself on in-memory stores: what is committed, recorded, delivered, and above all what is not.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import { gather } from '../../functions/activities/gather.ts';
import type { DecideResult, Wish } from '../../functions/activities/names.ts';
import { recordDelivery } from '../../functions/activities/record-delivery.ts';
import { sha256 } from '../../functions/audit-chain.ts';
import { CHAIN_START, chainedText } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import { createTestPlane, GROUP, START_MS, type TestPlane } from '../support/plane.ts';

type Looked = Extract<DecideResult, { ok: true }>;

/** One evaluation as the orchestrator runs it. */
async function evaluate(world: TestPlane, wish?: Wish): Promise<Looked> {
  const { plane } = world;
  await gather(plane)({ group: GROUP });
  const looked = await decideAndCommit(plane)({ group: GROUP, correlationId: 'evaluate-1', ...(wish && { wish }) });
  if (!looked.ok) throw new Error(looked.code);
  if (looked.isCommitted || looked.deliver.length > 0) await auditAhead(plane)({ group: GROUP });
  const results = await Promise.all(looked.deliver.map((nva) => deliverOrder(plane)({ group: GROUP, nva })));
  await recordDelivery(plane)({ group: GROUP, correlationId: 'evaluate-1', results });
  return looked;
}

/** Reports and looks until nothing changes any more. */
async function settle(world: TestPlane, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 2) {
    world.nowMs += 2000;
    await world.report();
    await evaluate(world);
  }
}

let world: TestPlane;
beforeEach(async () => {
  world = createTestPlane();
  await world.report();
  await evaluate(world);
});

const orderOf = (nva: string, vip: string) => world.agents.get(nva)?.order?.vips.find((row) => row.vip === vip);

describe('a ledger that never was', () => {
  test('begins at rest: epoch 1, every NVA ordered onto its base rung', () => {
    expect(world.ledgerNow()).toMatchObject({ epoch: 1, seat: 'seat-we', policy: { trusted: true } });
    expect(orderOf('we-nva-1', 'orders')).toMatchObject({ rung: 4, prepend: 12, state: 'announced' });
    expect(orderOf('ne-nva-1', 'orders')).toMatchObject({ rung: 5, prepend: 15, state: 'announced' });
  });

  test('is rebuilt from agents that tell of orders, and waits for a person', async () => {
    const before = orderOf('ne-nva-1', 'orders');
    world.ledger.overwrite(GROUP, undefined);
    await world.report();
    await evaluate(world);
    const rebuilt = world.ledgerNow();
    expect(rebuilt.policy.trusted).toBe(false);
    expect(rebuilt.epoch).toBe(2);
    expect(rebuilt.delivers).toBe(false);
    expect(rebuilt.policy.vips.orders?.acting).toBe('westeurope');
    const delivered = world.agents.get('ne-nva-1')?.delivered;
    await settle(world, 6);
    expect(world.agents.get('ne-nva-1')?.delivered).toBe(delivered);
    expect(orderOf('ne-nva-1', 'orders')).toEqual(before);
  });
});

describe('acting on evidence', () => {
  test('an unhealthy acting region is left by one change of the other region, and it is on record before it is delivered', async () => {
    await settle(world, 40);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    world.nowMs += 2000;
    await world.report();
    const looked = await evaluate(world);
    expect(looked.isCommitted).toBe(true);
    expect(orderOf('ne-nva-1', 'orders')).toMatchObject({ rung: 3, prepend: 9 });
    expect(orderOf('we-nva-1', 'orders')?.rung).toBe(4);
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000 });
    const decision = records.find(
      (record) => record.Kind === 'decision' && record.Region === 'northeurope' && record.Vip === 'orders',
    );
    expect(decision).toMatchObject({
      Reason: 'app-unhealthy',
      Before: 'backup r5 announced',
      After: 'primary r3 announced',
    });
    expect(world.ledgerNow().proofs.orders).toMatchObject({ from: 'westeurope', operation: '' });
  });

  test('a look without news commits nothing and delivers nothing', async () => {
    await settle(world, 200);
    const before = { ...world.ledgerNow() };
    world.nowMs += 2000;
    await world.report();
    const looked = await evaluate(world);
    expect(looked).toMatchObject({ isCommitted: false, deliver: [] });
    expect(world.ledgerNow()).toEqual(before);
  });

  test('the chain of all records is unbroken, every EventId once', async () => {
    await settle(world, 30);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    await settle(world, 10);
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000 });
    expect(new Set(records.map((record) => record.EventId)).size).toBe(records.length);
    let hash = CHAIN_START;
    for (const [index, record] of records.entries()) {
      expect(record).toMatchObject({ ChainIndex: index, PrevHash: hash, Epoch: 1 });
      expect(sha256(chainedText(record))).toBe(record.Hash);
      hash = record.Hash;
    }
  });
});

describe('static stability', () => {
  const wireNow = () => JSON.stringify([...world.agents].map(([name, agent]) => [name, agent.order?.vips]));

  test.each(['ledger', 'reports', 'outbox'] as const)(
    'with %s unreachable nothing is committed and nothing delivered',
    async (outage) => {
      await settle(world, 40);
      const [wire, text] = [wireNow(), world.ledger.textOf(GROUP)];
      const we = world.agents.get('we-nva-1');
      if (we) we.verdict = 'unhealthy';
      world.outages.add(outage);
      for (let i = 0; i < 3; i += 1) {
        world.nowMs += 2000;
        await world.report();
        const looked = await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
        if (outage !== 'outbox') expect(looked).toMatchObject({ ok: false, code: `${outage}-down` });
        const delivered = await deliverOrder(world.plane)({ group: GROUP, nva: 'ne-nva-1' });
        // What stands may be handed out again; it is what the agent has.
        if (outage === 'ledger') expect(delivered.ok).toBe(false);
      }
      expect(wireNow()).toBe(wire);
      if (outage !== 'outbox') expect(world.ledger.textOf(GROUP)).toBe(text);
      world.outages.delete(outage);
      await settle(world, 4);
      expect(orderOf('ne-nva-1', 'orders')?.rung).toBe(3);
    },
  );

  test('an unreachable outbox lets at most one commit wait, and its order is delivered only once it is confirmed', async () => {
    await settle(world, 40);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    world.nowMs += 2000;
    await world.report();
    world.outages.add('outbox-append');
    const looked = await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    expect(looked).toMatchObject({ ok: true, isCommitted: true });
    expect(await auditAhead(world.plane)({ group: GROUP })).toMatchObject({ ok: false, code: 'outbox-append-down' });
    expect(await deliverOrder(world.plane)({ group: GROUP, nva: 'ne-nva-1' })).toMatchObject({
      code: 'not-deliverable',
      detail: 'audit records are not confirmed yet',
    });
    expect(await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' })).toMatchObject({ ok: false });
    world.outages.delete('outbox-append');
    expect(await auditAhead(world.plane)({ group: GROUP })).toEqual({ ok: true });
    expect(await deliverOrder(world.plane)({ group: GROUP, nva: 'ne-nva-1' })).toMatchObject({ ok: true });
  });
});

describe('doubtful ledgers', () => {
  const hold = (id: string): Wish => ({
    ...{ type: 'hold', id, vip: 'orders', seconds: 600, full: false },
    ...{ actor: 'ops', actorType: 'human', reason: 'calm' },
  });
  const recorded = async () => (await world.plane.outbox.page({ group: GROUP, limit: 1000 })).records;

  test('one that cannot be read is rebuilt from the agents and untrusted', async () => {
    world.ledger.overwrite(GROUP, '{"v":1,"epoch":"seven"');
    await world.report();
    await evaluate(world);
    expect(world.ledgerNow()).toMatchObject({ policy: { trusted: false }, delivers: false });
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'config' });
    expect(records.map((record) => record.Reason)).toEqual(['ledger-rebuilt']);
  });

  test('one that was rolled back is behind what agents report, and untrusted', async () => {
    const old = world.ledger.textOf(GROUP);
    await settle(world, 40);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    await settle(world, 4);
    await world.report();
    world.ledger.overwrite(GROUP, old);
    await evaluate(world);
    const rebuilt = world.ledgerNow();
    expect(rebuilt.policy.trusted).toBe(false);
    expect(rebuilt.policy.vips.orders?.acting).toBe('northeurope');
    expect(rebuilt.generation).toBeGreaterThan(world.agents.get('ne-nva-1')?.order?.generation ?? 0);
  });

  test('one put back to before a record that changed no order is told by the outbox, and overwrites nothing', async () => {
    await settle(world, 40);
    const old = world.ledger.textOf(GROUP);
    await evaluate(world, hold('h-1'));
    const before = await recorded();
    world.ledger.overwrite(GROUP, old);
    await evaluate(world, hold('h-2'));
    const rebuilt = world.ledgerNow();
    expect(rebuilt).toMatchObject({ epoch: 2, delivers: false, policy: { trusted: false } });
    const after = await recorded();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length).map(({ Epoch, Reason }) => [Epoch, Reason])).toContainEqual([
      2,
      'ledger-rebuilt',
    ]);
  });

  test('one put back to before a commit whose answer was lost is told by the outbox too', async () => {
    await settle(world, 40);
    let isAnswerLost = false;
    const commit: typeof world.plane.ledger.commit = async (...args) => {
      const outcome = await world.plane.ledger.commit(...args);
      if (isAnswerLost) throw new OperatingError('ledger-commit', 'no answer', { retryable: true });
      return outcome;
    };
    const plane = { ...world.plane, ledger: { ...world.plane.ledger, commit } };
    const look = (wish: Wish) => decideAndCommit(plane)({ group: GROUP, correlationId: 'c', wish });
    expect(await look(hold('h-1'))).toMatchObject({ ok: true, isCommitted: true });
    const old = world.ledger.textOf(GROUP);
    isAnswerLost = true;
    expect(await look(hold('h-2'))).toMatchObject({ ok: false, code: 'ledger-commit' });
    isAnswerLost = false;
    // The next look puts its records where they belong, and changes nothing.
    expect(await decideAndCommit(plane)({ group: GROUP, correlationId: 'c' })).toMatchObject({ isCommitted: false });
    const before = await recorded();
    world.ledger.overwrite(GROUP, old);
    await look(hold('h-3'));
    expect(world.ledgerNow()).toMatchObject({ epoch: 2, delivers: false, policy: { trusted: false } });
    expect((await recorded()).slice(0, before.length)).toEqual(before);
  });

  test('looks at the same time are no rollback', async () => {
    await settle(world, 40);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    world.nowMs += 2000;
    await world.report();
    const looks = Array.from({ length: 4 }, (_, i) =>
      decideAndCommit({ ...world.plane, ledger: { ...world.plane.ledger } })({ group: GROUP, correlationId: `c-${i}` }),
    );
    await Promise.all(looks);
    expect(world.ledgerNow()).toMatchObject({ epoch: 1, policy: { trusted: true } });
  });

  test('trusted again by a person, it delivers in its new epoch', async () => {
    world.ledger.overwrite(GROUP, 'nonsense');
    await world.report();
    await evaluate(world);
    const wish: Wish = {
      type: 'intent',
      intent: {
        ...{
          id: 'i-1',
          type: 'trust-ledger',
          actor: 'operator',
          actorType: 'human',
          reason: 'looked at it',
          force: [],
        },
        ...{ createdAtMs: world.nowMs, deadlineMs: world.nowMs + 60_000, operation: 'op-1' },
      },
    };
    const looked = await evaluate(world, wish);
    expect(looked.wish?.outcome).toBe('carried-out');
    expect(world.ledgerNow()).toMatchObject({ policy: { trusted: true }, delivers: true });
    expect(world.agents.get('we-nva-1')?.order?.epoch).toBe(world.ledgerNow().epoch);
  });
});

describe('two seats', () => {
  test('the other follows while the lease lives, then begins an epoch; agents hear one voice', async () => {
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    await other.report();
    const looked = await decideAndCommit(other.plane)({ group: GROUP, correlationId: 'c' });
    expect(looked).toMatchObject({ ok: true, leads: false, deliver: [] });
    expect(await deliverOrder(other.plane)({ group: GROUP, nva: 'we-nva-1' })).toMatchObject({
      detail: 'seat-we leads',
    });
    world.nowMs += 21_000;
    await other.report();
    await evaluate(other);
    expect(world.ledgerNow()).toMatchObject({ epoch: 2, seat: 'seat-ne', chain: { epoch: 2 } });
    expect(world.agents.get('we-nva-1')?.order?.epoch).toBe(2);
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'seat' });
    expect(records.at(-1)).toMatchObject({
      Before: 'seat-we',
      After: 'seat-ne',
      Epoch: 2,
      ChainIndex: 0,
      PrevHash: CHAIN_START,
    });
    expect(await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' })).toMatchObject({ leads: false });
  });

  test('a leader that hears nobody while the other hears agents lets its lease go, and does not take it back', async () => {
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    const look = ({ plane }: TestPlane) => decideAndCommit(plane)({ group: GROUP, correlationId: 'c' });
    for (let i = 0; i < 20; i += 1) {
      world.nowMs += 2000;
      await other.report();
      await look(other);
      await look(world);
    }
    expect(world.ledgerNow()).toMatchObject({ epoch: 2, seat: 'seat-ne' });
    await world.report();
    for (let i = 0; i < 20; i += 1) {
      world.nowMs += 2000;
      await Promise.all([world.report(), other.report()]);
      expect(await look(world)).toMatchObject({ leads: false });
      expect(await look(other)).toMatchObject({ leads: true });
    }
    expect(world.ledgerNow()).toMatchObject({ epoch: 2, seat: 'seat-ne' });
  });

  test('a leader that hears nobody leads on while nobody hears better', async () => {
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    for (let i = 0; i < 20; i += 1) {
      world.nowMs += 2000;
      for (const { plane } of [world, other]) await decideAndCommit(plane)({ group: GROUP, correlationId: 'c' });
    }
    expect(world.ledgerNow()).toMatchObject({ epoch: 1, seat: 'seat-we' });
  });

  test('another instance of the same seat goes on in the same epoch, and two at once decide once', async () => {
    const twin = createTestPlane({ beside: world });
    await settle(world, 40);
    const we = world.agents.get('we-nva-1');
    if (we) we.verdict = 'unhealthy';
    world.nowMs += 2000;
    await world.report();
    await twin.report();
    const generation = world.ledgerNow().generation;
    const both = await Promise.all(
      [world, twin].map(({ plane }) => decideAndCommit(plane)({ group: GROUP, correlationId: 'c' })),
    );
    expect(both.filter((looked) => looked.ok && looked.isCommitted)).toHaveLength(1);
    expect(world.ledgerNow()).toMatchObject({ epoch: 1, generation: generation + 1 });
  });
});

describe('wishes', () => {
  const failover = (region: string, force: string[] = []): Wish => ({
    type: 'intent',
    intent: {
      ...{
        id: 'i-1',
        type: 'failover',
        vip: 'orders',
        region,
        actor: 'operator',
        actorType: 'human',
        reason: 'patch',
        force,
      },
      ...{ createdAtMs: world.nowMs, deadlineMs: world.nowMs + 120_000, operation: 'evaluate-1' },
    },
  });

  test('a failover is carried out once, however often it is asked', async () => {
    await settle(world, 40);
    const first = await evaluate(world, failover('northeurope'));
    expect(first.wish?.outcome).toBe('carried-out');
    expect(orderOf('ne-nva-1', 'orders')?.rung).toBe(3);
    expect(world.ledgerNow().proofs.orders?.operation).toBe('evaluate-1');
    await world.report();
    const again = await evaluate(world, failover('northeurope'));
    expect(again).toMatchObject({ isCommitted: false, wish: { outcome: 'carried-out' } });
    expect(orderOf('ne-nva-1', 'orders')?.rung).toBe(3);
  });

  test('a failover to a region that is not healthy is refused with the reason, and that is on record', async () => {
    await settle(world, 40);
    const ne = world.agents.get('ne-nva-1');
    if (ne) ne.verdict = 'unhealthy';
    await settle(world, 2);
    const looked = await evaluate(world, failover('northeurope'));
    expect(looked.wish).toMatchObject({ outcome: 'refused', reasons: [{ code: 'target-unhealthy' }] });
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'intent' });
    expect(records.map((record) => record.Reason)).toEqual(['asked', 'refused']);
  });

  test('a hold is put down, put down once, and released', async () => {
    const wish: Wish = {
      ...{
        type: 'hold',
        id: 'h-1',
        vip: null,
        seconds: 60,
        full: false,
        actor: 'operator',
        actorType: 'human',
        reason: 'change',
      },
    };
    await evaluate(world, wish);
    await evaluate(world, wish);
    expect(world.ledgerNow().policy.holds.map((hold) => hold.id)).toEqual(['h-1']);
    const released = await evaluate(world, { type: 'release', id: 'h-1', actor: 'operator', actorType: 'human' });
    expect(released.wish?.outcome).toBe('carried-out');
    expect(world.ledgerNow().policy.holds).toEqual([]);
  });
});

test('a silent NVA is asked, and what it did not answer is on record for the engine', async () => {
  const we = world.agents.get('we-nva-1');
  if (we) we.isDead = true;
  world.nowMs = START_MS + 3100;
  await world.report();
  expect(await gather(world.plane)({ group: GROUP })).toEqual({ ok: true, probed: ['we-nva-1'] });
  const { probes } = await world.plane.reports.read(GROUP);
  expect(probes['we-nva-1']).toEqual({ atMs: START_MS + 3100, outcome: 'failed' });
});
