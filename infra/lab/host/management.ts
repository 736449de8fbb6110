// What clients ask of a task hub: start, query, raise, terminate, suspend, resume, purge, and signal or read entities.
import { randomUUID } from 'node:crypto';
import { type DurableEngine, findDurable } from './durable-engine.ts';
import { createInstance } from './instances.ts';
import { unknownFunction } from './invocation.ts';
import { FINAL_STATUSES, type InstanceFilter, type InstanceRow } from './task-hub-schema.ts';
import { type EventBody, EventType, type HistoryEvent, schedulerId } from './wire.ts';

/** A limit on unfinished instances: a start beyond it is refused, so that a runaway caller cannot fill the disk. */
export const UNFINISHED_INSTANCES_MAX = 20_000;
const INSTANCE_ID_LENGTH_MAX = 256;
/** Instances of one page of a query, and of one transaction of a purge. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1_000;

/** A refusal, with the HTTP status that the extension answers. */
export type Refusal = {
  readonly type: 'refused';
  readonly status: 400 | 404 | 410 | 412 | 500;
  readonly message: string;
};
export type Accepted<T> = { readonly type: 'ok'; readonly value: T };
export type Answer<T> = Accepted<T> | Refusal;

/** StatusResponsePayload of the extension. */
export interface InstanceStatus {
  readonly name: string;
  readonly instanceId: string;
  readonly runtimeStatus: InstanceRow['status'];
  readonly input: unknown;
  readonly customStatus: unknown;
  readonly output: unknown;
  readonly createdTime: string;
  readonly lastUpdatedTime: string;
  readonly historyEvents?: readonly unknown[];
}

function ok<T>(value: T): Accepted<T> {
  return { type: 'ok', value };
}

function refuse(status: Refusal['status'], message: string): Refusal {
  return { type: 'refused', status, message };
}

export interface StartOptions {
  readonly instanceId?: string | undefined;
  /** JSON text; absent or empty means null. */
  readonly inputJson?: string | undefined;
  readonly version?: string | undefined;
}

/**
 * Starts an instance. A running one of the same id is answered with 500, as the extension does; an ended one is
 * overwritten.
 */
export function startInstance(
  engine: DurableEngine,
  name: string,
  options: StartOptions,
): Answer<{ readonly id: string }> {
  const { inputJson, version } = options;
  const id = options.instanceId || randomUUID().replaceAll('-', '');
  if (!findDurable(engine, 'orchestration', name))
    return refuse(400, unknownFunction(name, 'an orchestrator function'));
  const problem = instanceIdProblem(id);
  if (problem !== undefined) return refuse(400, problem);
  if (inputJson && !isJson(inputJson)) return refuse(400, 'The input is not valid JSON.');
  if (engine.hub.countUnfinished() >= UNFINISHED_INSTANCES_MAX) {
    return refuse(500, `The task hub has ${UNFINISHED_INSTANCES_MAX} unfinished instances already.`);
  }
  const start = { name, id, input: inputJson || 'null', version, parent: null };
  const reason = engine.hub.transaction('start', () => createInstance(engine, start));
  return reason === undefined ? ok({ id }) : refuse(500, reason);
}

/** The rules of DurableClient.cs. */
function instanceIdProblem(id: string): string | undefined {
  if (id.length > INSTANCE_ID_LENGTH_MAX)
    return `Instance IDs must not be longer than ${INSTANCE_ID_LENGTH_MAX} characters.`;
  if (id.startsWith('@')) return "Orchestration instance ids must not start with '@'.";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the rule is about.
  if (/[/\\#?\u0000-\u001f\u007f-\u009f]/.test(id))
    return "Instance ids must not contain '/', '\\', '#', '?' or control characters.";
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export interface StatusOptions {
  readonly showHistory?: boolean;
  readonly showHistoryOutput?: boolean;
  readonly showInput?: boolean;
}

/** Undefined when there is no such instance. */
export function instanceStatus(
  engine: DurableEngine,
  id: string,
  options: StatusOptions = {},
): InstanceStatus | undefined {
  const instance = engine.hub.instance(id);
  if (!instance) return undefined;
  const status = toStatus(instance, options.showInput ?? true);
  if (!options.showHistory) return status;
  const events = engine.hub.history(id);
  return { ...status, historyEvents: events.map((event) => describeEvent(event, options.showHistoryOutput ?? false)) };
}

function toStatus(instance: InstanceRow, showInput: boolean): InstanceStatus {
  const parse = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
  // Whole seconds, as the extension formats them.
  const time = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
  return {
    name: instance.name,
    instanceId: instance.id,
    runtimeStatus: instance.status,
    input: showInput ? parse(instance.input) : null,
    customStatus: parse(instance.customStatus),
    output: parse(instance.output),
    createdTime: time(instance.createdMs),
    lastUpdatedTime: time(instance.updatedMs),
  };
}

const EVENT_NAMES = new Map<number, string>(Object.entries(EventType).map(([name, number]) => [number, name]));

/** History as the status query shows it: names instead of numbers, results only on demand. */
function describeEvent(event: HistoryEvent, showOutput: boolean): unknown {
  const { EventType: type, EventId: _id, ...rest } = event;
  const shown = { ...rest } as Record<string, unknown>;
  if (!showOutput) for (const name of ['Result', 'Input']) delete shown[name];
  return { EventType: EVENT_NAMES.get(type) ?? String(type), ...shown };
}

/** A page of instances, oldest first; token is absent on the last page. */
export function queryInstances(
  engine: DurableEngine,
  filter: InstanceFilter,
  page: { readonly size?: number | undefined; readonly token?: string | undefined; readonly showInput?: boolean },
): { readonly instances: readonly InstanceStatus[]; readonly token: string | undefined } {
  const size = Math.min(Math.max(page.size ?? PAGE_SIZE_DEFAULT, 1), PAGE_SIZE_MAX);
  const offset = Number.parseInt(page.token ?? '0', 10) || 0;
  const rows = engine.hub.instances(filter, size + 1, offset);
  const instances = rows.slice(0, size).map((row) => toStatus(row, page.showInput ?? false));
  return { instances, token: rows.length > size ? String(offset + size) : undefined };
}

/** Puts a command or event into a live instance's inbox: 404 when there is none, 410 when it has ended. */
function send(engine: DurableEngine, id: string, event: EventBody): Answer<undefined> {
  const instance = engine.hub.instance(id);
  if (!instance) return refuse(404, `No instance with ID '${id}' was found.`);
  if (FINAL_STATUSES.includes(instance.status)) return refuse(410, `Instance '${id}' has ended: ${instance.status}.`);
  engine.hub.transaction('send', () => engine.hub.deliver(id, null, event));
  return ok(undefined);
}

/** inputJson is JSON text, or empty for an event without data. */
export function raiseEvent(engine: DurableEngine, id: string, name: string, inputJson: string): Answer<undefined> {
  if (inputJson && !isJson(inputJson)) return refuse(400, 'The event data is not valid JSON.');
  return send(engine, id, { EventType: EventType.EventRaised, EventId: -1, Name: name, Input: inputJson || null });
}

export function terminateInstance(engine: DurableEngine, id: string, reason: string | null): Answer<undefined> {
  return send(engine, id, { EventType: EventType.ExecutionTerminated, EventId: -1, Input: reason });
}

export function suspendInstance(engine: DurableEngine, id: string, reason: string | null): Answer<undefined> {
  return send(engine, id, { EventType: EventType.ExecutionSuspended, EventId: -1, Reason: reason });
}

export function resumeInstance(engine: DurableEngine, id: string, reason: string | null): Answer<undefined> {
  return send(engine, id, { EventType: EventType.ExecutionResumed, EventId: -1, Reason: reason });
}

/** Removes one ended instance; 412 when it still runs. */
export function purgeInstance(engine: DurableEngine, id: string): Answer<{ readonly instancesDeleted: number }> {
  const instance = engine.hub.instance(id);
  if (!instance) return refuse(404, `No instance with ID '${id}' was found.`);
  if (!FINAL_STATUSES.includes(instance.status)) {
    return refuse(
      412,
      `Only orchestrations in a terminal state can be purged, but '${id}' has status ${instance.status}.`,
    );
  }
  return ok({ instancesDeleted: engine.hub.transaction('purge', () => engine.hub.purge([id])) });
}

/** Removes the ended instances that fit the filter, a page at a time; returns how many. */
export function purgeInstances(engine: DurableEngine, filter: InstanceFilter): number {
  const statuses = FINAL_STATUSES.filter((status) => filter.statuses?.includes(status) ?? true);
  let deleted = 0;
  for (;;) {
    const ids = engine.hub.instances({ ...filter, statuses }, PAGE_SIZE_MAX).map((row) => row.id);
    if (ids.length === 0) return deleted;
    deleted += engine.hub.transaction('purge', () => engine.hub.purge(ids));
  }
}

/** inputJson is JSON text, or empty for an operation without input. */
export function signalEntity(
  engine: DurableEngine,
  name: string,
  key: string,
  op: string,
  inputJson: string,
): Answer<undefined> {
  if (!findDurable(engine, 'entity', name)) return refuse(400, unknownFunction(name, 'an entity function'));
  if (inputJson && !isJson(inputJson)) return refuse(400, 'The operation input is not valid JSON.');
  const message = { id: randomUUID(), op, signal: true, ...(inputJson && { input: inputJson }) };
  engine.hub.transaction('signal', () => engine.hub.sendToEntity(schedulerId({ name, key }), 'op', message));
  return ok(undefined);
}

/** The state as JSON text; undefined when the entity does not exist. */
export function entityState(engine: DurableEngine, name: string, key: string): string | undefined {
  const entity = engine.hub.entity(schedulerId({ name, key }));
  return entity?.present ? (entity.state ?? 'null') : undefined;
}
