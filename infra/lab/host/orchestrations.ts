// Runs turns of orchestration instances: hand the history to the orchestrator, replay its answer, commit what is new.
//
//   begin (count the attempt) -> invoke the SDK -> replay -> ONE transaction: consume messages, append history,
//   schedule activities, timers, sub-orchestrations and entity messages, store the status
//
// Killed anywhere before the commit, the turn never happened and is done again; after it, it is done.
import { randomUUID } from 'node:crypto';
import { ATTEMPTS_MAX, type DurableEngine, findDurable, messageOf, report } from './durable-engine.ts';
import { acceptsVersion } from './host-settings.ts';
import { unknownFunction } from './invocation.ts';
import { type Decision, type Replayed, replay } from './replay.ts';
import {
  FINAL_STATUSES,
  type FinalStatus,
  type InboxRow,
  type InstanceRow,
  type LocksRow,
  type ParentRow,
} from './task-hub-schema.ts';
import {
  type EventBody,
  EventType,
  type FailureDetails,
  type HistoryEvent,
  type OrchestratorState,
  returnedValue,
  schedulerId,
} from './wire.ts';

/** Messages that one turn takes; the rest waits for the next. */
const TURN_MESSAGES_MAX = 1_000;
/** maxOrchestrationActions of the extension. */
const ACTIONS_MAX = 100_000;
/** In a failed orchestrator's error message, before the JSON of its state (OrchestrationFailureError of the SDK). */
const STATE_MARKER = '\n\n$OutOfProcData$:';

/** A turn as it was begun. */
interface Turn {
  readonly instance: InstanceRow;
  readonly messages: readonly InboxRow[];
  /** Events of the turns before. */
  readonly played: readonly HistoryEvent[];
  /** This turn's OrchestratorStarted and messages. */
  readonly news: readonly HistoryEvent[];
  readonly timestamp: string;
}

/** What a turn leaves behind. */
interface Outcome {
  readonly decisions: readonly Decision[];
  readonly locks: LocksRow | null;
  /** JSON text. */
  readonly customStatus: string | null;
}

type TurnResult = Outcome &
  (
    | { readonly type: 'goes-on' }
    | { readonly type: 'continued-as-new'; readonly input: string }
    | {
        readonly type: 'ended';
        readonly status: FinalStatus;
        /** JSON text. */
        readonly output: string;
        readonly failureDetails?: FailureDetails | undefined;
      }
  );
type Ended = TurnResult & { readonly type: 'ended' };

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
 * A suspended instance takes commands only, its other messages wait. A turn ends with the first suspend or resume, so that what
 * came before and after it is told apart.
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

function isSuspendOrResume(event: EventBody): boolean {
  return event.EventType === EventType.ExecutionSuspended || event.EventType === EventType.ExecutionResumed;
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

// ---------- the one transaction of a turn

function commitTurn(engine: DurableEngine, turn: Turn, result: TurnResult): void {
  const { hub } = engine;
  hub.deleteMessages(turn.messages.map(({ seq }) => seq));
  const recorded = [...result.decisions.map(decisionEvent), ...closingEvents(result)];
  const events = [...turn.news, ...recorded.map((body) => ({ ...body, Timestamp: turn.timestamp }))];
  hub.appendHistory(turn.instance.id, turn.played.length, events);
  for (const decision of result.decisions) carryOut(engine, turn, decision);
  switch (result.type) {
    case 'goes-on':
      goOn(engine, turn, result);
      break;
    case 'continued-as-new':
      restart(engine, turn.instance, result, result.input);
      break;
    case 'ended':
      end(engine, turn.instance, result);
      break;
  }
}

function closingEvents(result: TurnResult): EventBody[] {
  const completed: EventBody = { EventType: EventType.OrchestratorCompleted, EventId: -1 };
  if (result.type !== 'ended' || result.status === 'Terminated') return [completed];
  const { status, output } = result;
  return [
    { EventType: EventType.ExecutionCompleted, EventId: -1, OrchestrationStatus: status, Result: output },
    completed,
  ];
}

function goOn(engine: DurableEngine, turn: Turn, outcome: Outcome): void {
  const { id } = turn.instance;
  const last = turn.messages.at(-1)?.event;
  const status = last?.EventType === EventType.ExecutionSuspended ? 'Suspended' : 'Running';
  const { customStatus, locks } = outcome;
  const updatedMs = engine.clock.now();
  engine.hub.updateInstance({ id, status, output: null, customStatus, locks, attempts: 0, updatedMs });
  const heldBack = turn.messages.length === TURN_MESSAGES_MAX || (last !== undefined && isSuspendOrResume(last));
  if (heldBack) engine.hub.touchInstance(id);
}

/** The history event that records a decision. */
function decisionEvent(decision: Decision): EventBody {
  const EventId = decision.id;
  switch (decision.type) {
    case 'activity':
      return { EventType: EventType.TaskScheduled, EventId, Name: decision.name };
    case 'timer':
      return { EventType: EventType.TimerCreated, EventId, FireAt: new Date(decision.fireAtMs).toISOString() };
    case 'sub-orchestration':
      return {
        EventType: EventType.SubOrchestrationInstanceCreated,
        EventId,
        Name: decision.name,
        InstanceId: decision.instanceId,
      };
    case 'message': {
      const { target, name, message } = decision;
      return {
        EventType: EventType.EventSent,
        EventId,
        InstanceId: target,
        Name: name,
        Input: JSON.stringify(message),
      };
    }
  }
}

function carryOut(engine: DurableEngine, turn: Turn, decision: Decision): void {
  const { hub } = engine;
  const { id: instanceId, executionId } = turn.instance;
  switch (decision.type) {
    case 'activity': {
      const input = decision.input === undefined ? null : JSON.stringify(decision.input);
      hub.scheduleActivity({ instanceId, executionId, taskId: decision.id, name: decision.name, input });
      break;
    }
    case 'timer': {
      const FireAt = new Date(decision.fireAtMs).toISOString();
      const fired: EventBody = { EventType: EventType.TimerFired, EventId: -1, TimerId: decision.id, FireAt };
      hub.deliver(instanceId, executionId, fired, decision.fireAtMs);
      break;
    }
    case 'sub-orchestration':
      startChild(engine, turn.instance, decision);
      break;
    case 'message':
      hub.sendToEntity(decision.target, decision.name, decision.message);
      break;
  }
}

function startChild(
  engine: DurableEngine,
  parent: InstanceRow,
  decision: Decision & { type: 'sub-orchestration' },
): void {
  const refusal = createInstance(engine, {
    name: decision.name,
    id: decision.instanceId,
    input: JSON.stringify(decision.input ?? null),
    version: decision.version,
    parent: { id: parent.id, name: parent.name, executionId: parent.executionId, taskId: decision.id },
  });
  if (refusal === undefined) return;
  engine.hub.deliver(parent.id, parent.executionId, {
    EventType: EventType.SubOrchestrationInstanceFailed,
    EventId: -1,
    TaskScheduledId: decision.id,
    Reason: refusal,
    Details: '',
  });
}

/**
 * Events that the ended execution had taken and not used are dropped with its history, as the extension does; those that came
 * since the turn began are still in the inbox and go to the new execution.
 */
function restart(engine: DurableEngine, instance: InstanceRow, outcome: Outcome, input: string): void {
  const { customStatus, locks } = outcome;
  const row = { ...instance, executionId: randomUUID(), input, customStatus, updatedMs: engine.clock.now() };
  engine.hub.createInstance(row);
  releaseLocks(engine, instance, locks);
}

function end(engine: DurableEngine, instance: InstanceRow, result: Ended): void {
  const { hub } = engine;
  const { status, output, customStatus } = result;
  const { id, parent } = instance;
  hub.updateInstance({ id, status, output, customStatus, locks: null, attempts: 0, updatedMs: engine.clock.now() });
  hub.clearInbox(id);
  releaseLocks(engine, instance, result.locks);
  if (parent) hub.deliver(parent.id, parent.executionId, endedEvent(parent, result));
}

function endedEvent(parent: ParentRow, result: Ended): EventBody {
  const head = { EventId: -1, TaskScheduledId: parent.taskId } as const;
  if (result.status === 'Completed') {
    return { ...head, EventType: EventType.SubOrchestrationInstanceCompleted, Result: result.output };
  }
  return {
    ...head,
    EventType: EventType.SubOrchestrationInstanceFailed,
    Reason: String(JSON.parse(result.output)),
    Details: '',
    ...(result.failureDetails && { FailureDetails: result.failureDetails }),
  };
}

function releaseLocks(engine: DurableEngine, instance: InstanceRow, locks: LocksRow | null): void {
  for (const entityId of locks?.entityIds ?? []) {
    engine.hub.sendToEntity(entityId, 'release', {
      id: locks?.id ?? '',
      parent: instance.id,
      parentExecution: instance.executionId,
    });
  }
}

// ---------- starting

export interface NewInstance {
  readonly name: string;
  readonly id: string;
  /** JSON text. */
  readonly input: string;
  readonly version: string | undefined;
  readonly parent: ParentRow | null;
}

/**
 * Adds an instance inside the caller's transaction; an ended one of the same id is overwritten. Returns the reason when
 * one of that id is still running (overridableExistingInstanceStates = NonRunningStates), else undefined.
 */
export function createInstance(engine: DurableEngine, start: NewInstance): string | undefined {
  const existing = engine.hub.instance(start.id);
  if (existing && !FINAL_STATUSES.includes(existing.status)) {
    return `An Orchestration instance with the status ${existing.status} already exists.`;
  }
  const nowMs = engine.clock.now();
  engine.hub.createInstance({
    id: start.id,
    name: findDurable(engine, 'orchestration', start.name) ?? start.name,
    version: start.version ?? engine.settings.defaultVersion,
    executionId: randomUUID(),
    input: start.input,
    customStatus: null,
    createdMs: nowMs,
    updatedMs: nowMs,
    parent: start.parent,
  });
  return undefined;
}
