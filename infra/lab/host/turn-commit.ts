// The one transaction of a turn: everything that follows from it is stored together, or not at all.
import { randomUUID } from 'node:crypto';
import type { DurableEngine } from './durable-engine.ts';
import { createInstance } from './instances.ts';
import type { Decision } from './replay-state.ts';
import type { FinalStatus, InboxRow, InstanceRow, LocksRow, ParentRow } from './task-hub-schema.ts';
import { type EventBody, EventType, type FailureDetails, type HistoryEvent } from './wire.ts';

/** Messages that one turn takes; the rest waits for the next. */
export const TURN_MESSAGES_MAX = 1_000;

/** A turn as it was begun. */
export interface Turn {
  readonly instance: InstanceRow;
  readonly messages: readonly InboxRow[];
  /** Events of the turns before. */
  readonly played: readonly HistoryEvent[];
  /** This turn's OrchestratorStarted and messages. */
  readonly news: readonly HistoryEvent[];
  readonly timestamp: string;
}

/** What a turn leaves behind. */
export interface Outcome {
  readonly decisions: readonly Decision[];
  readonly locks: LocksRow | null;
  /** JSON text. */
  readonly customStatus: string | null;
}

/** How it ends. */
export type TurnResult = Outcome &
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

/** Stores what came of a turn; call it inside a transaction. */
export function commitTurn(engine: DurableEngine, turn: Turn, result: TurnResult): void {
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
 * Events that the ended execution had taken and not used are dropped with its history, as the extension does; those
 * that came since the turn began are still in the inbox and go to the new execution.
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

export function isSuspendOrResume(event: EventBody): boolean {
  return event.EventType === EventType.ExecutionSuspended || event.EventType === EventType.ExecutionResumed;
}
