// Proofs on in-memory stores: step by step from agent to observer, their end on record, and what failure does.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import type { VerifyResult } from '../../functions/activities/names.ts';
import { readLearned } from '../../functions/activities/read-learned.ts';
import { shipAudit } from '../../functions/activities/ship-audit.ts';
import { verifyStep } from '../../functions/activities/verify-step.ts';
import { readStatus } from '../../functions/triggers/reading.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { createTestPlane, GROUP, type TestPlane, testTopology } from '../support/plane.ts';

let world: TestPlane;

async function lookAndDeliver(seen: TestPlane): Promise<void> {
  await decideAndCommit(seen.plane)({ group: GROUP, correlationId: 'c' });
  await auditAhead(seen.plane)({ group: GROUP });
  for (const nva of seen.agents.keys()) await deliverOrder(seen.plane)({ group: GROUP, nva });
}

/** A world in which the acting region of `orders` has just been left for northeurope. */
async function movedWorld(bend: Parameters<typeof testTopology>[0] = () => undefined): Promise<TestPlane> {
  const made = createTestPlane({ topology: testTopology(bend) });
  for (let i = 0; i < 20; i += 1) {
    made.nowMs += 2000;
    await made.report();
    await lookAndDeliver(made);
  }
  const we = made.agents.get('we-nva-1');
  if (we) we.verdict = 'unhealthy';
  made.nowMs += 2000;
  await made.report();
  await lookAndDeliver(made);
  return made;
}

async function verifyNow(isLast = false): Promise<Extract<VerifyResult, { ok: true }>> {
  const decisionId = world.ledgerNow().proofs.orders?.decisionId ?? world.ledgerNow().decisionId;
  const result = await verifyStep(world.plane)({ group: GROUP, decisionId, isLast, correlationId: 'verify-1' });
  if (!result.ok) throw new Error(result.code);
  return result;
}

async function observe(answeredBy: string | null): Promise<void> {
  const vip = {
    vip: 'orders',
    answeredBy,
    sinceMs: world.nowMs,
    requests: 10,
    failures: 0,
    connectMs: 2,
    firstByteMs: 3,
    outageMs: 40,
  };
  await world.plane.reports.putObserverReport(GROUP, world.nowMs, {
    ...{ v: 1, observer: 'hq', group: GROUP, bootId: 'b', seq: 1, atMs: world.nowMs, transition: false },
    vips: [vip, { ...vip, vip: 'billing', answeredBy: 'northeurope' }],
  });
}

const stepOf = (
  result: { steps: readonly { vip: string; region: string; step: string; proof: string; detail: string }[] },
  step: string,
  region = 'northeurope',
) => result.steps.find((one) => one.vip === 'orders' && one.region === region && one.step === step);

beforeEach(async () => {
  world = await movedWorld();
});

describe('the steps of a proof', () => {
  test('wait until the agent reports, then hold from agent to observer, and end on record', async () => {
    const early = await verifyNow();
    expect(early.isDone).toBe(false);
    expect(stepOf(early, 'agent')).toMatchObject({ proof: 'waiting' });
    world.nowMs += 2500;
    await world.report();
    await observe('northeurope');
    const done = await verifyNow();
    expect(done).toMatchObject({ isDone: true, state: 'proved', outageMs: 40, latencyMs: 2 });
    expect(['agent', 'routeServer', 'circuit', 'observer'].map((step) => stepOf(done, step)?.proof)).toEqual(
      Array(4).fill('proved'),
    );
    expect(stepOf(done, 'observer', 'westeurope')).toMatchObject({
      proof: 'not checked',
      detail: 'this region does not act',
    });
    expect(world.ledgerNow().proofs.orders).toBeUndefined();
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'verification' });
    expect(records.map((record) => record.Reason)).toContain('proved');
    expect(world.ledgerNow().orderGeneration).toBeLessThan(world.ledgerNow().generation);
  });

  test('looked at again after the end, they say what they proved and record nothing twice', async () => {
    const decisionId = world.ledgerNow().proofs.orders?.decisionId ?? '';
    world.nowMs += 2500;
    await world.report();
    await observe('northeurope');
    await verifyNow();
    const count = (await world.plane.outbox.page({ group: GROUP, limit: 1000 })).records.length;
    const again = await verifyStep(world.plane)({ group: GROUP, decisionId, isLast: false, correlationId: 'verify-1' });
    expect(again).toMatchObject({ ok: true, isDone: true, state: 'proved' });
    expect((await world.plane.outbox.page({ group: GROUP, limit: 1000 })).records).toHaveLength(count);
  });

  test('clients answered by the wrong region are no proof', async () => {
    world.nowMs += 2500;
    await world.report();
    await observe('westeurope');
    const result = await verifyNow();
    expect(stepOf(result, 'observer')).toMatchObject({ proof: 'waiting', detail: 'answered: hq by westeurope' });
  });

  test('routes that cannot be read are not checked, never proved and never failed', async () => {
    world.outages.add('routes');
    world.nowMs += 2500;
    await world.report();
    await observe('northeurope');
    const result = await verifyNow(true);
    expect(stepOf(result, 'routeServer')).toMatchObject({ proof: 'not checked' });
    expect(stepOf(result, 'circuit')).toMatchObject({ proof: 'not checked' });
    expect(result.state).toBe('proved');
  });

  test('a prepend that on-premises does not see is named', async () => {
    stripPrepends();
    const result = await verifyNow();
    expect(stepOf(result, 'circuit')?.detail).toContain('prepend does not arrive on-premises');
  });
});

/** From now on circuits show the prefix without its prepends. */
function stripPrepends(): void {
  const { plane } = world;
  const learned = plane.routes?.learned;
  if (learned === undefined) throw new Error('this world reads routes');
  const circuit = async () => [{ prefix: '192.0.2.10/32', asPath: [65515], device: 'primary' as const }];
  world = {
    ...world,
    plane: { ...plane, routes: { learned, circuit } },
    nowMs: world.nowMs,
    ledgerNow: world.ledgerNow,
  };
}

describe('a proof that failed', () => {
  async function failProof(): Promise<void> {
    world.nowMs += 2500;
    await world.report();
    await observe('westeurope');
    const result = await verifyNow(true);
    expect(result).toMatchObject({ isDone: true, state: 'failed' });
  }

  test('marks the region unproven and alarms', async () => {
    await failProof();
    expect(world.ledgerNow().policy.vips.orders?.regions.northeurope?.unprovenSinceMs).toBe(world.nowMs);
    // The first step that failed: what is missed beyond it follows from it.
    expect(world.ledgerNow().policy.vips.orders?.regions.northeurope?.unprovenAt).toBe('observer');
    const { records } = await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'verification' });
    expect(records.find((record) => record.Reason === 'proof-failed')).toMatchObject({
      Vip: 'orders',
      Region: 'northeurope',
    });
    expect(world.ledgerNow().policy.intents).toEqual([]);
  });

  test('is doubted where it was missed first: what is missed beyond may follow from that', async () => {
    world.nowMs += 2500;
    await world.report();
    await observe('westeurope');
    stripPrepends();
    const result = await verifyNow(true);
    expect(stepOf(result, 'circuit')).toMatchObject({ proof: 'failed' });
    expect(stepOf(result, 'observer')).toMatchObject({ proof: 'failed' });
    expect(world.ledgerNow().policy.vips.orders?.regions.northeurope?.unprovenAt).toBe('circuit');
  });

  test('five minutes in which observers are answered by it make it good, on record', async () => {
    await failProof();
    const records = async () =>
      (await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'verification' })).records;
    const isDoubted = () => world.ledgerNow().policy.vips.orders?.regions.northeurope?.unprovenSinceMs !== undefined;
    for (let seconds = 0; seconds < 290; seconds += 2) {
      world.nowMs += 2000;
      await world.report();
      await observe('northeurope');
      await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    }
    expect(isDoubted()).toBe(true);
    const orders = (await readStatus(world.plane)).vips.find((vip) => vip.vip === 'orders');
    const told = orders?.regions.find((region) => region.region === 'northeurope')?.unproven;
    expect(told).toMatchObject({ step: 'observer', provedSinceMs: expect.any(Number) });
    for (let i = 0; i < 15 && isDoubted(); i += 1) {
      world.nowMs += 2000;
      await world.report();
      await observe('northeurope');
      await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    }
    expect(isDoubted()).toBe(false);
    await auditAhead(world.plane)({ group: GROUP });
    const said = (await records()).find((record) => record.Reason === 'proved-again');
    expect(said).toMatchObject({ Vip: 'orders', Region: 'northeurope', Kind: 'verification' });
    expect(String(said?.Detail.detail)).toContain('is answered by it, for 5 min');
  });

  test('rollback asks for the old region, and the engine refuses it while that is not healthy', async () => {
    world = await movedWorld((draft) => {
      draft.vips[0].onVerifyFailure = 'rollback';
    });
    await failProof();
    expect(world.ledgerNow().policy.intents).toMatchObject([
      { type: 'failover', region: 'westeurope', actorType: 'automation' },
    ]);
    world.nowMs += 1000;
    await world.report();
    await lookAndDeliver(world);
    expect(world.ledgerNow().policy.vips.orders?.acting).toBe('northeurope');
  });

  test('withdraw-old does nothing until an observer was answered by the new region', async () => {
    world = await movedWorld((draft) => {
      draft.vips[0].onVerifyFailure = 'withdraw-old';
    });
    await failProof();
    expect(world.ledgerNow().policy.intents).toEqual([]);
  });
});

describe('drift', () => {
  const driftRecords = async () =>
    (await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'verification' })).records.filter(
      (one) => one.Reason === 'drift',
    );

  /** An agent whose wire differs from its order: it goes on telling what it was told before. */
  async function look(seconds: number, isBent: boolean): Promise<void> {
    for (let i = 0; i < seconds; i += 2) {
      world.nowMs += 2000;
      await world.report();
      if (isBent) {
        const { reports } = await world.plane.reports.read(GROUP);
        const report = reports['ne-nva-1']?.report;
        if (report === undefined) throw new Error('it has reported');
        const sessions = report.sessions.map((session) => ({ ...session, routes: [] }));
        await world.plane.reports.putReport(GROUP, world.nowMs, { ...report, sessions });
      }
      await lookAndDeliver(world);
    }
  }

  test('a session that tells nothing of what was ordered is on record once, when no change can be under way', async () => {
    await look(10, true);
    expect(await driftRecords()).toEqual([]);
    await look(80, true);
    const records = await driftRecords();
    // Once for each of both peers and vips, though it was seen at forty looks.
    expect(records.map(({ Vip, Nva, Detail }) => `${Vip} ${Nva} ${Detail.where}`).sort()).toEqual([
      'billing ne-nva-1 session',
      'billing ne-nva-1 session',
      'orders ne-nva-1 session',
      'orders ne-nva-1 session',
    ]);
  });

  const repairs = async () =>
    (await world.plane.outbox.page({ group: GROUP, limit: 1000, kind: 'verification' })).records.filter(
      (one) => one.Reason === 'drift-repair',
    );

  test('seen on two ticks orders are given anew, once a window; what the repair ends stays ended', async () => {
    for (let i = 0; i < 50 && (await driftRecords()).length === 0; i += 1) await look(2, true);
    const before = world.ledgerNow();
    expect(await repairs()).toEqual([]);
    await look(10, true);
    expect(world.ledgerNow().orderGeneration).toBeGreaterThan(before.orderGeneration);
    expect(world.ledgerNow().policy).toEqual(before.policy);
    expect((await repairs()).map((one) => one.Vip)).toEqual(['billing', 'billing']);
    // The other vip has changed later, so its difference counts later.
    await look(40, true);
    expect(await repairs()).toHaveLength(4);
    await look(300, true);
    // The difference stands all the time, and the status says so; nothing is repeated before the window is over.
    expect(await repairs()).toHaveLength(4);
    expect(await driftRecords()).toHaveLength(4);
    await look(300, true);
    expect((await repairs()).length).toBeGreaterThan(4);
    await look(700, false);
    expect(world.ledgerNow().drift).toEqual({});
  });

  test('what Route Server alone holds otherwise is on record and alerted, and nothing is ordered for it', async () => {
    Object.assign(world.plane, {
      routes: {
        circuit: async () => undefined,
        learned: async (region: { routeServer: { peers: string[] } }) =>
          Object.fromEntries(region.routeServer.peers.map((peer) => [peer, {}])),
      },
    });
    const { orderGeneration } = world.ledgerNow();
    for (let i = 0; i < 120 && (await driftRecords()).length === 0; i += 1) {
      await look(2, false);
      await readLearned(world.plane)({ group: GROUP });
    }
    const [record] = await driftRecords();
    expect(record?.Detail).toMatchObject({ where: 'route-server' });
    expect(String(record?.Detail.detail)).toContain('nothing to repair by order');
    const { alerts } = await readStatus(world.plane);
    expect(alerts.some((alert) => alert.reason === 'drift' && alert.detail.includes('nothing to repair'))).toBe(true);
    for (let i = 0; i < 15; i += 1) {
      await look(2, false);
      await readLearned(world.plane)({ group: GROUP });
    }
    expect(await repairs()).toEqual([]);
    expect(world.ledgerNow().orderGeneration).toBe(orderGeneration);
  });

  test('a wire that agrees drifts not', async () => {
    await look(90, false);
    expect(await driftRecords()).toEqual([]);
  });
});

describe('reading routes', () => {
  const read = () => readLearned(world.plane)({ group: GROUP });

  test('soon where an earlier rung may still be on the wire, otherwise once a minute', async () => {
    expect(world.ledgerNow().policy.vips.orders?.regions.northeurope?.maybe).not.toEqual([]);
    expect(await read()).toMatchObject({ ok: true, read: 2 });
    world.nowMs += 31_000;
    // Only northeurope, whose rung 5 may still be there.
    expect(await read()).toMatchObject({ ok: true, read: 1 });
    await world.report();
    await lookAndDeliver(world);
    expect(world.ledgerNow().policy.vips.orders?.regions.northeurope?.maybe).toEqual([]);
    world.nowMs += 20_000;
    expect(await read()).toMatchObject({ ok: true, read: 0 });
  });

  test('what cannot be read stays as it was known', async () => {
    world.outages.add('routes');
    expect(await read()).toEqual({ ok: true, read: 0, failed: 2 });
  });
});

describe('shipping', () => {
  const all = async () => (await world.plane.outbox.page({ group: GROUP, limit: 1000 })).records;

  test('ships in order and once; while ingestion is down records wait and arrive later, none lost', async () => {
    world.outages.add('sink');
    expect(await shipAudit(world.plane)({ group: GROUP })).toMatchObject({ ok: false, code: 'sink-down' });
    const waiting = await world.plane.outbox.depth(GROUP);
    expect(waiting).toBeGreaterThan(5);
    world.outages.delete('sink');
    expect(await shipAudit(world.plane)({ group: GROUP })).toEqual({ ok: true, shipped: waiting, setAside: 0 });
    expect(world.shipped).toEqual(await all());
    expect(await shipAudit(world.plane)({ group: GROUP })).toEqual({ ok: true, shipped: 0, setAside: 0 });
    expect(await world.plane.outbox.depth(GROUP)).toBe(0);
  });

  test('a record the service will never take is set aside and holds up nobody', async () => {
    const bad = (await all())[2] as AuditRecord;
    const arrived: AuditRecord[] = [];
    const sink = {
      async upload(records: readonly AuditRecord[]) {
        if (records.some((record) => record.EventId === bad.EventId)) {
          return records.map((record) => ({ record, detail: 'bad record', permanent: true }));
        }
        arrived.push(...records);
        return [];
      },
    };
    const before = await all();
    const result = await shipAudit({ ...world.plane, sink })({ group: GROUP });
    expect(result).toEqual({ ok: true, shipped: before.length - 1, setAside: 1 });
    expect(arrived.map((record) => record.EventId)).toEqual(
      before.map((one) => one.EventId).filter((id) => id !== bad.EventId),
    );
    expect((await all()).at(-1)).toMatchObject({
      ...{ Kind: 'config', Reason: 'audit-set-aside', Detail: { count: 1, eventIds: [bad.EventId] } },
    });
    expect(world.outbox.rows(GROUP).find((row) => row.record.EventId === bad.EventId)?.setAside).toBe('bad record');
  });

  test('days of outage are made up for within the limits of the service: size of a call, calls of a run', async () => {
    const [first] = await all();
    if (first === undefined) throw new Error('no records');
    const many = Array.from({ length: 3000 }, (_, i) => {
      const EventId = `default-9-${i}`;
      // Every hundredth is large, every thousandth will never be taken.
      const Detail = { text: 'x'.repeat(i % 100 === 0 ? 60_000 : 100), isBad: i % 1000 === 7 };
      return { ...first, EventId, Epoch: 9, ChainIndex: i, Detail };
    });
    await world.plane.outbox.append(GROUP, many);
    const arrived: string[] = [];
    let [calls, mostCalls, largest] = [0, 0, 0];
    const sink = {
      async upload(records: readonly AuditRecord[]) {
        calls += 1;
        largest = Math.max(largest, Buffer.byteLength(JSON.stringify(records)));
        // Now and then the way there fails in the middle of everything.
        if (calls % 17 === 16) return records.map((record) => ({ record, detail: '503', permanent: false }));
        const isBad = records.some((record) => record.Detail.isBad === true);
        if (isBad) return records.map((record) => ({ record, detail: 'bad', permanent: true }));
        arrived.push(...records.map((record) => record.EventId));
        return [];
      },
    };
    for (let i = 0; i < 40 && (await world.plane.outbox.depth(GROUP)) > 0; i += 1) {
      calls = i;
      await shipAudit({ ...world.plane, sink })({ group: GROUP });
      mostCalls = Math.max(mostCalls, calls - i);
    }
    expect(await world.plane.outbox.depth(GROUP)).toBe(0);
    const distinct = new Set(arrived);
    expect(many.filter((record) => !distinct.has(record.EventId)).map((record) => record.ChainIndex)).toEqual([
      7, 1007, 2007,
    ]);
    expect([largest < 1_000_000, mostCalls <= 500]).toEqual([true, true]);
  });
});
