// operation: one wish of a person or runbook, from the request to the proof. Its custom status is what callers see.
import type { OrchestrationContext } from 'durable-functions';
import {
  ACTIVITIES,
  type DecideResult,
  type DeliverResult,
  type PlainResult,
  type VerifyResult,
  type Wish,
} from '../activities/names.ts';
import { OPERATION_ROUNDS_MAX, OPERATION_WAIT_MS } from '../limits.ts';
import type { OperationInput } from './names.ts';
import { call, handOut, lookOnce, nowMsOf, proveUntilDone, type Steps, waitUntil } from './steps.ts';

export type OperationState = 'running' | 'proved' | 'not-proved' | 'refused' | 'expired' | 'failed' | 'already-so';

export interface OperationStep {
  readonly name: string;
  readonly proof: 'proved' | 'failed' | 'waiting' | 'not checked';
  readonly detail: string;
  readonly atMs: number;
}

/** Progress and, in the end, the outcome. */
export interface OperationProgress {
  readonly state: OperationState;
  readonly decisionId: string | null;
  readonly generation: number | null;
  readonly finishedAtMs: number | null;
  readonly steps: readonly OperationStep[];
  readonly problems: readonly { readonly code: string; readonly detail: string }[];
  readonly outageMs: number | null;
  readonly latencyMs: number | null;
}

const BEGUN: OperationProgress = {
  state: 'running',
  decisionId: null,
  generation: null,
  finishedAtMs: null,
  steps: [],
  problems: [],
  outageMs: null,
  latencyMs: null,
};

export function* operation(context: OrchestrationContext): Steps<OperationProgress> {
  const input = context.df.getInput<OperationInput>();
  return yield* carryOutWish(context, input, input.wish);
}

/** Also one leg of a drill. */
export function* carryOutWish(
  context: OrchestrationContext,
  input: Pick<OperationInput, 'group' | 'deadlineMs'>,
  wish: Wish,
): Steps<OperationProgress> {
  const { group } = input;
  const committed = yield* commitWish(context, input, wish);
  if (committed.type === 'ended') return finish(context, committed.progress);
  const { looked } = committed;
  let progress: OperationProgress = {
    ...BEGUN,
    decisionId: looked.decisionId,
    generation: looked.sequence.generation,
    steps: [
      stepOf(context, 'committed', 'proved', `generation ${looked.sequence.generation}`),
      // Who asked for a hold needs its name to release it.
      ...(wish.type === 'hold' ? [stepOf(context, 'held', 'proved', wish.id)] : []),
    ],
  };
  context.df.setCustomStatus(progress);
  const results = yield* handOut(context, group, looked);
  if (results.some((result) => result.ok)) {
    yield* call<PlainResult>(context, ACTIVITIES.recordDelivery, {
      group,
      correlationId: context.df.instanceId,
      results,
    });
  }
  progress = { ...progress, steps: [...progress.steps, deliveryStep(context, looked, results)] };
  context.df.setCustomStatus(progress);
  const isOwnProof = looked.proofs.some((proof) => proof.decisionId === looked.decisionId);
  if (!isOwnProof) return finish(context, { ...progress, state: 'proved' });
  const own = progress;
  let longestMs: number | null = null;
  const proved = yield* proveUntilDone(context, group, looked.decisionId, (result) => {
    if (result.ok && result.outageMs !== null) longestMs = Math.max(longestMs ?? 0, result.outageMs);
    progress = { ...withProof(context, own, result), outageMs: longestMs };
    context.df.setCustomStatus(progress);
  });
  return finish(context, { ...progress, state: stateOf(proved), problems: problemsOf(proved) });
}

type Looked = Extract<DecideResult, { readonly ok: true }>;
type Committed =
  | { readonly type: 'committed'; readonly looked: Looked }
  | { readonly type: 'ended'; readonly progress: OperationProgress };

/** Looks until the engine carried the wish out, refused it, or its time is over. */
function* commitWish(
  context: OrchestrationContext,
  input: Pick<OperationInput, 'group' | 'deadlineMs'>,
  wish: Wish,
): Steps<Committed> {
  let problem = { code: 'expired', detail: 'not possible before the deadline' };
  for (let round = 0; round < OPERATION_ROUNDS_MAX; round += 1) {
    const looked = yield* lookOnce(context, { group: input.group, correlationId: context.df.instanceId, wish });
    if (looked.ok && looked.leads) {
      const outcome = looked.wish?.outcome ?? 'waiting';
      const problems = looked.wish?.reasons ?? [];
      if (outcome === 'carried-out') return { type: 'committed', looked };
      if (outcome !== 'waiting') {
        yield* handOut(context, input.group, looked);
        return {
          type: 'ended',
          progress: { ...BEGUN, state: outcome, generation: looked.sequence.generation, problems },
        };
      }
      yield* handOut(context, input.group, looked);
      problem = { code: 'waiting', detail: problems.map((one) => one.detail).join('; ') || 'waits for its turn' };
    } else {
      problem = looked.ok
        ? { code: 'not-leader', detail: 'another seat leads' }
        : { code: looked.code, detail: looked.detail };
    }
    context.df.setCustomStatus({ ...BEGUN, problems: [problem] });
    const nowMs = nowMsOf(context);
    if (nowMs >= input.deadlineMs) break;
    yield* waitUntil(context, Math.min(input.deadlineMs, nowMs + OPERATION_WAIT_MS));
  }
  return { type: 'ended', progress: { ...BEGUN, state: 'expired', problems: [problem] } };
}

function finish(context: OrchestrationContext, progress: OperationProgress): OperationProgress {
  const finished = { ...progress, finishedAtMs: nowMsOf(context) };
  context.df.setCustomStatus(finished);
  return finished;
}

const stepOf = (
  context: OrchestrationContext,
  name: string,
  proof: OperationStep['proof'],
  detail: string,
): OperationStep => ({ name, proof, detail, atMs: nowMsOf(context) });

function deliveryStep(context: OrchestrationContext, looked: Looked, results: readonly DeliverResult[]): OperationStep {
  if (looked.deliver.length === 0) return stepOf(context, 'delivered', 'not checked', 'no agent was behind');
  const taken = results.filter((result) => result.ok && 'sequence' in result);
  const missed = results
    .filter((result) => !result.ok || 'refused' in result)
    .map(
      (result) =>
        `${result.nva}: ${result.ok && 'refused' in result ? result.refused.code : result.ok ? '' : result.code}`,
    );
  const counted = `${taken.length}/${looked.deliver.length} agents`;
  return missed.length === 0 && taken.length > 0
    ? stepOf(context, 'delivered', 'proved', counted)
    : stepOf(context, 'delivered', 'waiting', `${counted}; ${missed.join(', ')}`);
}

/** The steps before the proof stay; those of the proof are replaced at every look. */
function withProof(context: OrchestrationContext, own: OperationProgress, result: VerifyResult): OperationProgress {
  if (!result.ok) return own;
  const steps = result.steps.map((step) =>
    stepOf(context, `${step.step} ${step.vip} ${step.region}`, step.proof, step.detail),
  );
  return { ...own, steps: [...own.steps, ...steps], latencyMs: result.latencyMs };
}

function stateOf(result: VerifyResult): OperationState {
  if (!result.ok) return 'not-proved';
  return result.state === 'proved' ? 'proved' : 'not-proved';
}

function problemsOf(result: VerifyResult): { code: string; detail: string }[] {
  if (!result.ok) return [{ code: result.code, detail: result.detail }];
  if (result.state === 'superseded') return [{ code: 'superseded', detail: 'a newer decision took over' }];
  return result.steps
    .filter((step) => step.proof === 'failed')
    .map((step) => ({ code: 'proof-failed', detail: `${step.step} of ${step.region}: ${step.detail}` }));
}
