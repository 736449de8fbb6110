// What GET /status tells of drills and of what observers saw, made from the real ledger and stores.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { drillRecord } from '../../functions/activities/drill.ts';
import type { DrillRecordInput } from '../../functions/activities/names.ts';
import { leaseIdOf } from '../../functions/lead.ts';
import { readStatus } from '../../functions/triggers/reading.ts';
import { statusSchema } from '../../shared/api.ts';
import type { ObserverReport } from '../../shared/report.ts';
import { createTestPlane, GROUP, START_MS, type TestPlane } from '../support/plane.ts';

let world: TestPlane;
beforeEach(async () => {
  world = createTestPlane();
  await world.report();
  await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
});

const ordersOf = async () => {
  const status = statusSchema.parse(await readStatus(world.plane));
  return status.vips.find((vip) => vip.vip === 'orders');
};

const input = (change: Partial<DrillRecordInput>): DrillRecordInput => ({
  ...{ group: GROUP, operation: 'op-1', vip: 'orders', actor: 'ops', actorType: 'human', state: 'proved' },
  report: { outageMs: 40, phases: [{ name: 'failover to northeurope', proved: true, ms: 900 }] },
  ...change,
});

describe('the last drill', () => {
  test('none is null', async () => expect((await ordersOf())?.lastDrill).toBeNull());

  test('tells when it was, how it went and what it cost', async () => {
    await drillRecord(world.plane)(input({}));
    expect((await ordersOf())?.lastDrill).toEqual({
      ...{ atMs: START_MS, ok: true, outageMs: 40, state: 'proved', operation: 'op-1' },
    });
    world.nowMs += 1000;
    await drillRecord(world.plane)(input({ operation: 'op-2', state: 'not-proved' }));
    expect((await ordersOf())?.lastDrill).toMatchObject({ atMs: START_MS + 1000, ok: false, state: 'not-proved' });
  });

  test('one that was refused showed nothing, so the one before stands', async () => {
    await drillRecord(world.plane)(input({}));
    await drillRecord(world.plane)(
      input({ operation: 'op-2', state: 'refused', report: { outageMs: null, phases: [] } }),
    );
    expect((await ordersOf())?.lastDrill).toMatchObject({ operation: 'op-1' });
    const { records } = await world.outbox.page({ group: GROUP, kind: 'drill', limit: 10 });
    expect(records.map((record) => record.Reason)).toEqual(['proved', 'refused']);
  });

  test('is recorded once however often the activity runs', async () => {
    for (let i = 0; i < 3; i += 1) expect(await drillRecord(world.plane)(input({}))).toEqual({ ok: true });
    const { records } = await world.outbox.page({ group: GROUP, kind: 'drill', limit: 10 });
    expect(records).toHaveLength(1);
  });
});

test('the loss that an observer tells stands beside its answer, and null where it tells none', async () => {
  const seen: ObserverReport['vips'][number] = {
    ...{ vip: 'orders', answeredBy: 'westeurope', sinceMs: START_MS, requests: 20, failures: 1 },
    ...{ connectMs: 1, firstByteMs: 2, outageMs: 0 },
  };
  const put = (observer: string, vip: ObserverReport['vips'][number]) =>
    world.plane.reports.putObserverReport(GROUP, START_MS, {
      ...{ v: 1, observer, group: GROUP, bootId: 'b', seq: 1, atMs: START_MS, transition: false },
      vips: [vip],
    });
  await put('hq', { ...seen, loss: { share: 0.02, looks: 600 } });
  await put('old', seen);
  expect((await ordersOf())?.observers).toMatchObject([
    { observer: 'hq', loss: 0.02 },
    { observer: 'old', loss: null },
  ]);
});

test('the throughput that an observer sampled is as old as its report and the sample in it; null where there is none', async () => {
  const seen: ObserverReport['vips'][number] = {
    ...{ vip: 'orders', answeredBy: 'westeurope', sinceMs: START_MS, requests: 20, failures: 0 },
    ...{ connectMs: 1, firstByteMs: 2, outageMs: 0 },
  };
  // Its clock is an hour ahead: only the difference of its own times counts.
  const theirMs = START_MS + 3_600_000;
  const put = (observer: string, vip: ObserverReport['vips'][number]) =>
    world.plane.reports.putObserverReport(GROUP, START_MS, {
      ...{ v: 1, observer, group: GROUP, bootId: 'b', seq: 1, atMs: theirMs, transition: false },
      vips: [vip],
    });
  await put('hq', { ...seen, throughput: { bytesPerSecond: 2_500_000, bytes: 1_000_000, atMs: theirMs - 4000 } });
  await put('old', seen);
  world.nowMs += 500;
  expect((await ordersOf())?.observers).toMatchObject([
    { observer: 'hq', throughput: { bytesPerSecond: 2_500_000, bytes: 1_000_000, ageMs: 4500 } },
    { observer: 'old', throughput: null },
  ]);
});

test('a proof that a newer decision took over waits for nobody, one that is open waits', async () => {
  const step = (proof: 'proved' | 'waiting') => ({ proof, detail: `is ${proof}`, atMs: START_MS });
  const steps = {
    ...{ agent: step('proved'), routeServer: step('waiting'), circuit: step('waiting'), observer: step('waiting') },
  };
  const shown = async () =>
    (await ordersOf())?.regions.find(({ region }) => region === 'northeurope')?.proofs.routeServer;
  const stored = await world.plane.ledger.read(GROUP);
  const ledger = JSON.parse(stored.type === 'found' ? stored.text : '');
  const open = { decisionId: 'd-open', operation: '', sinceMs: START_MS, generation: 1, from: '', regions: [] };
  const etag = stored.type === 'found' ? stored.etag : '';
  const leaseId = leaseIdOf(world.plane.deployment.seat.name, GROUP);
  const text = JSON.stringify({ ...ledger, proofs: { orders: open } });
  expect(await world.plane.ledger.commit(GROUP, text, { etag, leaseId })).toBe('committed');
  await world.plane.proofs.putProof(GROUP, { vip: 'orders', region: 'northeurope', decisionId: 'd-open', steps });
  expect(await shown()).toMatchObject({ proof: 'waiting', detail: 'is waiting' });
  await world.plane.proofs.putProof(GROUP, { vip: 'orders', region: 'northeurope', decisionId: 'd-before', steps });
  expect(await shown()).toMatchObject({
    proof: 'not checked',
    detail: 'a newer decision came first; last seen: is waiting',
  });
});
