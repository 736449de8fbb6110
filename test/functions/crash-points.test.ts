// Kills the process before and after every single call of evaluate, operation, drill and shipping; nothing may be lost,
// doubled or left out. CRASH_POINTS=all kills at every call, an ordinary run at a spread of them; CRASH_POINTS_FILE is
// told how many. What a crash interrupts is an activity: the durable host runs it again from its beginning.
import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import { drillCheck, drillRecord, readCancelled } from '../../functions/activities/drill.ts';
import { gather } from '../../functions/activities/gather.ts';
import { recordDelivery } from '../../functions/activities/record-delivery.ts';
import { shipAudit } from '../../functions/activities/ship-audit.ts';
import { verifyStep } from '../../functions/activities/verify-step.ts';
import { sha256 } from '../../functions/audit-chain.ts';
import type { Plane } from '../../functions/deployment.ts';
import type { Intent } from '../../functions/engine/types.ts';
import { drill } from '../../functions/orchestrators/drill.ts';
import { evaluate } from '../../functions/orchestrators/evaluate.ts';
import type { OperationInput } from '../../functions/orchestrators/names.ts';
import { operation } from '../../functions/orchestrators/operation.ts';
import { type AuditRecord, CHAIN_START, chainedText } from '../../shared/audit.ts';
import { drive } from '../support/orchestration.ts';
import { createTestPlane, GROUP, type TestPlane } from '../support/plane.ts';

class Crash extends Error {}

interface Kill {
  /** Number of the call at which the process dies; 0: never. */
  readonly at: number;
  readonly when: 'before' | 'after';
}

interface Run {
  readonly world: TestPlane;
  calls: number;
  plane: Plane;
}

const PORTS = ['ledger', 'reports', 'proofs', 'outbox', 'orders', 'probe', 'signer', 'routes', 'sink'] as const;

/** A new process: its ports are new objects, so that nothing it remembered survives. */
function boot(run: Run, kill: Kill): Plane {
  const mortal = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'function') return member;
        return async (...given: unknown[]) => {
          run.calls += 1;
          const dies = run.calls === kill.at;
          if (dies && kill.when === 'before') throw new Crash();
          const result = await (member as (...args: unknown[]) => unknown).apply(target, given);
          if (dies) throw new Crash();
          return result;
        };
      },
    });
  const ports = Object.fromEntries(PORTS.map((name) => [name, mortal(run.world.plane[name] as object)]));
  return { ...run.world.plane, ...ports } as Plane;
}

const ACTIVITIES: Readonly<Record<string, (plane: Plane) => (input: never) => Promise<unknown>>> = {
  ...{ gather, decideAndCommit, auditAhead, deliverOrder, recordDelivery, verifyStep, shipAudit },
  ...{ drillCheck, drillRecord, readCancelled, startVerify: () => async () => ({ ok: true }) },
};

/** Runs an activity until a process lives long enough to finish it. */
async function survive(run: Run, kill: Kill, name: string, input: unknown): Promise<unknown> {
  for (let tries = 0; tries < 3; tries += 1) {
    try {
      return await (ACTIVITIES[name] as (typeof ACTIVITIES)[string])(run.plane)(input as never);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      run.plane = boot(run, kill);
    }
  }
  throw new Error('crashed more than once');
}

type Story = (
  run: Run,
  activity: (name: string, input: unknown, nowMs: number) => Promise<unknown>,
) => Promise<unknown>;

async function tell(story: Story, kill: Kill): Promise<{ run: Run; output: unknown }> {
  const world = createTestPlane();
  for (let i = 0; i < 3; i += 1) await step(world, world.plane);
  const run: Run = { world, calls: 0, plane: world.plane };
  const deliver = world.plane.orders.deliver;
  // Nothing may be carried out whose records could still be lost.
  Object.assign(world.plane.orders, {
    deliver: async (...given: Parameters<typeof deliver>) => {
      const last = world.ledgerNow().pending.at(-1);
      if (last && !(await world.outbox.has(GROUP, last))) throw new Error('delivered before it was on record');
      return deliver(...given);
    },
  });
  run.plane = boot(run, kill);
  const output = await story(run, async (name, input, nowMs) => {
    if (nowMs > world.nowMs) world.nowMs = nowMs;
    await world.report();
    return survive(run, kill, name, input);
  });
  const calls = run.calls;
  for (let i = 0; i < 2; i += 1) await step(world, world.plane, 2000);
  run.calls = calls;
  return { run, output };
}

async function step(world: TestPlane, plane: Plane, ms = 40_000): Promise<void> {
  world.nowMs += ms;
  await world.report();
  const looked = await decideAndCommit(plane)({ group: GROUP, correlationId: 'settle' });
  if (!looked.ok) throw new Error(looked.code);
  await auditAhead(plane)({ group: GROUP });
  await Promise.all(looked.deliver.map((nva) => deliverOrder(plane)({ group: GROUP, nva })));
}

const recordsOf = ({ world }: Run): AuditRecord[] => world.outbox.rows(GROUP).map((row) => row.record);

/** No gap, no edit, no record twice, up to the very head of the ledger. */
function checkChain(run: Run): void {
  const records = recordsOf(run);
  let hash = CHAIN_START;
  for (const [index, record] of records.entries()) {
    expect([record.ChainIndex, record.PrevHash]).toEqual([index, hash]);
    expect(sha256(chainedText(record))).toBe(record.Hash);
    hash = record.Hash;
  }
  expect(run.world.ledgerNow().chain).toMatchObject({ index: records.length - 1, hash });
}

/** Who began to act for a vip, in order. */
const movesOf = (run: Run, vip: string): string[] =>
  recordsOf(run).flatMap((record) =>
    record.Kind === 'decision' && record.Vip === vip && /^backup.*/.test(record.Before) && /^primary/.test(record.After)
      ? [record.Region]
      : [],
  );

const intentOf = (world: TestPlane, more: Partial<Intent> = {}): Intent => ({
  ...{ id: 'i-1', type: 'failover', vip: 'orders', actor: 'ops', actorType: 'human', reason: 'patch', force: [] },
  ...{ createdAtMs: world.nowMs, deadlineMs: world.nowMs + 120_000, operation: 'op-1' },
  ...more,
});

const inputOf = (world: TestPlane, intent: Intent, kind: OperationInput['kind']): OperationInput => ({
  ...{ id: 'op-1', kind, group: GROUP, vip: 'orders', region: intent.region ?? null, reason: 'patch', bodyHash: '' },
  ...{ actor: 'ops', actorType: 'human', createdAtMs: world.nowMs, deadlineMs: intent.deadlineMs, seconds: 5 },
  wish: { type: 'intent', intent },
});

const STORIES: readonly (readonly [string, Story, (run: Run, output: unknown) => void])[] = [
  [
    'evaluate',
    async ({ world }, activity) => {
      const we = world.agents.get('we-nva-1');
      if (we) we.verdict = 'unhealthy';
      const input = { group: GROUP, notBeforeMs: 0 };
      return (await drive(evaluate, { input, startMs: world.nowMs, activity })).output;
    },
    (run) => {
      expect(movesOf(run, 'orders')).toEqual(['northeurope']);
      const row = run.world.agents.get('ne-nva-1')?.order?.vips.find((one) => one.vip === 'orders');
      expect(row).toMatchObject({ rung: 3, state: 'announced' });
    },
  ],
  [
    'operation: a failover to wherever is best',
    async ({ world }, activity) => {
      const input = inputOf(world, intentOf(world), 'failover');
      return (await drive(operation, { input, instanceId: 'op-1', startMs: world.nowMs, activity })).output;
    },
    (run, output) => {
      expect(movesOf(run, 'orders')).toEqual(['northeurope']);
      expect(output).toMatchObject({ state: 'proved' });
      expect(recordsOf(run).filter((record) => record.Kind === 'intent' && record.Reason === 'asked')).toHaveLength(1);
    },
  ],
  [
    'operation: a drain',
    async ({ world }, activity) => {
      const intent = intentOf(world, { type: 'drain', region: 'westeurope' });
      const input = inputOf(world, intent, 'drain');
      return (await drive(operation, { input, instanceId: 'op-1', startMs: world.nowMs, activity })).output;
    },
    (run, output) => {
      expect(movesOf(run, 'orders')).toEqual(['northeurope']);
      expect(output).toMatchObject({ state: 'proved' });
      expect(run.world.ledgerNow().policy.vips.orders?.regions.westeurope?.role).toBe('drained');
    },
  ],
  [
    'drill',
    async ({ world }, activity) => {
      const input = inputOf(world, intentOf(world), 'drill');
      return (await drive(drill, { input, instanceId: 'op-1', startMs: world.nowMs, activity })).output;
    },
    (run, output) => {
      expect(movesOf(run, 'orders')).toEqual(['northeurope', 'westeurope']);
      expect(output).toMatchObject({ state: 'proved', report: { phases: [{ proved: true }, { proved: true }] } });
      const drills = recordsOf(run).filter((record) => record.Kind === 'drill');
      expect(drills.map((record) => [record.CorrelationId, record.Reason])).toEqual([['op-1', 'proved']]);
      expect(run.world.ledgerNow().lastDrills.orders).toMatchObject({ operation: 'op-1', state: 'proved' });
    },
  ],
  [
    'shipping',
    async (_run, activity) => {
      const results = [];
      for (let i = 0; i < 2; i += 1) results.push(await activity('shipAudit', { group: GROUP }, 0));
      return results;
    },
    (run) => {
      const arrived = new Set((run.world.shipped as AuditRecord[]).map((record) => record.EventId));
      const shipped = recordsOf(run).slice(0, arrived.size);
      expect(shipped.map((record) => record.EventId)).toEqual([...arrived]);
      expect(arrived.size).toBeGreaterThan(3);
    },
  ],
];

/** Points tried in an ordinary run; `CRASH_POINTS=all` tries every one (minutes). */
const POINTS_MAX = 16;

/** Spread over the whole story, others before than after. */
function pointsOf(calls: number, when: Kill['when']): number[] {
  const all = Array.from({ length: calls }, (_, i) => i + 1);
  if (process.env.CRASH_POINTS === 'all' || calls <= POINTS_MAX) return all;
  const stride = calls / POINTS_MAX;
  const offset = when === 'before' ? 0 : stride / 2;
  return [...new Set(all.slice(0, POINTS_MAX).map((_, i) => 1 + Math.floor(i * stride + offset)))];
}

let kills = 0;
afterAll(() => {
  const file = process.env.CRASH_POINTS_FILE;
  if (file !== undefined) writeFileSync(file, String(kills));
});

describe.each(STORIES)('%s', (_name, story, check) => {
  test('killed before or after any of its calls ends as if it had not been', async () => {
    const { run, output } = await tell(story, { at: 0, when: 'before' });
    check(run, output);
    checkChain(run);
    expect(run.calls).toBeGreaterThan(2);
    for (const when of ['before', 'after'] as const) {
      for (const at of pointsOf(run.calls, when)) {
        const killed = await tell(story, { at, when });
        kills += 1;
        try {
          check(killed.run, killed.output);
          checkChain(killed.run);
        } catch (error) {
          throw new Error(`killed ${when} call ${at}: ${(error as Error).message}`);
        }
      }
    }
  }, 600_000);
});
