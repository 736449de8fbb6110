// Steps that orchestrations share. Deterministic: time and ids come from the durable context, all I/O is in activities.
import type { OrchestrationContext, Task } from 'durable-functions';
import {
  ACTIVITIES,
  type DecideInput,
  type DecideResult,
  type DeliverResult,
  type GatherResult,
  type PlainResult,
  type VerifyResult,
} from '../activities/names.ts';
import { PROOF_WAITS_MS } from '../limits.ts';

/** What an orchestration yields, and what it is given back. */
export type Steps<T> = Generator<Task, T, unknown>;

export const nowMsOf = (context: OrchestrationContext): number => context.df.currentUtcDateTime.getTime();

export function* call<T>(context: OrchestrationContext, activity: string, input: unknown): Steps<T> {
  return (yield context.df.callActivity(activity, input)) as T;
}

/** Waits until the given time of the orchestration's own clock; not at all when that has passed. */
export function* waitUntil(context: OrchestrationContext, untilMs: number): Steps<void> {
  if (untilMs <= nowMsOf(context)) return;
  yield context.df.createTimer(new Date(untilMs));
}

/** One look: what nobody reported is asked, then it is decided and committed. */
export function* lookOnce(context: OrchestrationContext, input: DecideInput): Steps<DecideResult> {
  yield* call<GatherResult>(context, ACTIVITIES.gather, { group: input.group });
  return yield* call<DecideResult>(context, ACTIVITIES.decideAndCommit, input);
}

/**
 * Hands out what was decided: records first, then orders to all that are behind, at once. Nothing goes out when the
 * records could not be confirmed; the next look tries again.
 */
export function* handOut(
  context: OrchestrationContext,
  group: string,
  looked: DecideResult,
): Steps<readonly DeliverResult[]> {
  if (!looked.ok || !looked.leads || (looked.deliver.length === 0 && !looked.isCommitted)) return [];
  const recorded = yield* call<PlainResult>(context, ACTIVITIES.auditAhead, { group });
  if (!recorded.ok || looked.deliver.length === 0) return [];
  const tasks = looked.deliver.map((nva) => context.df.callActivity(ACTIVITIES.deliverOrder, { group, nva }));
  return (yield context.df.Task.all(tasks)) as DeliverResult[];
}

/** Looks at a proof until it is settled, at most as often as there are waits. `onLook` sees each look. */
export function* proveUntilDone(
  context: OrchestrationContext,
  group: string,
  decisionId: string,
  onLook: (result: VerifyResult) => void,
): Steps<VerifyResult> {
  let result: VerifyResult = { ok: false, code: 'not-looked', detail: 'no look yet' };
  for (let i = 0; i <= PROOF_WAITS_MS.length; i += 1) {
    const isLast = i === PROOF_WAITS_MS.length;
    const input = { group, decisionId, isLast, correlationId: context.df.instanceId };
    result = yield* call<VerifyResult>(context, ACTIVITIES.verifyStep, input);
    onLook(result);
    if ((result.ok && result.isDone) || isLast) return result;
    yield* waitUntil(context, nowMsOf(context) + (PROOF_WAITS_MS[i] ?? 0));
  }
  return result;
}
