// Schedules: due once whoever leads, held by the guards of automation, missed times reported and not made up for.
import { describe, expect, test } from '@jest/globals';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { drillCheck } from '../../functions/activities/drill.ts';
import { startDrills } from '../../functions/activities/start-drills.ts';
import type { OperationInput } from '../../functions/orchestrators/names.ts';
import { readOverview } from '../../functions/overview.ts';
import { latestSlotMs, nextSlotMs } from '../../functions/schedules.ts';
import { toStatus } from '../../functions/status-answer.ts';
import { parseTopology } from '../../shared/topology.ts';
import type { Schedule } from '../../shared/topology-schema.ts';
import { createTestPlane, GROUP, type TestPlane, testTopology } from '../support/plane.ts';
import { contoso } from '../support/topology.ts';

const MINUTE_MS = 60_000;
/** The tests' clock begins at 2026-09-21T14:13:20Z, a Monday. */
const AT_1420 = Date.parse('2026-09-21T14:20:00Z');
const NIGHTLY = { name: 'move', kind: 'failover', vip: 'orders', cron: '20 * * * *' };

async function scene(schedule: object, guards: object = {}): Promise<TestPlane> {
  const topology = testTopology((draft) => {
    draft.schedules = [schedule];
    draft.guards = { ...draft.guards, ...guards };
  });
  const world = createTestPlane({ topology });
  await until(world, AT_1420 - 4000);
  return world;
}

async function look(world: TestPlane) {
  await world.report();
  const looked = await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
  await world.plane.outbox.append(GROUP, world.ledgerNow().pending);
  if (!looked.ok) throw new Error(looked.code);
  return looked;
}

async function until(world: TestPlane, atMs: number): Promise<void> {
  while (world.nowMs < atMs) {
    world.nowMs = Math.min(atMs, world.nowMs + 20_000);
    await look(world);
  }
}

const acting = (world: TestPlane) => world.ledgerNow().policy.vips.orders?.acting;
const records = (world: TestPlane, kind: string) =>
  world.outbox.rows(GROUP).flatMap(({ record }) => (record.Kind === kind ? [record] : []));

describe('times', () => {
  test('are those of the zone, across the change of clocks', () => {
    const schedule = { cron: '0 3 * * 1', timeZone: 'Europe/Amsterdam' } as Schedule;
    expect(new Date(latestSlotMs(schedule, Date.parse('2026-10-26T01:59:59Z')) ?? 0).toISOString()).toBe(
      '2026-10-19T01:00:00.000Z',
    );
    expect(new Date(latestSlotMs(schedule, Date.parse('2026-10-26T02:00:00Z')) ?? 0).toISOString()).toBe(
      '2026-10-26T02:00:00.000Z',
    );
    expect(nextSlotMs({ cron: '0 0 1 1 *', timeZone: 'UTC' } as Schedule, AT_1420)).toBe(Date.parse('2027-01-01'));
  });
});

describe('a scheduled move', () => {
  test('is made once when its time comes, by automation, on record', async () => {
    const world = await scene(NIGHTLY);
    expect(acting(world)).toBe('westeurope');
    await until(world, AT_1420 + 30_000);
    expect(acting(world)).toBe('northeurope');
    expect(records(world, 'intent').map((record) => [record.Reason, record.Actor, record.ActorType])).toEqual([
      ['asked', 'schedule move', 'automation'],
      ['carried-out', 'schedule move', 'automation'],
    ]);
    const overview = await readOverview(world.plane, GROUP);
    if (overview === undefined) throw new Error('no ledger');
    const frame = { deployment: '', nowMs: world.nowMs, seat: '', ledger: 'ok' as const, outboxDepth: 0 };
    expect(toStatus(frame, [overview]).schedules).toMatchObject([
      { schedule: 'move', nextAtMs: AT_1420 + 3600_000, last: { slotMs: AT_1420, outcome: 'carried-out' } },
    ]);
  });

  test('is not made again by the seat that leads next', async () => {
    const world = await scene(NIGHTLY);
    await until(world, AT_1420 + 10_000);
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    world.nowMs += 25_000;
    await other.report();
    await decideAndCommit(other.plane)({ group: GROUP, correlationId: 'c' });
    expect(world.ledgerNow().seat).toBe('seat-ne');
    expect(acting(world)).toBe('northeurope');
    expect(records(world, 'intent').filter((record) => record.Reason === 'asked')).toHaveLength(1);
  });

  test('is refused while a person holds, with the guard on record', async () => {
    const world = await scene(NIGHTLY);
    const who = { actor: 'ops', actorType: 'human', reason: 'change' } as const;
    const wish = { type: 'hold', id: 'h', vip: null, seconds: 3600, full: false, ...who } as const;
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c', wish });
    await until(world, AT_1420 + 30_000);
    expect(acting(world)).toBe('westeurope');
    expect(records(world, 'intent').at(-1)).toMatchObject({ Reason: 'refused' });
    expect(records(world, 'blocked').at(-1)).toMatchObject({ Reason: 'hold' });
  });

  test('that nobody was there for is missed: said once, never made up for', async () => {
    const world = await scene(NIGHTLY);
    world.nowMs = AT_1420 + 10 * MINUTE_MS;
    await look(world);
    await until(world, AT_1420 + 12 * MINUTE_MS);
    expect(acting(world)).toBe('westeurope');
    const missed = records(world, 'intent').filter((record) => record.Reason === 'missed');
    expect(missed).toMatchObject([{ Vip: 'orders', Detail: { slotMs: AT_1420, lateMs: 10 * MINUTE_MS } }]);
  });

  test('turned off does nothing and misses nothing', async () => {
    const world = await scene({ ...NIGHTLY, enabled: false });
    await until(world, AT_1420 + 5 * MINUTE_MS);
    expect([acting(world), records(world, 'intent').length]).toEqual(['westeurope', 0]);
  });
});

describe('a scheduled drill', () => {
  const DRILL = { ...NIGHTLY, name: 'monthly', kind: 'drill', seconds: 30 };
  const started = async (world: TestPlane) => {
    const inputs = new Map<string, OperationInput>();
    const client = {
      startNew: async (_name: string, options?: { instanceId?: string; input?: unknown }) => {
        inputs.set(options?.instanceId ?? '', options?.input as OperationInput);
        return '';
      },
      getStatus: async (id: string) => {
        if (!inputs.has(id)) throw new Error('HTTP 404');
        return {} as never;
      },
    };
    const looked = await look(world);
    for (let i = 0; i < 2; i += 1)
      await startDrills(world.plane, client, { group: GROUP, drills: looked.drills ?? [] });
    return [...inputs.values()];
  };
  const check = (world: TestPlane, input: OperationInput) =>
    drillCheck(world.plane)({
      ...{ group: GROUP, vip: input.vip, to: input.region, operation: input.id },
      ...(input.scheduled && { scheduled: input.scheduled }),
    });

  test('starts once and is taken up once, asked again or by another', async () => {
    const world = await scene(DRILL);
    expect(await started(world)).toEqual([]);
    world.nowMs = AT_1420;
    const [input, ...more] = await started(world);
    if (input === undefined) throw new Error('not started');
    expect(more).toEqual([]);
    expect(input).toMatchObject({ kind: 'drill', vip: 'orders', actor: 'schedule monthly', seconds: 30 });
    expect(await check(world, input)).toMatchObject({ ok: true, to: 'northeurope', problems: [] });
    expect(await check(world, input)).toMatchObject({ problems: [] });
    expect(await check(world, { ...input, id: 'op-else' })).toMatchObject({ problems: [{ code: 'taken' }] });
    expect((await look(world)).drills).toBeUndefined();
  });

  test('does not begin outside its windows, under a hold, or on a seat that follows', async () => {
    const world = await scene(DRILL, { drillWindows: [{ from: '01:00', to: '04:00' }] });
    const who = { actor: 'ops', actorType: 'human', reason: 'change' } as const;
    const wish = { type: 'hold', id: 'h', vip: 'orders', seconds: 3600, full: false, ...who } as const;
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c', wish });
    world.nowMs = AT_1420;
    const [input] = await started(world);
    if (input === undefined) throw new Error('not started');
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    expect(await check(other, input)).toMatchObject({
      problems: expect.arrayContaining([{ code: 'not-leader', detail: 'another seat leads' }]),
    });
    const said = await check(world, input);
    expect(said.ok && said.problems.map((problem) => problem.code)).toEqual(['hold', 'window']);
  });
});

test('schedules that could never do what they say are refused, all at once', () => {
  const draft = contoso();
  draft.schedules = [
    { ...NIGHTLY, cron: '61 * * * *' },
    { ...NIGHTLY, timeZone: 'Mars/Olympus' },
    { ...NIGHTLY, name: 'b', vip: 'nope' },
    { ...NIGHTLY, name: 'c', to: 'mars' },
    { ...NIGHTLY, name: 'd', cron: '0 0 30 2 *' },
    { ...NIGHTLY, name: 'e', kind: 'failback', to: 'westeurope' },
  ];
  const parsed = parseTopology(JSON.stringify(draft));
  const found = parsed.ok ? [] : parsed.error.map(({ path, code }) => `${path} ${code}`);
  expect(found).toEqual([
    'schedules[0].cron malformed',
    'schedules[1].name duplicate-name',
    'schedules[1].timeZone malformed',
    'schedules[2].vip unknown-vip',
    'schedules[3].to unknown-region',
    'schedules[4].cron never',
    'schedules[5].to unused',
  ]);
});
