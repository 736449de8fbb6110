// Starts the actions of an orchestrator one after the other, as the Durable extension does; part of replay.ts, like
// it without I/O.
import { createHash } from 'node:crypto';
import {
  completedTask,
  type DecisionBody,
  newTask,
  type ReplayState,
  type SyncTask,
  settle,
  whenDone,
} from './replay-state.ts';
import {
  type Action,
  ActionType,
  type EntityMessage,
  type EntityMessageName,
  type EntityReference,
  type RetryOptions,
  schedulerId,
} from './wire.ts';

const DAY_MS = 86_400_000;
/** Timers longer than this are made of several pieces (Azure Storage provider of the extension). */
export const SHORT_TIMER_MS_MAX = 6 * DAY_MS;
export const LONG_TIMER_PIECE_MS = 3 * DAY_MS;
/** The extension's default for maxRetryInterval. */
const RETRY_DELAY_MS_MAX = 6 * DAY_MS;

/**
 * Starts the actions from the given place on, up to the first that must be waited for; goes on when that is done.
 * Failed tasks let the walk go on too: the extension swallows the exception there. Throws at an action that is not
 * known.
 */
export function walkFrom(state: ReplayState, start: number): void {
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
