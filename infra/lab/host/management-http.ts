// The management API as HTTP: the paths that the real DurableClient calls (LocalHttpListener.cs, HttpApiHandler.cs).
import type { DurableEngine } from './durable-engine.ts';
import {
  type Answer,
  entityState,
  instanceStatus,
  purgeInstance,
  purgeInstances,
  queryInstances,
  raiseEvent,
  resumeInstance,
  signalEntity,
  startInstance,
  suspendInstance,
  terminateInstance,
} from './management.ts';
import { FINAL_STATUSES, type InstanceFilter, RUNTIME_STATUSES } from './task-hub-schema.ts';

export interface ManagementRequest {
  readonly method: string;
  /** Decoded path segments after the prefix: ['instances', id, 'raiseEvent', name]. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly continuationToken: string | undefined;
  readonly body: string;
}

export interface ManagementResponse {
  readonly status: number;
  /** JSON text; absent for an empty body. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const NOT_FOUND: ManagementResponse = { status: 404 };

/** Answers one request; never throws for what the caller sent. */
export function handleManagement(engine: DurableEngine, request: ManagementRequest): ManagementResponse {
  const [collection, ...rest] = request.segments;
  switch (collection) {
    case 'orchestrators':
      return handleOrchestrators(engine, request, rest);
    case 'entities':
      return handleEntities(engine, request, rest);
    case 'instances':
      return rest.length === 0 ? handleInstances(engine, request) : handleInstance(engine, request, rest);
    default:
      return NOT_FOUND;
  }
}

function toResponse(answer: Answer<unknown>, successStatus: number): ManagementResponse {
  if (answer.type === 'refused') {
    return { status: answer.status, body: JSON.stringify({ Message: answer.message }) };
  }
  return { status: successStatus, ...(answer.value !== undefined && { body: JSON.stringify(answer.value) }) };
}

/** POST orchestrators/{name}[/{id}] */
function handleOrchestrators(
  engine: DurableEngine,
  request: ManagementRequest,
  rest: readonly string[],
): ManagementResponse {
  const [name, instanceId] = rest;
  if (request.method !== 'POST' || !name || rest.length > 2) return NOT_FOUND;
  const version = request.query.get('version') ?? undefined;
  return toResponse(startInstance(engine, name, { instanceId, inputJson: request.body, version }), 202);
}

/** GET and POST entities/{name}/{key} */
function handleEntities(
  engine: DurableEngine,
  request: ManagementRequest,
  rest: readonly string[],
): ManagementResponse {
  const [name, key] = rest;
  if (!name || !key || rest.length > 2) return NOT_FOUND;
  if (request.method === 'GET') {
    const body = entityState(engine, name, key);
    return body === undefined ? NOT_FOUND : { status: 200, body };
  }
  if (request.method !== 'POST') return NOT_FOUND;
  return toResponse(signalEntity(engine, name, key, request.query.get('op') ?? '', request.body), 202);
}

/** GET and DELETE instances/ with filters */
function handleInstances(engine: DurableEngine, request: ManagementRequest): ManagementResponse {
  const { query } = request;
  const filter = filterOf(query);
  if (filter === undefined)
    return { status: 400, body: JSON.stringify({ Message: 'A time in the query is not valid.' }) };
  if (request.method === 'DELETE') {
    if (filter.createdFromMs === undefined) {
      return {
        status: 400,
        body: JSON.stringify({ Message: "Please provide value for 'createdTimeFrom' parameter." }),
      };
    }
    const instancesDeleted = purgeInstances(engine, filter);
    return instancesDeleted === 0 ? NOT_FOUND : { status: 200, body: JSON.stringify({ instancesDeleted }) };
  }
  if (request.method !== 'GET') return NOT_FOUND;
  const size = Number(query.get('top') ?? Number.NaN);
  const page = queryInstances(engine, filter, {
    size: Number.isInteger(size) ? size : undefined,
    token: request.continuationToken,
    showInput: query.get('showInput') === 'true',
  });
  const headers: Record<string, string> = page.token === undefined ? {} : { 'x-ms-continuation-token': page.token };
  return { status: 200, body: JSON.stringify(page.instances), headers };
}

/** Undefined when a time cannot be read; unknown statuses are left out, as the extension does. */
function filterOf(query: URLSearchParams): InstanceFilter | undefined {
  const times = ['createdTimeFrom', 'createdTimeTo'].map((name) => {
    const text = query.get(name);
    return text === null ? undefined : Date.parse(text);
  });
  if (times.some((time) => Number.isNaN(time))) return undefined;
  const [createdFromMs, createdToMs] = times;
  const wanted = query.getAll('runtimeStatus').flatMap((text) => text.split(','));
  const statuses = RUNTIME_STATUSES.filter((status) => wanted.includes(status));
  return {
    ...(createdFromMs !== undefined && { createdFromMs }),
    ...(createdToMs !== undefined && { createdToMs }),
    ...(wanted.length > 0 && { statuses }),
  };
}

/** instances/{id}[/{command}[/{event name}]] */
function handleInstance(
  engine: DurableEngine,
  request: ManagementRequest,
  rest: readonly string[],
): ManagementResponse {
  const [id = '', command, eventName] = rest;
  if (command === undefined) return handleInstanceItself(engine, request, id);
  if (request.method !== 'POST') return NOT_FOUND;
  const reason = request.query.get('reason');
  switch (command.toLowerCase()) {
    case 'raiseevent':
      return eventName ? toResponse(raiseEvent(engine, id, eventName, request.body), 202) : NOT_FOUND;
    case 'terminate':
      return toResponse(terminateInstance(engine, id, reason), 202);
    case 'suspend':
      return toResponse(suspendInstance(engine, id, reason), 202);
    case 'resume':
      return toResponse(resumeInstance(engine, id, reason), 202);
    case 'rewind':
      return { status: 501, body: JSON.stringify('Rewind is not supported by this task hub.') };
    default:
      return NOT_FOUND;
  }
}

function handleInstanceItself(engine: DurableEngine, request: ManagementRequest, id: string): ManagementResponse {
  if (request.method === 'DELETE') return toResponse(purgeInstance(engine, id), 200);
  if (request.method !== 'GET') return NOT_FOUND;
  const { query } = request;
  const status = instanceStatus(engine, id, {
    showHistory: query.get('showHistory') === 'true',
    showHistoryOutput: query.get('showHistoryOutput') === 'true',
    showInput: query.get('showInput') !== 'false',
  });
  if (!status) return NOT_FOUND;
  const hasEnded = FINAL_STATUSES.includes(status.runtimeStatus);
  return {
    status: hasEnded ? 200 : 202,
    body: JSON.stringify(status),
    ...(!hasEnded && { headers: { 'retry-after': '5' } }),
  };
}
