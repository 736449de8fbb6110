// drill: a rehearsed failover. Blocked when anything is unwell; moves, proves, stays, moves back, proves, reports.
import type { OrchestrationContext } from 'durable-functions';
import {
  ACTIVITIES,
  type CancelledResult,
  type DrillCheckResult,
  type PlainResult,
  type Wish,
} from '../activities/names.ts';
import { DRILL_CHECK_MS, DRILL_CHECKS_MAX } from '../limits.ts';
import type { OperationInput } from './names.ts';
import { carryOutWish, type OperationProgress, type Show } from './operation.ts';
import { call, nowMsOf, type Steps, waitUntil } from './steps.ts';

export interface DrillPhase {
  readonly name: string;
  readonly proved: boolean;
  readonly ms: number;
  readonly latencyMs: number | null;
}

export interface DrillOutcome extends OperationProgress {
  readonly report: { readonly outageMs: number | null; readonly phases: readonly DrillPhase[] };
}

/** Time that one leg of the drill may take to be possible at all. */
const LEG_MS = 120_000;

export function* drill(context: OrchestrationContext): Steps<DrillOutcome> {
  const input = context.df.getInput<OperationInput>();
  const check = yield* call<DrillCheckResult>(context, ACTIVITIES.drillCheck, {
    group: input.group,
    vip: input.vip,
    to: input.region,
    ...(input.scheduled && { scheduled: input.scheduled, operation: context.df.instanceId }),
  });
  const problems = check.ok ? check.problems : [{ code: check.code, detail: check.detail }];
  if (!check.ok || problems.length > 0) return yield* refused(context, input, problems);
  const there = yield* leg(context, input, check.to, 'there');
  const phases = [there.phase];
  // Moved but not proved is still moved: whoever went there comes back.
  const hasMoved = there.progress.state === 'proved' || there.progress.state === 'not-proved';
  if (!hasMoved) return yield* conclude(context, input, there.progress, phases);
  const isCancelled = there.progress.state === 'proved' && (yield* stay(context, input));
  const back = yield* leg(context, input, check.from, 'back');
  const whole = wholeOf(there.progress, back.progress, isCancelled);
  return yield* conclude(context, input, whole, [...phases, back.phase], there.progress.outageMs);
}

/** The worse of both legs; a cancelled drill says so once traffic is back. */
function wholeOf(there: OperationProgress, back: OperationProgress, isCancelled: boolean): OperationProgress {
  if (back.state !== 'proved') return back;
  if (there.state !== 'proved') return { ...back, state: there.state, problems: there.problems };
  const problems = [{ code: 'cancelled', detail: 'went back before its time' }];
  return isCancelled ? { ...back, state: 'cancelled', problems } : back;
}

/** Stays for the drill's time, looking now and then whether it is still wanted. True when it was cancelled. */
function* stay(context: OrchestrationContext, input: OperationInput): Steps<boolean> {
  const untilMs = nowMsOf(context) + (input.seconds ?? 60) * 1000;
  const stepMs = Math.max(DRILL_CHECK_MS, (untilMs - nowMsOf(context)) / DRILL_CHECKS_MAX);
  while (nowMsOf(context) < untilMs) {
    yield* waitUntil(context, Math.min(untilMs, nowMsOf(context) + stepMs));
    if (nowMsOf(context) >= untilMs) return false;
    const asked = { group: input.group, operation: context.df.instanceId };
    const read = yield* call<CancelledResult>(context, ACTIVITIES.readCancelled, asked);
    if (read.ok && read.isCancelled) return true;
  }
  return false;
}

function* leg(
  context: OrchestrationContext,
  input: OperationInput,
  to: string,
  name: 'there' | 'back',
): Steps<{ progress: OperationProgress; phase: DrillPhase }> {
  const beganMs = nowMsOf(context);
  const deadlineMs = beganMs + LEG_MS;
  const wish: Wish = {
    type: 'intent',
    ...(name === 'back' && { evenIfCancelled: true }),
    intent: {
      id: `${input.id}-${name}`,
      type: 'failover',
      ...(input.vip !== null && { vip: input.vip }),
      region: to,
      actor: input.actor,
      // The way back is no choice of automation: nothing that guards choices may keep it.
      actorType: name === 'back' && input.actorType === 'automation' ? 'runbook' : input.actorType,
      ...(name === 'back' && { endsHoldOf: `${input.id}-there` }),
      reason: `drill: ${input.reason}`,
      force: [],
      createdAtMs: beganMs,
      deadlineMs,
      operation: context.df.instanceId,
    },
  };
  // A leg that has ended is not the end of the drill.
  const show: Show = (shown) => context.df.setCustomStatus({ ...shown, state: 'running', finishedAtMs: null });
  const progress = yield* carryOutWish(context, { group: input.group, deadlineMs }, wish, show);
  const ms = nowMsOf(context) - beganMs;
  const phaseName = name === 'there' ? `failover to ${to}` : `failback to ${to}`;
  return {
    progress,
    phase: { name: phaseName, proved: progress.state === 'proved', ms, latencyMs: progress.latencyMs },
  };
}

function* conclude(
  context: OrchestrationContext,
  input: OperationInput,
  last: OperationProgress,
  phases: readonly DrillPhase[],
  earlierOutageMs: number | null = null,
): Steps<DrillOutcome> {
  const outages = [earlierOutageMs, last.outageMs].filter((ms) => ms !== null);
  const report = { outageMs: outages.length === 0 ? null : Math.max(...outages), phases };
  const outcome: DrillOutcome = { ...last, report };
  yield* call<PlainResult>(context, ACTIVITIES.drillRecord, {
    group: input.group,
    operation: context.df.instanceId,
    vip: input.vip,
    actor: input.actor,
    actorType: input.actorType,
    state: last.state,
    report: last.problems.length === 0 ? report : { ...report, problems: last.problems },
  });
  const finished = { ...outcome, finishedAtMs: nowMsOf(context) };
  context.df.setCustomStatus(finished);
  return finished;
}

/** A drill that may not begin is on record like one that did. */
function* refused(
  context: OrchestrationContext,
  input: OperationInput,
  problems: OperationProgress['problems'],
): Steps<DrillOutcome> {
  const nothing = {
    decisionId: null,
    generation: null,
    finishedAtMs: null,
    steps: [],
    outageMs: null,
    latencyMs: null,
  };
  return yield* conclude(context, input, { ...nothing, state: 'refused', problems }, []);
}
