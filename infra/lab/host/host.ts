// The in-process Functions host: runs an application built on @azure/functions and durable-functions, without Azure.
//
//   +------------------------------ one process ------------------------------+
//   |  HTTP triggers   timer triggers      application (unchanged)            |
//   |        \             |              /        |                          |
//   |         invocation through @azure/functions  | DurableClient            |
//   |                      |                       v                          |
//   |  turns, activities, entity batches  <--- RPC endpoint (loopback)        |
//   |                      |                                                  |
//   |                task hub: SQLite                                         |
//   +--------------------------------------------------------------------------+
//
// One process owns the task hub. Others may run HTTP and timer triggers only and reach it through durableRpcUrl.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, createRealClock } from './clock.ts';
import { durableClientBinding, RPC_PATH, WEBHOOK_PATH } from './durable-client-binding.ts';
import { DURABLE_TRIGGERS, type DurableEngine, messageOf } from './durable-engine.ts';
import { DurableLanes } from './durable-lanes.ts';
import { DEFAULT_SETTINGS, type HostSettings } from './host-settings.ts';
import { type HttpServer, type ServedRequest, type ServedResponse, startHttpServer } from './http-server.ts';
import { createHttpTriggers } from './http-trigger.ts';
import { type FunctionApp, startFunctionApp, triggerOf } from './invocation.ts';
import { handleManagement } from './management-http.ts';
import { TaskHub } from './task-hub.ts';
import { TimerTriggers, timerInput } from './timer-triggers.ts';
import type { Log, RpcTypedData } from './wire.ts';

const LOOPBACK = '127.0.0.1';
/** Requests with a larger body are answered with 413 (the host on Azure stops at 100 MB). */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const STOP_MS_DEFAULT = 10_000;
const RETENTION_MS_DEFAULT = 48 * 3_600_000;
const POLL_MS = 5;

export interface HostOptions {
  /** Imports the application; it registers its functions while it loads. */
  readonly loadApp: () => Promise<unknown>;
  /** Port of the HTTP triggers; 0 (default) takes a free one. */
  readonly port?: number;
  readonly address?: string;
  /** Port of the local RPC endpoint; 0 (default) takes a free one. */
  readonly rpcPort?: number;
  /**
   * SQLite file of the task hub; ':memory:' by default. With durableRpcUrl it holds only when timers last ran, so that
   * missed runs are noticed; then it must be another file than the owner's.
   */
  readonly taskHubFile?: string;
  /** RPC endpoint of the process that owns the task hub: this one then runs HTTP and timer triggers only. */
  readonly durableRpcUrl?: string;
  readonly settings?: HostSettings;
  readonly clock?: Clock;
  readonly log?: Log;
  /** 'off' starts no timer trigger; durable timers run all the same. */
  readonly timers?: 'on' | 'off';
  /** Which functions this process runs; all by default. */
  readonly functionsEnabled?: (name: string, triggerType: string) => boolean;
  /** Keys for HTTP functions that are not anonymous. */
  readonly functionKeys?: readonly string[];
  /** Key for the management API and the admin endpoints on the HTTP port; random by default. */
  readonly systemKey?: string;
  /** How long an ended instance is kept, in ms. */
  readonly retentionMs?: number;
  /** How long stop() waits for what runs, in ms. */
  readonly stopMs?: number;
  /** Called at '<name>:before' and '<name>:after' each commit to the task hub; a test kills the process there. */
  readonly onCommitPoint?: (point: string) => void;
  /** Which of the waiting work items starts next; the oldest by default. */
  readonly pick?: (waiting: number) => number;
}

export interface Host {
  readonly port: number;
  readonly origin: string;
  /** For the durableRpcUrl of other processes. */
  readonly rpcUrl: string;
  readonly systemKey: string;
  readonly app: FunctionApp;
  /** The task hub's engine; undefined when another process owns the task hub. */
  readonly durable: DurableEngine | undefined;
  /** Runs a timer function now, as its schedule would. */
  runTimer(functionName: string): Promise<void>;
  /** Resolves when nothing runs or could run before time moves on. HTTP requests do not count. */
  settle(): Promise<void>;
  /**
   * Accepts nothing more, lets running work end within stopMs, closes. What is cut off is done again at the next
   * start.
   */
  stop(): Promise<void>;
}

/**
 * Starts a host. Rejects when the application does not load, a route or schedule is wrong, or the task hub is taken.
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const clock = options.clock ?? createRealClock();
  const settings = options.settings ?? DEFAULT_SETTINGS;
  const log = options.log ?? (() => undefined);
  const ownsTaskHub = options.durableRpcUrl === undefined;
  const app = await startFunctionApp({
    loadApp: options.loadApp,
    log,
    clock,
    invocationMsMax: settings.invocationMsMax,
    functionsEnabled: (name, type) =>
      (ownsTaskHub || !isDurable(type)) && (options.functionsEnabled?.(name, type) ?? true),
  });
  const hub = new TaskHub(options.taskHubFile ?? ':memory:', {
    onCommitPoint: options.onCommitPoint,
    onCommitted: (touched) => lanes?.onCommitted(touched),
  });
  const engine: DurableEngine = { hub, app, clock, settings, log };
  const { retentionMs = RETENTION_MS_DEFAULT, pick } = options;
  const lanes = ownsTaskHub ? new DurableLanes({ engine, retentionMs, pick }) : undefined;
  try {
    return await openHost(options, engine, lanes);
  } catch (error) {
    lanes?.stop();
    hub.close();
    throw error;
  }
}

function isDurable(triggerType: string): boolean {
  return Object.values<string>(DURABLE_TRIGGERS).includes(triggerType);
}

/** Opens the ports, then starts work: nothing of the application runs before its endpoints answer. */
async function openHost(options: HostOptions, engine: DurableEngine, lanes: DurableLanes | undefined): Promise<Host> {
  const { app, hub, log } = engine;
  const systemKey = options.systemKey ?? randomBytes(24).toString('base64url');
  const onError = (error: unknown) => log({ level: 'error', category: 'Host', message: messageOf(error) });
  const rpc = lanes && (await openRpc(options, engine, onError));
  const rpcUrl = options.durableRpcUrl ?? `${rpc?.origin}${RPC_PATH}/`;
  let handle: (request: ServedRequest) => Promise<ServedResponse> | ServedResponse = () => ({ status: 503 });
  let http: HttpServer;
  try {
    const { address = LOOPBACK, port = 0 } = options;
    http = await startHttpServer({
      address,
      port,
      bodyBytesMax: BODY_BYTES_MAX,
      handle: (request) => handle(request),
      onError,
    });
  } catch (error) {
    await rpc?.stop(0);
    throw error;
  }
  const servers = [http, ...(rpc ? [rpc] : [])];
  const { hubName, routePrefix } = engine.settings;
  const durableClient = durableClientBinding({ hubName, origin: http.origin, rpcUrl, systemKey });
  engine.durableClient = durableClient;
  const runTimer = async (name: string, timerTrigger: RpcTypedData) => {
    await app.invoke(name, { timerTrigger, durableClient });
  };
  try {
    const triggers = createHttpTriggers({
      app,
      log,
      routePrefix,
      functionKeys: options.functionKeys ?? [],
      durableClient,
    });
    const runTimerNow = (name: string) =>
      runTimer(name, timerInput(false, engine.clock.now(), engine.clock.now(), engine.clock.now()));
    handle = routeRequests({ engine, ownsTaskHub: lanes !== undefined, systemKey, triggers, runTimerNow });
    lanes?.start();
    const timers = options.timers === 'off' ? undefined : startTimers(engine, runTimer);
    const settle = () => settled(() => (lanes?.isIdle ?? true) && (timers?.isIdle ?? true));
    const stop = () => stopHost(options.stopMs ?? STOP_MS_DEFAULT, { servers, lanes, timers, app, hub, onError });
    const durable = lanes && engine;
    return {
      port: http.port,
      origin: http.origin,
      rpcUrl,
      systemKey,
      app,
      durable,
      runTimer: runTimerNow,
      settle,
      stop,
    };
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop(0)));
    throw error;
  }
}

function startTimers(
  engine: DurableEngine,
  run: (name: string, timer: RpcTypedData) => Promise<unknown>,
): TimerTriggers {
  const { app, clock, log, hub } = engine;
  return new TimerTriggers({
    functions: app.functions,
    clock,
    log,
    environment: process.env,
    loadStatus: (name) => hub.schedule(name),
    saveStatus: (name, row) => hub.transaction('schedule', () => hub.putSchedule(name, row)),
    run,
  });
}

async function openRpc(
  options: HostOptions,
  engine: DurableEngine,
  onError: (error: unknown) => void,
): Promise<HttpServer> {
  return startHttpServer({
    address: LOOPBACK,
    port: options.rpcPort ?? 0,
    bodyBytesMax: BODY_BYTES_MAX,
    handle: (request) => serveManagement(engine, request, RPC_PATH),
    onError,
  });
}

/** Serves the management API below the given path. */
function serveManagement(engine: DurableEngine, request: ServedRequest, path: string): ServedResponse {
  const { pathname, searchParams: query } = request.url;
  if (engine.hub.isClosed) return { status: 503 };
  if (!pathname.startsWith(`${path}/`)) return { status: 404 };
  let segments: string[];
  try {
    segments = pathname
      .slice(path.length + 1)
      .split('/')
      .filter((text) => text !== '')
      .map(decodeURIComponent);
  } catch {
    return { status: 400 };
  }
  const token = request.message.headers['x-ms-continuation-token'];
  const { status, body, headers } = handleManagement(engine, {
    method: request.method,
    segments,
    query,
    continuationToken: typeof token === 'string' ? token : undefined,
    body: request.body.toString('utf8'),
  });
  return { status, headers: { 'content-type': 'application/json', ...headers }, ...(body !== undefined && { body }) };
}

interface RouteOptions {
  readonly engine: DurableEngine;
  readonly ownsTaskHub: boolean;
  readonly systemKey: string;
  readonly triggers: (request: ServedRequest) => Promise<ServedResponse>;
  readonly runTimerNow: (name: string) => Promise<void>;
}

/** Tells apart what is asked on the HTTP port: admin endpoints, the management API, HTTP triggers. */
function routeRequests(options: RouteOptions): (request: ServedRequest) => Promise<ServedResponse> | ServedResponse {
  const { engine, systemKey } = options;
  return (request) => {
    const { pathname } = request.url;
    if (pathname === '/admin/host/status') return hostStatus(engine);
    const isManagement = pathname.startsWith(`${WEBHOOK_PATH}/`);
    if (!isManagement && !pathname.startsWith('/admin/')) return options.triggers(request);
    if (!hasSystemKey(request, systemKey)) return { status: 401 };
    if (!isManagement) return runByAdmin(options, request);
    return options.ownsTaskHub ? serveManagement(engine, request, WEBHOOK_PATH) : { status: 404 };
  };
}

function hostStatus({ app, settings }: DurableEngine): ServedResponse {
  const body = JSON.stringify({
    id: settings.hubName,
    state: 'Running',
    functions: [...app.functions.values()].map((f) => f.metadata.name),
  });
  return { status: 200, headers: { 'content-type': 'application/json' }, body };
}

function hasSystemKey({ message, url }: ServedRequest, systemKey: string): boolean {
  const given = Buffer.from(String(message.headers['x-functions-key'] ?? url.searchParams.get('code') ?? ''));
  const wanted = Buffer.from(systemKey);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** POST /admin/functions/{name} runs a timer function, as on Azure. */
function runByAdmin({ engine, runTimerNow }: RouteOptions, { method, url }: ServedRequest): ServedResponse {
  const name = /^\/admin\/functions\/([^/]+)$/.exec(url.pathname)?.[1] ?? '';
  const registered = engine.app.functions.get(name.toLowerCase());
  if (!registered || triggerOf(registered).type !== 'timerTrigger') return { status: 404 };
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' } };
  runTimerNow(name).catch((error: unknown) =>
    engine.log({ level: 'error', category: `Function.${name}`, message: messageOf(error), functionName: name }),
  );
  return { status: 202 };
}

/** Two looks in a row, since work that ends may mark more work for the next turn of the event loop. */
async function settled(isIdle: () => boolean): Promise<void> {
  for (let looks = 0; looks < 2; looks = isIdle() ? looks + 1 : 0) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

interface Parts {
  readonly servers: readonly HttpServer[];
  readonly lanes: DurableLanes | undefined;
  readonly timers: TimerTriggers | undefined;
  readonly app: FunctionApp;
  readonly hub: TaskHub;
  readonly onError: (error: unknown) => void;
}

async function stopHost(withinMs: number, { servers, lanes, timers, app, hub, onError }: Parts): Promise<void> {
  const endMs = performance.now() + withinMs;
  timers?.stop();
  lanes?.stop();
  // The HTTP port first: requests that still run may need the RPC endpoint.
  for (const server of servers) await server.stop(Math.max(endMs - performance.now(), 0));
  const isIdle = () => (lanes?.isIdle ?? true) && (timers?.isIdle ?? true);
  while (!isIdle() && performance.now() < endMs) await sleep(POLL_MS);
  await app.terminate().catch(onError);
  hub.close();
}
