// evaluate: gather -> decide and commit -> audit ahead -> deliver; again when the engine soon wants to look again.
import type { OrchestrationContext } from 'durable-functions';
import { ACTIVITIES, type DecideResult, type PlainResult } from '../activities/names.ts';
import { NEXT_LOOK_MS_MAX, ROUNDS_MAX } from '../limits.ts';
import type { EvaluateInput } from './names.ts';
import { call, handOut, lookOnce, nowMsOf, type Steps, waitUntil } from './steps.ts';

export interface Evaluated {
  readonly rounds: number;
  readonly decisionId: string;
  readonly delivered: number;
  readonly problem: string | null;
}

export function* evaluate(context: OrchestrationContext): Steps<Evaluated> {
  const { group, notBeforeMs } = context.df.getInput<EvaluateInput>();
  yield* waitUntil(context, notBeforeMs);
  let delivered = 0;
  let decisionId = '';
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const looked = yield* lookOnce(context, { group, correlationId: context.df.instanceId });
    if (!looked.ok) return { rounds: round, decisionId, delivered, problem: looked.code };
    decisionId = looked.decisionId;
    delivered += yield* carryOut(context, group, looked);
    const waitMs = looked.nextLookMs - nowMsOf(context);
    if (!looked.leads || waitMs > NEXT_LOOK_MS_MAX || round === ROUNDS_MAX) {
      return { rounds: round, decisionId, delivered, problem: null };
    }
    // A look due already would come out the same: something must have time to change.
    yield* waitUntil(context, Math.max(looked.nextLookMs, nowMsOf(context) + 100));
  }
  return { rounds: ROUNDS_MAX, decisionId, delivered, problem: null };
}

/** Orders out, acknowledgements on record, proofs begun. Returns how many NVAs took the order. */
function* carryOut(context: OrchestrationContext, group: string, looked: DecideResult): Steps<number> {
  if (!looked.ok) return 0;
  const results = yield* handOut(context, group, looked);
  const answered = results.filter((result) => result.ok);
  if (answered.length > 0) {
    const record = { group, correlationId: context.df.instanceId, results: answered };
    yield* call<PlainResult>(context, ACTIVITIES.recordDelivery, record);
  }
  // Proofs that an operation waits for are its own to look at.
  const decisionIds = looked.proofs.filter((proof) => proof.operation === '').map((proof) => proof.decisionId);
  if (decisionIds.length > 0) yield* call<PlainResult>(context, ACTIVITIES.startVerify, { group, decisionIds });
  const { drills = [] } = looked;
  if (drills.length > 0) yield* call<PlainResult>(context, ACTIVITIES.startDrills, { group, drills });
  return answered.length;
}
