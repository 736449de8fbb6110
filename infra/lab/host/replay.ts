// Walks an orchestrator's action list against its history, as the Durable extension does: which work is new, what is open?
// It must never know the database, the clock or the network: history and actions in, an outcome out.
//
// On each turn the SDK returns the WHOLE list of actions since the start of the execution. The extension walks the list in
// order, calls the .NET API for each action and awaits it, on a replay of the same history by DurableTask.Core:
//
//   actions   A0 --- await --- A1 --- await --- A2 ...      (OutOfProcOrchestrationShim.cs, ReplayOOProcOrchestration)
//   history   Started | A0 scheduled | A0 completed | A1 scheduled | ...
//                        confirms         settles                       (TaskOrchestrationExecutor.cs, ProcessEvent)
//
// Ids come from one counter, in the order of the calls. A decision that the history does not confirm is new work; a recorded
// decision that the replay did not make, or made differently, means that the orchestrator is not deterministic.
import { createHash } from 'node:crypto';
import {
  type Action,
  ActionType,
  type EntityMessage,
  type EntityMessageName,
  type EntityReference,
  EventType,
  type HistoryEvent,
  type RetryOptions,
  schedulerId,
} from './wire.ts';

/** Something the orchestrator decided; its id is the EventId of the history event that records it. */
export type Decision =
  | { readonly type: 'activity'; readonly id: number; readonly name: string; readonly input: unknown }
  | { readonly type: 'timer'; readonly id: number; readonly fireAtMs: number }
  | {
      readonly type: 'sub-orchestration';
      readonly id: number;
      readonly name: string;
      readonly input: unknown;
      readonly instanceId: string;
      readonly version: string | undefined;
    }
  | {
      readonly type: 'message';
      readonly id: number;
      readonly target: string;
      readonly name: EntityMessageName;
      readonly message: EntityMessage;
    };

type DecisionBody = Decision extends infer D ? (D extends Decision ? Omit<D, 'id'> : never) : never;

export interface ReplayInput {
  readonly actions: readonly Action[];
  /** All events so far, those of this turn included. */
  readonly history: readonly HistoryEvent[];
  readonly instanceId: string;
  readonly executionId: string;
}

/** The outcome of a replay that agrees with the history. */
export interface Replayed {
  readonly type: 'replayed';
  /** The list was walked to its end: every action's task has completed or needs no waiting. */
  readonly walked: boolean;
  /** Tasks without a completion. While there are any the instance goes on running, whatever the orchestrator returned. */
  readonly openTasks: number;
  readonly continueAsNew: { readonly input: unknown } | undefined;
  /** New work, by id. */
  readonly decisions: readonly Decision[];
  /** Entities that are locked, or whose lock was asked for, with the request's id. */
  readonly locks: { readonly id: string; readonly entities: readonly EntityReference[] } | undefined;
}

export type ReplayOutcome = Replayed | { readonly type: 'nondeterministic'; readonly reason: string };

const DAY_MS = 86_400_000;
/** Timers longer than this are made of several pieces (Azure Storage provider of the extension). */
export const SHORT_TIMER_MS_MAX = 6 * DAY_MS;
export const LONG_TIMER_PIECE_MS = 3 * DAY_MS;
/** The extension's default for maxRetryInterval. */
const RETRY_DELAY_MS_MAX = 6 * DAY_MS;

/** Thrown and caught inside this file only. */
class NonDeterminism extends Error {}

/**
 * A tiny task whose continuations run at once, inside settle(). Promises will not do: their continuations run later, and
 * ids must be allotted while the history event that caused them is being processed.
 */
interface SyncTask {
  done: boolean;
  ok: boolean;
  readonly continuations: ((task: SyncTask) => void)[];
}

function newTask(): SyncTask {
  return { done: false, ok: true, continuations: [] };
}

function completedTask(): SyncTask {
  return { done: true, ok: true, continuations: [] };
}

function settle(task: SyncTask, ok: boolean): void {
  if (task.done) return;
  task.done = true;
  task.ok = ok;
  for (const continuation of task.continuations.splice(0)) continuation(task);
}

function whenDone(task: SyncTask, continuation: (task: SyncTask) => void): void {
  if (task.done) continuation(task);
  else task.continuations.push(continuation);
}

/** Everything a replay keeps while it runs. */
interface ReplayState {
  readonly input: ReplayInput;
  nextId: number;
  /** Time of the turn being replayed, from its OrchestratorStarted event. */
  nowMs: number;
  walked: boolean;
  continueAsNew: Replayed['continueAsNew'];
  locks: Replayed['locks'];
  /** Decisions that no history event has confirmed yet. */
  readonly unconfirmed: Map<number, Decision>;
  readonly openTasks: Map<number, SyncTask>;
  /** By event name: last come, first served, as in DurableOrchestrationContext.cs. */
  readonly eventWaiters: Map<string, SyncTask[]>;
  /** By event name: how many events came that nobody waited for. */
  readonly bufferedEvents: Map<string, number>;
}

/** Replays one execution. */
export function replay(input: ReplayInput): ReplayOutcome {
  const state: ReplayState = {
    input,
    nextId: 0,
    nowMs: 0,
    walked: false,
    continueAsNew: undefined,
    locks: undefined,
    unconfirmed: new Map(),
    openTasks: new Map(),
    eventWaiters: new Map(),
    bufferedEvents: new Map(),
  };
  try {
    for (const event of input.history) processEvent(state, event);
  } catch (error) {
    if (error instanceof NonDeterminism) return { type: 'nondeterministic', reason: error.message };
    throw error;
  }
  return {
    type: 'replayed',
    walked: state.walked,
    openTasks: state.openTasks.size,
    continueAsNew: state.continueAsNew,
    decisions: [...state.unconfirmed.values()],
    locks: state.locks,
  };
}

// ---------- the history drives it all

function processEvent(state: ReplayState, event: HistoryEvent): void {
  switch (event.EventType) {
    case EventType.OrchestratorStarted:
      state.nowMs = Math.max(state.nowMs, Date.parse(event.Timestamp));
      break;
    case EventType.ExecutionStarted:
      walkFrom(state, 0);
      break;
    case EventType.TaskScheduled:
      confirm(state, event.EventId, 'activity', event.Name);
      break;
    case EventType.SubOrchestrationInstanceCreated:
      confirm(state, event.EventId, 'sub-orchestration', event.Name);
      break;
    case EventType.TimerCreated:
      confirm(state, event.EventId, 'timer', undefined);
      break;
    case EventType.EventSent:
      confirm(state, event.EventId, 'message', event.InstanceId);
      break;
    case EventType.TaskCompleted:
    case EventType.SubOrchestrationInstanceCompleted:
      complete(state, event.TaskScheduledId, true);
      break;
    case EventType.TaskFailed:
    case EventType.SubOrchestrationInstanceFailed:
      complete(state, event.TaskScheduledId, false);
      break;
    case EventType.TimerFired:
      complete(state, event.TimerId, true);
      break;
    case EventType.EventRaised:
      raise(state, event.Name);
      break;
    default: // events that move nothing: OrchestratorCompleted, ExecutionSuspended, ...
  }
}

const HISTORY_NAMES: Readonly<Record<Decision['type'], string>> = {
  activity: 'TaskScheduled',
  timer: 'TimerCreated',
  'sub-orchestration': 'SubOrchestrationInstanceCreated',
  message: 'EventSent',
};

function describe(type: Decision['type'], name: string | undefined): string {
  return name === undefined ? HISTORY_NAMES[type] : `${HISTORY_NAMES[type]} '${name}'`;
}

function nameOf(decision: Decision): string | undefined {
  if (decision.type === 'timer') return undefined;
  return decision.type === 'message' ? decision.target : decision.name;
}

/** A recorded decision must be the one the replay made under that id. */
function confirm(state: ReplayState, id: number, type: Decision['type'], name: string | undefined): void {
  const decision = state.unconfirmed.get(id);
  const recorded = `the history has ${describe(type, name)} with sequence id ${id}`;
  if (!decision) {
    throw new NonDeterminism(`Non-Deterministic workflow detected: ${recorded}, which the replay did not schedule.`);
  }
  if (decision.type !== type || nameOf(decision) !== name) {
    const replayed = describe(decision.type, nameOf(decision));
    throw new NonDeterminism(`Non-Deterministic workflow detected: ${recorded}, the replay scheduled ${replayed}.`);
  }
  state.unconfirmed.delete(id);
}

/** Completions of tasks that are no longer open (cancelled timers) move nothing. */
function complete(state: ReplayState, id: number, ok: boolean): void {
  const task = state.openTasks.get(id);
  state.openTasks.delete(id);
  if (task) settle(task, ok);
}

function raise(state: ReplayState, name: string): void {
  const waiter = state.eventWaiters.get(name)?.pop();
  if (waiter) settle(waiter, true);
  else state.bufferedEvents.set(name, (state.bufferedEvents.get(name) ?? 0) + 1);
}

// ---------- the action list

/** Failed tasks let the walk go on too: the extension swallows the exception there. */
function walkFrom(state: ReplayState, start: number): void {
  const { actions } = state.input;
  for (let index = start; index < actions.length; index++) {
    const task = startAction(state, actions[index] as Action);
    if (!task.done) {
      whenDone(task, () => walkFrom(state, index + 1));
      return;
    }
  }
  state.walked = true;
}

function startAction(state: ReplayState, action: Action): SyncTask {
  switch (action.actionType) {
    case ActionType.CallActivity:
      return startActivity(state, action);
    case ActionType.CallActivityWithRetry:
      return startWithRetry(state, action.retryOptions, () => startActivity(state, action));
    case ActionType.CallSubOrchestrator:
      return startSubOrchestration(state, action);
    case ActionType.CallSubOrchestratorWithRetry:
      return startWithRetry(state, action.retryOptions, () => startSubOrchestration(state, action));
    case ActionType.CreateTimer:
      return startLongTimer(state, Date.parse(action.fireAt), action.isCanceled);
    case ActionType.WaitForExternalEvent:
      return waitForEvent(state, action.externalEventName);
    case ActionType.CallEntity:
      return waitForEvent(state, sendOperation(state, action.instanceId, action.operation, action.input, false));
    case ActionType.SignalEntity:
      sendOperation(state, action.instanceId, action.operation, action.input, true);
      return completedTask();
    case ActionType.LockEntities:
      return startLock(state, action.lockRequestId, action.lockSet);
    case ActionType.ReleaseEntities:
      releaseLocks(state);
      return completedTask();
    case ActionType.ContinueAsNew:
      state.continueAsNew = { input: action.input };
      return completedTask();
    case ActionType.WhenAll:
    case ActionType.WhenAny:
      return startCompound(state, action.compoundActions, action.actionType === ActionType.WhenAny);
    default:
      throw new Error(`Received an unexpected action type from the orchestrator: ${JSON.stringify(action)}`);
  }
}

function decide(state: ReplayState, body: DecisionBody): SyncTask {
  const id = state.nextId++;
  const task = newTask();
  state.unconfirmed.set(id, { ...body, id });
  state.openTasks.set(id, task);
  return task;
}

function startActivity(
  state: ReplayState,
  action: { readonly functionName: string; readonly input?: unknown },
): SyncTask {
  return decide(state, { type: 'activity', name: action.functionName, input: action.input });
}

function startSubOrchestration(
  state: ReplayState,
  action: {
    readonly functionName: string;
    readonly input?: unknown;
    readonly instanceId?: string;
    readonly version?: string;
  },
): SyncTask {
  return decide(state, {
    type: 'sub-orchestration',
    name: action.functionName,
    input: action.input,
    instanceId: action.instanceId || deterministicId(state),
    version: action.version,
  });
}

/** An id that every replay of this execution makes alike at this point. */
function deterministicId(state: ReplayState): string {
  const { instanceId, executionId } = state.input;
  return createHash('sha256').update(`${instanceId}/${executionId}/${state.nextId}`).digest('hex').slice(0, 32);
}

function startTimer(state: ReplayState, fireAtMs: number): SyncTask {
  return decide(state, { type: 'timer', fireAtMs });
}

/** Timers above the limit are made of several; each piece gets its id when the piece before it fires. */
function startLongTimer(state: ReplayState, fireAtMs: number, cancelled: boolean): SyncTask {
  const whole = newTask();
  const startPiece = () => {
    const isLong = fireAtMs - state.nowMs > SHORT_TIMER_MS_MAX;
    const pieceMs = isLong ? state.nowMs + LONG_TIMER_PIECE_MS : fireAtMs;
    const id = state.nextId;
    const piece = startTimer(state, pieceMs);
    if (cancelled) {
      state.openTasks.delete(id);
      settle(whole, false);
      return;
    }
    whenDone(piece, () => (isLong ? startPiece() : settle(whole, true)));
  };
  startPiece();
  return whole;
}

/** RetryInterceptor.cs: one more delay passes after the LAST failed attempt, before the error comes out. */
function startWithRetry(state: ReplayState, options: RetryOptions, startAttempt: () => SyncTask): SyncTask {
  const whole = newTask();
  const startedMs = state.nowMs;
  let failures = 0;
  const attempt = () =>
    whenDone(startAttempt(), (task) => {
      const timedOut =
        options.retryTimeoutInMilliseconds !== undefined &&
        state.nowMs >= startedMs + options.retryTimeoutInMilliseconds;
      if (task.ok || timedOut) {
        settle(whole, task.ok);
        return;
      }
      const delayMs = retryDelayMs(options, failures);
      failures++;
      whenDone(startTimer(state, state.nowMs + delayMs), () =>
        failures < options.maxNumberOfAttempts ? attempt() : settle(whole, false),
      );
    });
  attempt();
  return whole;
}

function retryDelayMs(options: RetryOptions, failures: number): number {
  const delayMs = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** failures;
  return Math.min(delayMs, options.maxRetryIntervalInMilliseconds ?? RETRY_DELAY_MS_MAX);
}

function waitForEvent(state: ReplayState, name: string): SyncTask {
  const buffered = state.bufferedEvents.get(name) ?? 0;
  if (buffered > 0) {
    state.bufferedEvents.set(name, buffered - 1);
    return completedTask();
  }
  const task = newTask();
  const waiters = state.eventWaiters.get(name);
  if (waiters) waiters.push(task);
  else state.eventWaiters.set(name, [task]);
  return task;
}

/** WhenAny settles with the first part, WhenAll only when all parts have, even if one failed (Task.WhenAll in .NET). */
function startCompound(state: ReplayState, actions: readonly Action[], isWhenAny: boolean): SyncTask {
  const whole = newTask();
  const parts = actions.map((action) => startAction(state, action));
  let left = parts.length;
  for (const part of parts) {
    whenDone(part, () => {
      left--;
      if (isWhenAny || left === 0) settle(whole, true);
    });
  }
  return whole;
}

// ---------- entities

/** Sending never completes, so that it does not keep the instance open. */
function send(state: ReplayState, target: string, name: EntityMessageName, message: EntityMessage): void {
  const id = state.nextId;
  decide(state, { type: 'message', target, name, message });
  state.openTasks.delete(id);
}

/** Returns the request's id: the answer is an EventRaised of that name. */
function sendOperation(state: ReplayState, target: string, op: string, input: unknown, signal: boolean): string {
  const id = deterministicId(state);
  send(state, target, 'op', {
    id,
    op,
    signal,
    ...(input !== undefined && { input: JSON.stringify(input) }),
    parent: state.input.instanceId,
    parentExecution: state.input.executionId,
  });
  return id;
}

/** The request goes to the first entity, which passes it on along the lock set. */
function startLock(state: ReplayState, id: string, lockset: readonly EntityReference[]): SyncTask {
  const { instanceId: parent, executionId: parentExecution } = state.input;
  state.locks = { id, entities: lockset };
  const first = lockset[0];
  if (!first) throw new Error('A lock request without entities.');
  send(state, schedulerId(first), 'op', { id, parent, parentExecution, lockset, pos: 0 });
  return waitForEvent(state, id);
}

function releaseLocks(state: ReplayState): void {
  const { instanceId: parent, executionId: parentExecution } = state.input;
  const { locks } = state;
  if (!locks) return;
  for (const entity of locks.entities)
    send(state, schedulerId(entity), 'release', { id: locks.id, parent, parentExecution });
  state.locks = undefined;
}
