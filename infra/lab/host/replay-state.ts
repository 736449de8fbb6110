// What a replay works with: its input, its outcome, what it keeps while it runs, and tasks that settle at once.
import type { Action, EntityMessage, EntityMessageName, EntityReference, HistoryEvent } from './wire.ts';

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

/** A decision before it has its id. */
export type DecisionBody = Decision extends infer D ? (D extends Decision ? Omit<D, 'id'> : never) : never;

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
  /**
   * Tasks without a completion. While there are any the instance goes on running, whatever the orchestrator returned.
   */
  readonly openTasks: number;
  readonly continueAsNew: { readonly input: unknown } | undefined;
  /** New work, by id. */
  readonly decisions: readonly Decision[];
  /** Entities that are locked, or whose lock was asked for, with the request's id. */
  readonly locks: { readonly id: string; readonly entities: readonly EntityReference[] } | undefined;
}

/**
 * A tiny task whose continuations run at once, inside settle(). Promises will not do: their continuations run later,
 * and ids must be allotted while the history event that caused them is being processed.
 */
export interface SyncTask {
  done: boolean;
  ok: boolean;
  readonly continuations: ((task: SyncTask) => void)[];
}

export function newTask(): SyncTask {
  return { done: false, ok: true, continuations: [] };
}

export function completedTask(): SyncTask {
  return { done: true, ok: true, continuations: [] };
}

export function settle(task: SyncTask, ok: boolean): void {
  if (task.done) return;
  task.done = true;
  task.ok = ok;
  for (const continuation of task.continuations.splice(0)) continuation(task);
}

export function whenDone(task: SyncTask, continuation: (task: SyncTask) => void): void {
  if (task.done) continuation(task);
  else task.continuations.push(continuation);
}

/** Everything a replay keeps while it runs. */
export interface ReplayState {
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
