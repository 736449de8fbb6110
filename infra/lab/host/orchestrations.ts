// Runs turns of orchestration instances: hand the history to the orchestrator, replay its answer, commit what is new.
//
//   begin (count the attempt) -> invoke the SDK -> replay -> ONE transaction: consume messages, append history,
//   schedule activities, timers, sub-orchestrations and entity messages, store the status
//
// Killed anywhere before the commit, the turn never happened and is done again; after it, it is done.
import { ATTEMPTS_MAX, type DurableEngine, findDurable, messageOf, report } from './durable-engine.ts';
import { acceptsVersion } from './host-settings.ts';
import { unknownFunction } from './invocation.ts';
import { replay } from './replay.ts';
import type { Decision, Replayed } from './replay-state.ts';
import { FINAL_STATUSES, type InboxRow, type InstanceRow } from './task-hub-schema.ts';
import {
  commitTurn,
  isSuspendOrResume,
  type Outcome,
  TURN_MESSAGES_MAX,
  type Turn,
  type TurnResult,
} from './turn-commit.ts';
import { type EventBody, EventType, type OrchestratorState, returnedValue, schedulerId } from './wire.ts';

/** maxOrchestrationActions of the extension. */
const ACTIONS_MAX = 100_000;
/** In a failed orchestrator's error message, before the JSON of its state (OrchestrationFailureError of the SDK). */
const STATE_MARKER = '\n\n$OutOfProcData$:';

/** Does one turn of the instance, if there is anything for it. Rejects only when the host itself failed. */
export async function runTurn(engine: DurableEngine, instanceId: string): Promise<void> {
  const turn = beginTurn(engine, instanceId);
  if (!turn) return;
  const result = await computeTurn(engine, turn);
  // The host was stopped meanwhile: the turn will be done again at the next start.
  if (engine.hub.isClosed) return;
  engine.hub.transaction('turn', () => commitTurn(engine, turn, result));
  if (result.type === 'ended') {
    const { name, id } = turn.instance;
    const failed = result.status === 'Failed';
    const outcome = failed ? `failed: ${JSON.parse(result.output)}` : result.status.toLowerCase();
    report(engine, failed ? 'error' : 'debug', `Instance '${id}' of '${name}' ${outcome}`, name);
  }
}

function beginTurn(engine: DurableEngine, instanceId: string): Turn | undefined {
  const { hub, clock } = engine;
  const nowMs = clock.now();
  const instance = hub.instance(instanceId);
  if (!instance || FINAL_STATUSES.includes(instance.status)) return undefined;
  const messages = takeMessages(instance, hub.inbox(instanceId, nowMs, TURN_MESSAGES_MAX));
  if (messages.length === 0) return undefined;
  if (!acceptsVersion(engine.settings, instance.version) && engine.settings.versionFailureStrategy === 'Reject') {
    report(
      engine,
      'warning',
      `Instance '${instanceId}' has version '${instance.version}', which this host leaves to another.`,
    );
    return undefined;
  }
  hub.transaction('turn-begin', () => hub.countTurnAttempt(instanceId));
  const played = hub.history(instanceId);
  const timestamp = new Date(nowMs).toISOString();
  const bodies: EventBody[] = [
    { EventType: EventType.OrchestratorStarted, EventId: -1 },
    ...messages.map(({ event }) => event),
  ];
  return { instance, messages, played, news: bodies.map((body) => ({ ...body, Timestamp: timestamp })), timestamp };
}

/**
 * A suspended instance takes commands only, its other messages wait. A turn ends with the first suspend or resume, so
 * that what came before and after it is told apart.
 */
function takeMessages(instance: InstanceRow, due: readonly InboxRow[]): readonly InboxRow[] {
  if (instance.status === 'Suspended') {
    const commands: readonly number[] = [
      EventType.ExecutionTerminated,
      EventType.ExecutionResumed,
      EventType.ExecutionSuspended,
    ];
    return due.filter(({ event }) => commands.includes(event.EventType)).slice(0, 1);
  }
  const end = due.findIndex(({ event }) => isSuspendOrResume(event));
  return end < 0 ? due : due.slice(0, end + 1);
}

// ---------- what comes of the turn

async function computeTurn(engine: DurableEngine, turn: Turn): Promise<TurnResult> {
  const { instance, messages } = turn;
  const termination = messages.find(({ event }) => event.EventType === EventType.ExecutionTerminated)?.event;
  if (termination?.EventType === EventType.ExecutionTerminated) {
    return { ...nothingNew(instance), type: 'ended', status: 'Terminated', output: JSON.stringify(termination.Input) };
  }
  if (instance.attempts >= ATTEMPTS_MAX) {
    return failed(instance, `Poison message: a turn was begun ${instance.attempts} times and never committed.`);
  }
  if (!acceptsVersion(engine.settings, instance.version)) {
    return failed(
      instance,
      `Version mismatch: the instance has '${instance.version}', the host '${engine.settings.defaultVersion}'.`,
    );
  }
  if (!findDurable(engine, 'orchestration', instance.name)) {
    return failed(instance, unknownFunction(instance.name, 'an orchestrator function'));
  }
  // A turn that only suspends or resumes runs no code.
  if (messages.every(({ event }) => isSuspendOrResume(event))) return { ...nothingNew(instance), type: 'goes-on' };
  const state = await invokeOrchestrator(engine, turn);
  if ('actions' in state) return replayTurn(engine, turn, state);
  return failed(instance, orchestratorFailed(instance.name, state.error));
}

function nothingNew(instance: InstanceRow): Outcome {
  return { decisions: [], locks: instance.locks, customStatus: instance.customStatus };
}

function failed(instance: InstanceRow, reason: string): TurnResult {
  return { ...nothingNew(instance), type: 'ended', status: 'Failed', output: JSON.stringify(reason) };
}

function orchestratorFailed(name: string, reason: string): string {
  return `Orchestrator function '${name}' failed: ${reason}`;
}

/** The SDK reports a failed orchestrator as an error with the state in its message; other errors carry none. */
async function invokeOrchestrator(
  engine: DurableEngine,
  turn: Turn,
): Promise<OrchestratorState | { readonly error: string }> {
  const trigger = { string: JSON.stringify(orchestrationTrigger(turn)) };
  try {
    return returnedValue(
      await engine.app.invoke(turn.instance.name, { orchestrationTrigger: trigger }),
    ) as OrchestratorState;
  } catch (error) {
    const message = messageOf(error);
    const at = message.indexOf(STATE_MARKER);
    return at < 0 ? { error: message } : (JSON.parse(message.slice(at + STATE_MARKER.length)) as OrchestratorState);
  }
}

/** What the orchestration trigger binding carries (OrchestrationTriggerAttributeBindingProvider.cs). */
function orchestrationTrigger({ instance, played, news }: Turn): unknown {
  return {
    history: [
      ...played.map((event) => ({ ...event, IsPlayed: true })),
      ...news.map((event) => ({ ...event, IsPlayed: false })),
    ],
    input: JSON.parse(instance.input),
    instanceId: instance.id,
    isReplaying: played.length > 0,
    parentInstanceId: instance.parent?.id ?? null,
    upperSchemaVersion: 1, // replay schema V2
    upperSchemaVersionNew: 3, // replay schema V4
    longRunningTimerIntervalDuration: '3.00:00:00', // LONG_TIMER_PIECE_MS
    maximumShortTimerDuration: '6.00:00:00', // SHORT_TIMER_MS_MAX
    defaultHttpAsyncRequestSleepTimeMillseconds: 30_000, // spelled as the SDK expects it
  };
}

function replayTurn(engine: DurableEngine, turn: Turn, state: OrchestratorState): TurnResult {
  const { instance, played, news } = turn;
  const actions = state.actions[0] ?? [];
  if (actions.length > ACTIONS_MAX) return failed(instance, `The orchestrator has more than ${ACTIONS_MAX} actions.`);
  let outcome: ReturnType<typeof replay>;
  try {
    outcome = replay({
      actions,
      history: [...played, ...news],
      instanceId: instance.id,
      executionId: instance.executionId,
    });
  } catch (error) {
    return failed(instance, orchestratorFailed(instance.name, messageOf(error)));
  }
  if (outcome.type === 'nondeterministic') return failed(instance, outcome.reason);
  const unknown = outcome.decisions
    .map((decision) => unknownTarget(engine, decision))
    .find((reason) => reason !== undefined);
  if (unknown !== undefined) return failed(instance, orchestratorFailed(instance.name, unknown));
  return concludeTurn(instance, state, outcome);
}

/** DurableTask.Core ends an execution, well or badly, only when no task is open (TaskOrchestrationExecutor.cs). */
function concludeTurn(instance: InstanceRow, state: OrchestratorState, replayed: Replayed): TurnResult {
  const outcome: Outcome = {
    decisions: replayed.decisions,
    locks: replayed.locks ? { id: replayed.locks.id, entityIds: replayed.locks.entities.map(schedulerId) } : null,
    customStatus: state.customStatus === undefined ? instance.customStatus : JSON.stringify(state.customStatus),
  };
  if (!replayed.walked || replayed.openTasks > 0) return { ...outcome, type: 'goes-on' };
  if (state.error !== undefined) {
    const output = JSON.stringify(orchestratorFailed(instance.name, state.error));
    return { ...outcome, type: 'ended', status: 'Failed', output, failureDetails: state.failureDetails };
  }
  if (replayed.continueAsNew) {
    return { ...outcome, type: 'continued-as-new', input: JSON.stringify(replayed.continueAsNew.input ?? null) };
  }
  if (!state.isDone) return { ...outcome, type: 'goes-on' };
  return { ...outcome, type: 'ended', status: 'Completed', output: JSON.stringify(state.output ?? null) };
}

function unknownTarget(engine: DurableEngine, decision: Decision): string | undefined {
  switch (decision.type) {
    case 'activity':
      return findDurable(engine, 'activity', decision.name)
        ? undefined
        : unknownFunction(decision.name, 'an activity function');
    case 'sub-orchestration':
      return findDurable(engine, 'orchestration', decision.name)
        ? undefined
        : unknownFunction(decision.name, 'an orchestrator function');
    case 'message': {
      const name = decision.target.slice(1, decision.target.indexOf('@', 1));
      return findDurable(engine, 'entity', name) ? undefined : unknownFunction(name, 'an entity function');
    }
    case 'timer':
      return undefined;
  }
}
