// A deployment while orchestrations run. Each is replayed from the sequence of calls that this version was released
// with: as long as that holds, an instance of any age goes on in newer code. One that cannot is ended by the host, says
// so, and what it had begun is neither lost nor doubled.
//
// HISTORIES_REWRITE=1 writes the sequences anew. Before that is kept: a changed sequence ends instances that are under
// way, so the old one stays registered under its name and the new one gets another.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { OrchestrationContext } from 'durable-functions';
import { OrchestrationRuntimeStatus } from 'durable-functions';
import { auditAhead } from '../../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../../functions/activities/deliver-order.ts';
import { drillCheck, drillRecord, readCancelled } from '../../../functions/activities/drill.ts';
import { gather } from '../../../functions/activities/gather.ts';
import type { DecideResult } from '../../../functions/activities/names.ts';
import { readLearned } from '../../../functions/activities/read-learned.ts';
import { recordDelivery } from '../../../functions/activities/record-delivery.ts';
import { shipAudit } from '../../../functions/activities/ship-audit.ts';
import { startVerify } from '../../../functions/activities/start-verify.ts';
import { verifyStep } from '../../../functions/activities/verify-step.ts';
import type { Plane } from '../../../functions/deployment.ts';
import { OWN_PROOF_MS } from '../../../functions/limits.ts';
import { drill } from '../../../functions/orchestrators/drill.ts';
import { evaluate } from '../../../functions/orchestrators/evaluate.ts';
import type { OperationInput } from '../../../functions/orchestrators/names.ts';
import { operation } from '../../../functions/orchestrators/operation.ts';
import { call, lookOnce, type Steps } from '../../../functions/orchestrators/steps.ts';
import { upkeep } from '../../../functions/orchestrators/upkeep.ts';
import { verify } from '../../../functions/orchestrators/verify.ts';
import { readOperation } from '../../../functions/triggers/operations.ts';
import { drive, type Yielded } from '../../support/orchestration.ts';
import { createTestPlane, GROUP, type TestPlane } from '../../support/plane.ts';

const ACTIVITIES: Readonly<Record<string, (plane: Plane) => (input: never) => Promise<unknown>>> = {
  ...{ gather, decideAndCommit, auditAhead, deliverOrder, recordDelivery, verifyStep, shipAudit, readLearned },
  ...{ drillCheck, drillRecord, readCancelled },
  startVerify: () => async () => ({ ok: true }),
  purgeHistory: () => async () => ({ ok: true }),
};

async function newWorld(): Promise<TestPlane> {
  const world = createTestPlane();
  for (let i = 0; i < 3; i += 1) {
    world.nowMs += 40_000;
    await world.report();
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    await auditAhead(world.plane)({ group: GROUP });
    for (const nva of world.agents.keys()) await deliverOrder(world.plane)({ group: GROUP, nva });
  }
  await world.report();
  return world;
}

const inputOf = (world: TestPlane, kind: OperationInput['kind']): OperationInput => {
  const who = { actor: 'ops', actorType: 'human' as const, reason: 'patch', createdAtMs: world.nowMs };
  const deadlineMs = world.nowMs + 120_000;
  const intent = { id: 'op-1-i', type: 'failover' as const, vip: 'orders', region: 'northeurope', force: [], ...who };
  return {
    ...{ id: 'op-1', kind, group: GROUP, vip: 'orders', region: 'northeurope', bodyHash: 'x', seconds: 30, ...who },
    deadlineMs,
    wish: { type: 'intent', intent: { ...intent, deadlineMs, operation: 'op-1' } },
  };
};

type Orchestrator<T> = (context: OrchestrationContext) => Generator<never, T, unknown>;
const asOrchestrator = <T>(run: unknown) => run as Parameters<typeof drive<T>>[0] & Orchestrator<T>;

function runOn<T>(world: TestPlane, orchestrator: unknown, input: unknown, instanceId = 'op-1') {
  return drive(asOrchestrator<T>(orchestrator), {
    ...{ input, instanceId, startMs: world.nowMs },
    activity: async (name, given, nowMs) => {
      world.nowMs = Math.max(world.nowMs, nowMs);
      await world.report();
      return (ACTIVITIES[name] as (typeof ACTIVITIES)[string])(world.plane)(given as never);
    },
  });
}

const RELEASED: readonly (readonly [string, (world: TestPlane) => Promise<{ yields: readonly Yielded[] }>])[] = [
  ['evaluate', (world) => runOn(world, evaluate, { group: GROUP, notBeforeMs: 0 })],
  ['operation', (world) => runOn(world, operation, inputOf(world, 'failover'))],
  ['drill', (world) => runOn(world, drill, inputOf(world, 'drill'))],
  ['upkeep', (world) => runOn(world, upkeep, { group: GROUP, purge: true })],
  ['verify', (world) => runOn(world, verify, { group: GROUP, decisionId: 'd-none' })],
];

/** What a replay compares: kinds and names, in order. */
const called = (yields: readonly Yielded[]): string[] =>
  yields.map((one) =>
    one.type === 'activity' ? one.name : one.type === 'all' ? `all ${one.names.join(' ')}` : 'timer',
  );

describe('the sequence of calls is the one that was released', () => {
  test.each(RELEASED)('%s', async (name, run) => {
    const file = join(import.meta.dirname, 'histories', `${name}.txt`);
    const now = `${called((await run(await newWorld())).yields).join('\n')}\n`;
    if (process.env.HISTORIES_REWRITE !== undefined) writeFileSync(file, now);
    expect(existsSync(file)).toBe(true);
    expect(now).toBe(readFileSync(file, 'utf8'));
  });
});

/** How an earlier version may have gone about an operation: it recorded nothing of the delivery, and waited at once. */
function* earlierOperation(context: OrchestrationContext): Steps<DecideResult> {
  const { group, wish } = context.df.getInput<OperationInput>();
  const looked = yield* lookOnce(context, { group, correlationId: context.df.instanceId, wish });
  yield* call(context, 'auditAhead', { group });
  return looked;
}

const movesOf = async (world: TestPlane) => {
  const { records } = await world.outbox.page({ group: GROUP, limit: 1000 });
  return records.filter((one) => one.Kind === 'decision' && one.Detail.kind === 'move').map((one) => one.Region);
};

describe('an instance of an earlier version that cannot go on', () => {
  test('says so; asked again, its wish is found carried out, delivered and proved, and moves nothing twice', async () => {
    const world = await newWorld();
    const input = inputOf(world, 'failover');
    const before = await runOn<DecideResult>(world, earlierOperation, input);
    expect(before.output).toMatchObject({ ok: true, wish: { outcome: 'carried-out' } });
    const client = {
      startNew: async () => '',
      getStatus: async () =>
        ({ input, runtimeStatus: OrchestrationRuntimeStatus.Failed, output: 'Non-Deterministic workflow' }) as never,
    };
    const shown = await readOperation(client, 'op-1');
    expect(shown?.operation).toMatchObject({ state: 'failed', problems: [{ code: 'orchestration' }] });
    const { output } = await runOn<{ state: string; decisionId: string }>(world, operation, input);
    const { decisionId } = before.output as Extract<DecideResult, { ok: true }>;
    expect(output).toMatchObject({ state: 'proved', decisionId });
    expect(await movesOf(world)).toEqual(['northeurope']);
  });

  test('not asked again, its order is delivered by the next look, and its proof is looked at once nobody else does', async () => {
    const world = await newWorld();
    await runOn(world, earlierOperation, inputOf(world, 'failover'));
    const look = async () => {
      const { yields, output } = await runOn<{ delivered: number }>(
        world,
        evaluate,
        { group: GROUP, notBeforeMs: 0 },
        'e',
      );
      return { names: called(yields), delivered: output.delivered };
    };
    const first = await look();
    expect(first.names).toContain('all deliverOrder deliverOrder');
    expect(first.names).not.toContain('startVerify');
    world.nowMs += OWN_PROOF_MS + 1000;
    await world.report();
    expect((await look()).names).toContain('startVerify');
    expect(await movesOf(world)).toEqual(['northeurope']);
  });

  test('a verify that the deployment ended is begun anew, one that ended well is not', async () => {
    const started: string[] = [];
    const client = (runtimeStatus: OrchestrationRuntimeStatus) => ({
      startNew: async (_name: string, options?: { instanceId?: string }) => {
        started.push(options?.instanceId ?? '');
        return '';
      },
      getStatus: async () => ({ runtimeStatus }) as never,
    });
    const { Completed, Failed } = OrchestrationRuntimeStatus;
    const input = { group: GROUP, decisionIds: ['d-1'] };
    expect(await startVerify(client(Completed), input)).toEqual({ ok: true });
    expect(started).toEqual([]);
    expect(await startVerify(client(Failed), input)).toEqual({ ok: true });
    expect(started).toEqual(['verify-d-1']);
  });
});
