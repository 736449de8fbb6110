// operation: one wish of a person or runbook, from the request to the proof. Its custom status is what callers see.
import type { OrchestrationContext } from 'durable-functions';
import type { OPERATION_STATES } from '../../shared/api.ts';
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

export type OperationState = (typeof OPERATION_STATES)[number];

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
  const show: Show = (progress) => context.df.setCustomStatus(progress);
  const { alsoGroups = [] } = input;
  if (alsoGroups.length === 0) return yield* carryOutWish(context, input, input.wish, show);
  return yield* carryOutEverywhere(context, input, [input.group, ...alsoGroups], show);
}

/** One wish in several groups, one after the other: each has a ledger and an answer of its own. */
function* carryOutEverywhere(
  context: OrchestrationContext,
  input: OperationInput,
  groups: readonly string[],
  show: Show,
): Steps<OperationProgress> {
  let whole: OperationProgress | undefined;
  for (const group of groups) {
    const before = whole;
    const showPart: Show = (part) => show({ ...join(before, part), state: 'running', finishedAtMs: null });
    const { deadlineMs } = input;
    const part = yield* carryOutWish(context, { group, deadlineMs }, input.wish, showPart);
    whole = join(before, named(part, group));
  }
  return finish(context, whole ?? BEGUN, show);
}

/** What is least good first: an operation is as good as its worst part. */
const WORST_FIRST: readonly OperationState[] = [
  'failed',
  'expired',
  'refused',
  'cancelled',
  'not-proved',
  'scheduled',
  'running',
  'proved',
  'already-so',
];

function join(before: OperationProgress | undefined, part: OperationProgress): OperationProgress {
  if (before === undefined) return part;
  const state = WORST_FIRST.find((one) => one === before.state || one === part.state) ?? part.state;
  const longest = (a: number | null, b: number | null) => (a === null ? b : Math.max(a, b ?? a));
  return {
    ...part,
    state,
    decisionId: before.decisionId ?? part.decisionId,
    generation: before.generation ?? part.generation,
    steps: [...before.steps, ...part.steps],
    problems: [...before.problems, ...part.problems],
    outageMs: longest(before.outageMs, part.outageMs),
    latencyMs: longest(before.latencyMs, part.latencyMs),
  };
}

const named = (part: OperationProgress, group: string): OperationProgress => ({
  ...part,
  steps: part.steps.map((step) => ({ ...step, name: `${step.name} (${group})` })),
});

export type Show = (progress: OperationProgress) => void;

/** Also one leg of a drill. `show` sees every change of the progress. */
export function* carryOutWish(
  context: OrchestrationContext,
  input: Pick<OperationInput, 'group' | 'deadlineMs'>,
  wish: Wish,
  show: Show,
): Steps<OperationProgress> {
  const { group } = input;
  const committed = yield* commitWish(context, input, wish, show);
  if (committed.type === 'ended') return finish(context, committed.progress, show);
  const { looked, decisionId, generation } = committed;
  let progress: OperationProgress = {
    ...BEGUN,
    decisionId,
    generation,
    steps: [
      stepOf(context, 'committed', 'proved', `generation ${generation}`),
      // Who asked for a hold needs its name to release it.
      ...(wish.type === 'hold' ? [stepOf(context, 'held', 'proved', wish.id)] : []),
    ],
  };
  show(progress);
  const results = yield* handOut(context, group, looked);
  if (results.some((result) => result.ok)) {
    yield* call<PlainResult>(context, ACTIVITIES.recordDelivery, {
      group,
      correlationId: context.df.instanceId,
      results,
    });
  }
  progress = { ...progress, steps: [...progress.steps, deliveryStep(context, looked, results)] };
  show(progress);
  const isTrust = wish.type === 'intent' && wish.intent.type === 'trust-ledger';
  const isEarlier = decisionId !== looked.decisionId && !isTrust;
  const isOwnProof = isEarlier || looked.proofs.some((proof) => proof.decisionId === decisionId);
  if (!isOwnProof) return finish(context, { ...progress, state: 'proved' }, show);
  const own = progress;
  let longestMs: number | null = null;
  const proved = yield* proveUntilDone(context, group, decisionId, (result) => {
    if (result.ok && result.outageMs !== null) longestMs = Math.max(longestMs ?? 0, result.outageMs);
    progress = { ...withProof(context, own, result), outageMs: longestMs };
    show(progress);
  });
  return finish(context, { ...progress, state: stateOf(proved), problems: problemsOf(proved) }, show);
}

type Looked = Extract<DecideResult, { readonly ok: true }>;
type Committed =
  | {
      readonly type: 'committed';
      readonly looked: Looked;
      /** The decision that carried it out: this look's, or an earlier one that nobody told us of. */
      readonly decisionId: string;
      readonly generation: number;
    }
  | { readonly type: 'ended'; readonly progress: OperationProgress };

/** Looks until the engine carried the wish out, refused it, or its time is over. */
function* commitWish(
  context: OrchestrationContext,
  input: Pick<OperationInput, 'group' | 'deadlineMs'>,
  wish: Wish,
  show: Show,
): Steps<Committed> {
  let problem = { code: 'expired', detail: 'not possible before the deadline' };
  for (let round = 0; round < OPERATION_ROUNDS_MAX; round += 1) {
    const looked = yield* lookOnce(context, { group: input.group, correlationId: context.df.instanceId, wish });
    if (looked.ok && looked.wish !== null && looked.wish.outcome !== 'waiting') {
      const { outcome, ...ended } = looked.wish;
      const decisionId = ended.decisionId ?? looked.decisionId;
      const generation = ended.generation ?? looked.sequence.generation;
      if (outcome === 'carried-out') return { type: 'committed', looked, decisionId, generation };
      yield* handOut(context, input.group, looked);
      return { type: 'ended', progress: { ...BEGUN, state: outcome, generation, problems: ended.reasons } };
    }
    yield* handOut(context, input.group, looked);
    problem = problemOf(looked);
    const nowMs = nowMsOf(context);
    const startMs = wish.type === 'intent' ? (wish.intent.notBeforeMs ?? nowMs) : nowMs;
    show({ ...BEGUN, state: nowMs < startMs ? 'scheduled' : 'running', problems: [problem] });
    if (nowMs >= input.deadlineMs) break;
    yield* waitUntil(context, Math.min(input.deadlineMs, nowMs < startMs ? startMs : nowMs + OPERATION_WAIT_MS));
  }
  return { type: 'ended', progress: { ...BEGUN, state: 'expired', problems: [problem] } };
}

/** Why a look did not end the wish. */
function problemOf(looked: DecideResult): { code: string; detail: string } {
  if (!looked.ok) return { code: looked.code, detail: looked.detail };
  if (!looked.leads) return { code: 'not-leader', detail: 'another seat leads' };
  const details = (looked.wish?.reasons ?? []).map((one) => one.detail);
  return { code: 'waiting', detail: details.join('; ') || 'waits for its turn' };
}

function finish(context: OrchestrationContext, progress: OperationProgress, show: Show): OperationProgress {
  const finished = { ...progress, finishedAtMs: nowMsOf(context) };
  show(finished);
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
