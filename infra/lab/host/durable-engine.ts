// What orchestrations, activities and entities of one task hub share.
import type { Clock } from './clock.ts';
import type { HostSettings } from './host-settings.ts';
import { type FunctionApp, triggerOf } from './invocation.ts';
import type { TaskHub } from './task-hub.ts';
import type { FailureDetails, Log, LogLevel, RpcTypedData } from './wire.ts';

export interface DurableEngine {
  readonly hub: TaskHub;
  readonly app: FunctionApp;
  readonly clock: Clock;
  readonly settings: HostSettings;
  readonly log: Log;
  /** Input of the durableClient binding, which activities may have too; known once the endpoints are open. */
  durableClient?: RpcTypedData | undefined;
}

/**
 * How often a turn, an activity or an entity batch may be begun without ever being committed (the process died, or
 * the host failed) before it counts as poison: it is then failed and reported, and the others go on.
 */
export const ATTEMPTS_MAX = 5;

export const LOG_CATEGORY = 'Host.Triggers.DurableTask';

export function report(engine: DurableEngine, level: LogLevel, message: string, functionName?: string): void {
  engine.log({ level, category: LOG_CATEGORY, message, ...(functionName !== undefined && { functionName }) });
}

export const DURABLE_TRIGGERS = {
  orchestration: 'orchestrationTrigger',
  activity: 'activityTrigger',
  entity: 'entityTrigger',
} as const;
export type DurableKind = keyof typeof DURABLE_TRIGGERS;

/** The registered name of a durable function of that kind, whatever the case of the given one. */
export function findDurable(engine: DurableEngine, kind: DurableKind, name: string): string | undefined {
  const registered = engine.app.functions.get(name.toLowerCase());
  return registered && triggerOf(registered).type === DURABLE_TRIGGERS[kind] ? registered.metadata.name : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** An error whose message is JSON with structured details (setExceptionPropertiesProvider of the SDK). */
export function failureDetailsOf(error: unknown): FailureDetails | undefined {
  let details: Record<string, unknown> | null;
  try {
    details = JSON.parse(messageOf(error)) as Record<string, unknown> | null;
  } catch {
    return undefined; // a plain message
  }
  if (typeof details !== 'object' || typeof details?.errorType !== 'string') return undefined;
  return {
    ErrorType: details.errorType,
    ErrorMessage: String(details.errorMessage ?? ''),
    ...(typeof details.stackTrace === 'string' && { StackTrace: details.stackTrace }),
    IsNonRetriable: details.isNonRetriable === true,
    Properties: details.properties,
  };
}
