// Checks that a history could have been written by the extension: nothing lost, nothing twice, nothing half applied.
import assert from 'node:assert/strict';
import { EventType, type HistoryEvent } from '../../../../infra/lab/host/wire.ts';

/** Asserts on an instance's history; for one that has ended also that it ended once. */
export function checkHistory(history: readonly HistoryEvent[]): void {
  const scheduled = new Map<number, string>();
  const completed = new Set<string>();
  let open = false;
  let lastTime = '';
  for (const [index, event] of history.entries()) {
    assert(event.Timestamp >= lastTime, `event ${index} is older than the one before it`);
    lastTime = event.Timestamp;
    if (event.EventType === EventType.OrchestratorStarted) {
      assert(!open, `event ${index}: a turn begins inside a turn`);
      open = true;
      continue;
    }
    assert(open, `event ${index} stands outside of a turn`);
    checkEvent(event, index, scheduled, completed);
    if (event.EventType === EventType.OrchestratorCompleted) open = false;
  }
  assert(!open, 'the last turn did not end');
  assert.deepEqual(
    [...scheduled.keys()],
    [...scheduled.keys()].toSorted((a, b) => a - b),
    'ids are not in order',
  );
}

function checkEvent(event: HistoryEvent, index: number, scheduled: Map<number, string>, completed: Set<string>): void {
  switch (event.EventType) {
    case EventType.ExecutionStarted:
      assert.equal(index, 1, 'ExecutionStarted must follow the first OrchestratorStarted');
      break;
    case EventType.TaskScheduled:
    case EventType.TimerCreated:
    case EventType.SubOrchestrationInstanceCreated:
    case EventType.EventSent:
      assert(!scheduled.has(event.EventId), `id ${event.EventId} was given twice`);
      scheduled.set(event.EventId, String(event.EventType));
      break;
    case EventType.TaskCompleted:
    case EventType.TaskFailed:
      once(event.TaskScheduledId, [EventType.TaskScheduled], scheduled, completed);
      break;
    case EventType.SubOrchestrationInstanceCompleted:
    case EventType.SubOrchestrationInstanceFailed:
      once(event.TaskScheduledId, [EventType.SubOrchestrationInstanceCreated], scheduled, completed);
      break;
    case EventType.TimerFired:
      once(event.TimerId, [EventType.TimerCreated], scheduled, completed);
      break;
    default:
      break;
  }
}

function once(id: number, types: readonly number[], scheduled: Map<number, string>, completed: Set<string>): void {
  assert(types.map(String).includes(scheduled.get(id) ?? ''), `completion of ${id}, which was not scheduled before`);
  assert(!completed.has(String(id)), `${id} was completed twice`);
  completed.add(String(id));
}
