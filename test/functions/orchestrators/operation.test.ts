// operation and drill from request to proof: states, steps, deadlines, and histories that stay short.
import { describe, expect, test } from '@jest/globals';
import type { DecideResult, VerifyResult, WishOutcome } from '../../../functions/activities/names.ts';
import type { Intent } from '../../../functions/engine/types.ts';
import { PROOF_WAITS_MS } from '../../../functions/limits.ts';
import { drill } from '../../../functions/orchestrators/drill.ts';
import type { OperationInput } from '../../../functions/orchestrators/names.ts';
import { operation } from '../../../functions/orchestrators/operation.ts';
import { verify } from '../../../functions/orchestrators/verify.ts';
import { drive } from '../../support/orchestration.ts';

const T0 = 1_790_000_000_000;
const INPUT: OperationInput = {
  ...{ id: 'op-1', kind: 'failover', group: 'default', vip: 'orders', region: 'ne', actor: 'ops', actorType: 'human' },
  ...{ reason: 'patch', createdAtMs: T0, deadlineMs: T0 + 120_000, bodyHash: 'x', seconds: 30 },
  wish: { type: 'release', id: 'h-1', actor: 'ops', actorType: 'human' },
};
const STEP = { vip: 'orders', region: 'ne', step: 'agent', proof: 'proved', detail: '1/1' } as const;
const PROVED: VerifyResult = { ok: true, isDone: true, state: 'proved', steps: [STEP], outageMs: 40, latencyMs: 3 };
const WAITING: VerifyResult = {
  ...PROVED,
  isDone: false,
  state: 'waiting',
  steps: [{ ...STEP, proof: 'waiting' }],
  outageMs: 90,
};

const looked = (outcome: WishOutcome['outcome'], isActed = true): DecideResult => ({
  ok: true,
  leads: true,
  decisionId: 'd-1',
  sequence: { epoch: 1, generation: 7 },
  isCommitted: true,
  deliver: isActed ? ['ne-nva-1'] : [],
  proofs: isActed ? [{ decisionId: 'd-1', operation: 'op-1' }] : [],
  nextLookMs: T0 + 60_000,
  wish: { outcome, reasons: outcome === 'refused' ? [{ code: 'target-unhealthy', detail: 'ne is unhealthy' }] : [] },
});

const run = (looks: readonly DecideResult[], proofs: readonly VerifyResult[]) => {
  let [look, proof] = [0, 0];
  return drive(operation, {
    input: INPUT,
    instanceId: 'op-1',
    startMs: T0,
    activity: (name) => {
      if (name === 'decideAndCommit') return looks[Math.min(look++, looks.length - 1)];
      if (name === 'verifyStep') return proofs[Math.min(proof++, proofs.length - 1)];
      if (name === 'deliverOrder') return { ok: true, nva: 'ne-nva-1', sequence: { epoch: 1, generation: 7 } };
      return { ok: true, probed: [] };
    },
  });
};

describe('operation', () => {
  test('committed, delivered, proved: each step shows while it runs', async () => {
    const { output, customStatuses } = await run([looked('carried-out')], [WAITING, PROVED]);
    expect(output).toMatchObject({ state: 'proved', decisionId: 'd-1', generation: 7, problems: [], outageMs: 90 });
    expect(output.steps.map((step) => `${step.name}=${step.proof}`)).toEqual([
      'committed=proved',
      'delivered=proved',
      'agent orders ne=proved',
    ]);
    const states = customStatuses.map((status) => (status as { state: string; steps: unknown[] }).steps.length);
    expect(states).toEqual([1, 2, 3, 3, 3]);
  });

  test('refused with the reasons, and nothing is delivered by it', async () => {
    const { output, yields } = await run([looked('refused', false)], []);
    expect(output).toMatchObject({ state: 'refused', problems: [{ code: 'target-unhealthy' }] });
    expect(yields.some((one) => one.type === 'all')).toBe(false);
  });

  test('already so', async () => {
    expect((await run([looked('already-so', false)], [])).output.state).toBe('already-so');
  });

  test('waits for its turn, then is carried out', async () => {
    const { output, endedAtMs } = await run([looked('waiting', false), looked('carried-out')], [PROVED]);
    expect(output.state).toBe('proved');
    expect(endedAtMs).toBe(T0 + 5000);
  });

  test('expires at its deadline when storage never answers, within 200 events', async () => {
    const { output, endedAtMs, yields } = await run([{ ok: false, code: 'ledger-read', detail: 'down' }], []);
    expect(output).toMatchObject({ state: 'expired', problems: [{ code: 'ledger-read', detail: 'down' }] });
    expect(endedAtMs).toBeLessThanOrEqual(INPUT.deadlineMs);
    expect(yields.length).toBeLessThan(70);
  });

  test('a proof that stays open to the end is not proved, and the last look is said to be the last', async () => {
    const failed: VerifyResult = {
      ...PROVED,
      state: 'failed',
      steps: [{ ...STEP, proof: 'failed', detail: 'holds nothing' }],
    };
    const proofs = [...PROOF_WAITS_MS.map(() => WAITING), failed];
    const { output, yields } = await run([looked('carried-out')], proofs);
    expect(output).toMatchObject({
      state: 'not-proved',
      problems: [{ code: 'proof-failed', detail: 'agent of ne: holds nothing' }],
    });
    const looks = yields.flatMap((one) => (one.type === 'activity' && one.name === 'verifyStep' ? [one.input] : []));
    expect(looks.map((input) => (input as { isLast: boolean }).isLast)).toEqual([
      ...PROOF_WAITS_MS.map(() => false),
      true,
    ]);
  });
});

describe('later, cancelled, elsewhere', () => {
  const waiting = looked('waiting', false) as Extract<DecideResult, { ok: true }>;
  const intent = { id: 'i-1', type: 'failover', notBeforeMs: T0 + 3600_000, operation: 'op-1' } as Intent;
  const later = { ...INPUT, deadlineMs: T0 + 3600_000 + 120_000, wish: { type: 'intent' as const, intent } };
  const drivenBy = (looks: readonly DecideResult[], input: OperationInput = later) => {
    let at = 0;
    const activity = (name: string) => (name === 'decideAndCommit' ? looks[Math.min(at++, looks.length - 1)] : PROVED);
    return drive(operation, { input, instanceId: 'op-1', startMs: T0, activity });
  };

  test('sleeps until its time in one timer, shown as scheduled', async () => {
    const { output, yields, customStatuses, endedAtMs } = await drivenBy([waiting, looked('carried-out')]);
    expect([output.state, endedAtMs]).toEqual(['proved', T0 + 3600_000]);
    expect(yields.filter((one) => one.type === 'timer')).toEqual([{ type: 'timer', atMs: T0 + 3600_000 }]);
    expect(customStatuses[0]).toMatchObject({ state: 'scheduled' });
  });

  test('ends as cancelled when it was, and as carried out when another seat did it', async () => {
    const reasons = [{ code: 'cancelled', detail: 'by boss' }];
    const cancelled = { ...waiting, wish: { outcome: 'cancelled' as const, reasons } };
    expect((await drivenBy([waiting, cancelled])).output).toMatchObject({ state: 'cancelled', problems: reasons });
    const done = { outcome: 'carried-out' as const, reasons: [], decisionId: 'd-9', generation: 9 };
    const { output, yields } = await drivenBy([waiting, { ...waiting, leads: false, decisionId: '', wish: done }]);
    expect(output).toMatchObject({ state: 'proved', decisionId: 'd-9', generation: 9 });
    expect(yields.at(-1)).toMatchObject({ name: 'verifyStep', input: { decisionId: 'd-9' } });
  });

  test('several groups one after the other; the worst of them is the answer', async () => {
    const input: OperationInput = { ...INPUT, alsoGroups: ['payments'] };
    const both = await drivenBy([looked('carried-out'), looked('refused', false)], input);
    expect(both.output).toMatchObject({ state: 'refused', problems: [{ code: 'target-unhealthy' }] });
    expect(both.output.steps.map((step) => step.name)).toContain('committed (default)');
    const states = both.customStatuses.map((status) => (status as { state: string }).state);
    expect(states.slice(0, -1).every((state) => state === 'running')).toBe(true);
  });
});

describe('verify', () => {
  test('stops looking when it is settled; a whole one stays below 200 events', async () => {
    const { yields } = await drive(verify, {
      input: { group: 'default', decisionId: 'd-1' },
      startMs: T0,
      activity: () => WAITING,
    });
    // Each look is four events with its turn, each wait four.
    expect(yields.length * 4 + 3).toBeLessThan(200);
    const short = await drive(verify, {
      input: { group: 'default', decisionId: 'd-1' },
      startMs: T0,
      activity: () => PROVED,
    });
    expect(short.yields).toHaveLength(1);
  });
});

describe('drill', () => {
  const runDrill = (check: unknown, looks: readonly DecideResult[]) => {
    let look = 0;
    return drive(drill, {
      input: { ...INPUT, kind: 'drill' },
      instanceId: 'op-1',
      startMs: T0,
      activity: (name) => {
        if (name === 'drillCheck') return check;
        if (name === 'decideAndCommit') return looks[Math.min(look++, looks.length - 1)];
        if (name === 'verifyStep') return PROVED;
        if (name === 'deliverOrder') return { ok: true, nva: 'ne-nva-1', sequence: { epoch: 1, generation: 7 } };
        return { ok: true, probed: [] };
      },
    });
  };
  const well = { ok: true, from: 'we', to: 'ne', problems: [] };

  test('goes there, stays, comes back, and reports what was measured', async () => {
    const { output, endedAtMs, yields } = await runDrill(well, [looked('carried-out')]);
    expect(output.report).toEqual({
      outageMs: 40,
      phases: [
        { name: 'failover to ne', proved: true, ms: 0, latencyMs: 3 },
        { name: 'failback to we', proved: true, ms: 0, latencyMs: 3 },
      ],
    });
    expect(output.state).toBe('proved');
    expect(endedAtMs).toBe(T0 + 30_000);
    const wishes = yields.flatMap((one) =>
      one.type === 'activity' && one.name === 'decideAndCommit'
        ? [(one.input as { wish: { intent: { id: string; region: string } } }).wish]
        : [],
    );
    expect(wishes.map(({ intent }) => [intent.id, intent.region])).toEqual([
      ['op-1-there', 'ne'],
      ['op-1-back', 'we'],
    ]);
    expect(yields.at(-1)).toMatchObject({ name: 'drillRecord' });
  });

  test('cancelled while it stays: goes back at once and says so', async () => {
    let isCancelled = false;
    const { output, endedAtMs, yields, customStatuses } = await drive(drill, {
      input: { ...INPUT, kind: 'drill', seconds: 600 },
      instanceId: 'op-1',
      startMs: T0,
      activity: (name, _input, nowMs) => {
        if (name === 'drillCheck') return well;
        if (name === 'readCancelled') {
          isCancelled = nowMs >= T0 + 90_000;
          return { ok: true, isCancelled };
        }
        if (name === 'decideAndCommit') return looked('carried-out');
        return name === 'verifyStep' ? PROVED : { ok: true };
      },
    });
    expect([output.state, endedAtMs]).toEqual(['cancelled', T0 + 90_000]);
    expect(output.report.phases.map((phase) => phase.name)).toEqual(['failover to ne', 'failback to we']);
    expect(yields.length).toBeLessThan(60);
    const before = customStatuses.slice(0, -1).map((status) => (status as { state: string }).state);
    expect(new Set(before)).toEqual(new Set(['running']));
  });

  test('comes back also from where it could not prove to be', async () => {
    const failed: VerifyResult = { ...PROVED, state: 'failed', steps: [{ ...STEP, proof: 'failed' }] };
    let proofs = 0;
    const { output } = await drive(drill, {
      input: { ...INPUT, kind: 'drill' },
      instanceId: 'op-1',
      startMs: T0,
      activity: (name) => {
        if (name === 'drillCheck') return well;
        if (name === 'decideAndCommit') return looked('carried-out');
        return name === 'verifyStep' ? (proofs++ === 0 ? failed : PROVED) : { ok: true };
      },
    });
    expect(output).toMatchObject({ state: 'not-proved', problems: [{ code: 'proof-failed' }] });
    expect(output.report.phases.map((phase) => phase.proved)).toEqual([false, true]);
  });

  test('does not begin while anything is unwell', async () => {
    const { output, yields } = await runDrill(
      { ...well, problems: [{ code: 'not-well', detail: 'ne is degraded' }] },
      [],
    );
    expect(output).toMatchObject({ state: 'refused', problems: [{ code: 'not-well' }] });
    // A refusal is on record like a drill.
    expect(yields.map((one) => one.type === 'activity' && one.name)).toEqual(['drillCheck', 'drillRecord']);
  });

  test('does not come back from where it never went', async () => {
    const { output, yields } = await runDrill(well, [looked('refused', false)]);
    expect(output).toMatchObject({ state: 'refused', report: { phases: [{ proved: false }] } });
    expect(yields.filter((one) => one.type === 'timer')).toHaveLength(0);
  });
});
