// Walks an orchestrator's action list against its history, as the Durable extension does: which work is new, what is
// open? It must never know the database, the clock or the network: history and actions in, an outcome out.
//
// On each turn the SDK returns the WHOLE list of actions since the start of the execution. The extension walks the
// list in order, calls the .NET API for each action and awaits it, on a replay of the same history by
// DurableTask.Core:
//
//   actions   A0 --- await --- A1 --- await --- A2 ...      (OutOfProcOrchestrationShim.cs, ReplayOOProcOrchestration)
//   history   Started | A0 scheduled | A0 completed | A1 scheduled | ...
//                        confirms         settles                       (TaskOrchestrationExecutor.cs, ProcessEvent)
//
// Ids come from one counter, in the order of the calls. A decision that the history does not confirm is new work; a
// recorded decision that the replay did not make, or made differently, means that the orchestrator is not
// deterministic.
import { walkFrom } from './replay-actions.ts';
import { type Decision, type Replayed, type ReplayInput, type ReplayState, settle } from './replay-state.ts';
import { EventType, type HistoryEvent } from './wire.ts';

/** Thrown and caught inside this file only. */
class NonDeterminism extends Error {}

export type ReplayOutcome = Replayed | { readonly type: 'nondeterministic'; readonly reason: string };

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
