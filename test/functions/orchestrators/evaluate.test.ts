// evaluate, step by step: what it yields, in which order, and when it stops.
import { describe, expect, test } from '@jest/globals';
import type { DecideResult } from '../../../functions/activities/names.ts';
import { evaluate } from '../../../functions/orchestrators/evaluate.ts';
import { drive, type Yielded } from '../../support/orchestration.ts';

const T0 = 1_790_000_000_000;
const LOOKED: Extract<DecideResult, { ok: true }> = {
  ok: true,
  leads: true,
  decisionId: 'd-default-1-7',
  sequence: { epoch: 1, generation: 7 },
  isCommitted: true,
  deliver: ['we-nva-1', 'ne-nva-1'],
  proofs: [
    { decisionId: 'd-default-1-7', operation: '' },
    { decisionId: 'd-default-1-6', operation: 'op-1' },
  ],
  nextLookMs: T0 + 60_000,
  wish: null,
};

const names = (yields: readonly Yielded[]): string[] =>
  yields.map((one) =>
    one.type === 'activity' ? one.name : one.type === 'all' ? `all(${one.names.join(',')})` : 'timer',
  );

const run = (looks: readonly DecideResult[], answers: Record<string, unknown> = {}, notBeforeMs = 0) => {
  let turn = 0;
  return drive(evaluate, {
    input: { group: 'default', notBeforeMs },
    startMs: T0,
    activity: (name, input) => {
      if (name === 'decideAndCommit') return looks[Math.min(turn++, looks.length - 1)];
      if (name === 'deliverOrder') return { ok: true, nva: (input as { nva: string }).nva, sequence: LOOKED.sequence };
      return answers[name] ?? { ok: true, probed: [] };
    },
  });
};

describe('evaluate', () => {
  test('records before it delivers, delivers to all at once, and starts proofs nobody else looks at', async () => {
    const { yields, output } = await run([LOOKED]);
    expect(names(yields)).toEqual([
      'gather',
      'decideAndCommit',
      'auditAhead',
      'all(deliverOrder,deliverOrder)',
      'recordDelivery',
      'startVerify',
    ]);
    expect(yields.at(-1)).toMatchObject({ input: { decisionIds: ['d-default-1-7'] } });
    expect(output).toEqual({ rounds: 1, decisionId: 'd-default-1-7', delivered: 2, problem: null });
  });

  test('delivers nothing when the records could not be confirmed', async () => {
    const { yields, output } = await run([LOOKED], { auditAhead: { ok: false, code: 'outbox-write', detail: '' } });
    expect(names(yields)).not.toContain('all(deliverOrder,deliverOrder)');
    expect(output.delivered).toBe(0);
  });

  test('ends at once when storage fails, and says why', async () => {
    const { yields, output } = await run([{ ok: false, code: 'ledger-read', detail: 'x' }]);
    expect(names(yields)).toEqual(['gather', 'decideAndCommit']);
    expect(output.problem).toBe('ledger-read');
  });

  test('does nothing while another seat leads', async () => {
    const { yields } = await run([
      { ...LOOKED, leads: false, deliver: [], proofs: [], isCommitted: false, nextLookMs: T0 + 100 },
    ]);
    expect(names(yields)).toEqual(['gather', 'decideAndCommit']);
  });

  test('waits for what the engine soon wants to look at again, at most three looks', async () => {
    const quiet = { ...LOOKED, isCommitted: false, deliver: [], proofs: [] };
    const { yields, endedAtMs, output } = await run([
      { ...quiet, nextLookMs: T0 + 700 },
      { ...quiet, nextLookMs: T0 + 1000 },
      { ...quiet, nextLookMs: T0 + 1200 },
    ]);
    expect(names(yields)).toEqual([
      'gather',
      'decideAndCommit',
      'timer',
      'gather',
      'decideAndCommit',
      'timer',
      'gather',
      'decideAndCommit',
    ]);
    expect(endedAtMs).toBe(T0 + 1000);
    expect(output.rounds).toBe(3);
  });

  test('a look that is due already waits a moment, so that it cannot spin', async () => {
    const quiet = { ...LOOKED, isCommitted: false, deliver: [], proofs: [], nextLookMs: T0 };
    const { endedAtMs } = await run([quiet]);
    expect(endedAtMs).toBe(T0 + 200);
  });

  test('begins no sooner than its slot', async () => {
    const { yields } = await run([{ ...LOOKED, deliver: [], proofs: [], isCommitted: false }], {}, T0 + 250);
    expect(yields[0]).toEqual({ type: 'timer', atMs: T0 + 250 });
  });
});
