// Runs activities: at least once each, their completion delivered exactly once.
import { ATTEMPTS_MAX, type DurableEngine, failureDetailsOf, messageOf, report } from './durable-engine.ts';
import type { ActivityRow } from './task-hub-schema.ts';
import { type EventBody, EventType, type RpcTypedData, returnedValue } from './wire.ts';

/**
 * Runs the activity of that sequence number. Its row goes in the transaction that delivers the completion, so a crash
 * in between runs it again. Rejects only when the host itself failed.
 */
export async function runActivity(engine: DurableEngine, seq: number): Promise<void> {
  const { hub } = engine;
  const activity = hub.transaction('activity-begin', () => hub.beginActivity(seq));
  if (!activity) return;
  const completion = await complete(engine, activity);
  if (hub.isClosed) return;
  hub.transaction('activity', () => {
    hub.deleteActivity(seq);
    // Dropped when the instance has ended or continued as new meanwhile.
    hub.deliver(activity.instanceId, activity.executionId, completion);
  });
}

async function complete(engine: DurableEngine, activity: ActivityRow): Promise<EventBody> {
  const { name, attempts } = activity;
  const head = { EventId: -1, TaskScheduledId: activity.taskId } as const;
  if (attempts > ATTEMPTS_MAX) {
    const Reason = `Poison message: activity '${name}' was begun ${attempts - 1} times and never ended.`;
    report(engine, 'error', `${Reason} Instance '${activity.instanceId}'.`, name);
    return { ...head, EventType: EventType.TaskFailed, Reason, Details: '' };
  }
  try {
    const response = await engine.app.invoke(name, {
      activityTrigger: inputOf(activity),
      durableClient: engine.durableClient,
    });
    // Always a JSON text, never undefined: the SDK parses it.
    return { ...head, EventType: EventType.TaskCompleted, Result: JSON.stringify(returnedValue(response) ?? null) };
  } catch (error) {
    const details = failureDetailsOf(error);
    const Reason = `Activity function '${name}' failed: ${details?.ErrorMessage ?? messageOf(error)}`;
    const Details = error instanceof Error ? String(error.stack) : '';
    report(engine, 'warning', `${Reason} (instance '${activity.instanceId}')`, name);
    return { ...head, EventType: EventType.TaskFailed, Reason, Details, ...(details && { FailureDetails: details }) };
  }
}

/** The SDK has already encoded strings as JSON, so that they arrive as they were. */
function inputOf(activity: ActivityRow): RpcTypedData | undefined {
  if (activity.input === null) return undefined;
  const input: unknown = JSON.parse(activity.input);
  return typeof input === 'string' ? { string: input } : { json: activity.input };
}
