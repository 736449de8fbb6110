// The agent's HTTP: orders in over TLS, status and metrics out; the same over a unix socket for root, plus overrides.
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { PROBLEM_CONTENT_TYPE, type ProblemDocument, problem } from '../../shared/errors.ts';
import { ORDER_BYTES_MAX, type OrderRefusal } from '../../shared/order.ts';
import type { OrderAnswer } from './order-desk.ts';
import { createRequestRate } from './request-rate.ts';

/** What the server asks of the agent. */
export interface AgentDoor {
  readonly acceptOrder: (jws: string) => Promise<OrderAnswer>;
  readonly status: () => unknown;
  readonly metrics: () => Promise<string>;
  /** Unhealthy only when the agent itself is: a dead application is no reason to restart the agent. */
  readonly isAlive: () => boolean;
  /** Root's own word, over the unix socket only. The value is what `override` answers with. */
  readonly override: (body: unknown) => Promise<{ readonly status: number; readonly body: unknown }>;
}

export interface AgentServer {
  readonly address: string;
  readonly port: number;
  /** New certificate files take effect for new connections. Throws when they do not fit together. */
  reloadTls(tls: TlsFiles): void;
  close(): Promise<void>;
}

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
}

/** Connections at the same time; beyond that the kernel's queue waits. */
export const CONNECTIONS_MAX = 64;
/** Time a caller has for a whole request. */
export const REQUEST_MS_MAX = 10_000;
const OVERRIDE_BYTES_MAX = 16 * 1024;

const REFUSAL_STATUS: Readonly<Record<OrderRefusal, number>> = {
  malformed: 400,
  'too-large': 413,
  'unknown-key': 401,
  'bad-signature': 401,
  misaddressed: 403,
  'unknown-group': 404,
  expired: 410,
  older: 409,
  'not-persisted': 503,
};

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly allow?: string;
}

type Handler = (request: IncomingMessage, door: AgentDoor) => Promise<Reply>;
/** Path -> method -> handler. */
type Routes = Readonly<Record<string, Readonly<Record<string, Handler>>>>;

const json = (status: number, value: unknown): Reply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});
const refusal = (document: ProblemDocument): Reply => ({
  status: document.status,
  type: PROBLEM_CONTENT_TYPE,
  body: JSON.stringify(document),
});

const TOO_MANY = refusal(problem(429, 'too-many-requests', 'Too many requests', { next: 'Try again in a second.' }));

const READING: Routes = {
  '/v1/status': { GET: async (_request, door) => json(200, door.status()) },
  '/healthz': {
    GET: async (_request, door) =>
      door.isAlive()
        ? { status: 200, type: 'text/plain', body: 'ok\n' }
        : { status: 503, type: 'text/plain', body: 'stopping\n' },
  },
  '/metrics': {
    GET: async (_request, door) => ({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      body: await door.metrics(),
    }),
  },
};

const putOrder: Handler = async (request, door) => {
  const body = await readBody(request, ORDER_BYTES_MAX);
  if (body === undefined)
    return refusal(problem(413, 'too-large', 'Order too large', { detail: `limit ${ORDER_BYTES_MAX} bytes` }));
  const answer = await door.acceptOrder(body);
  if (answer.accepted) return json(200, answer);
  const status = REFUSAL_STATUS[answer.refusal];
  return refusal(problem(status, answer.refusal, `Order refused: ${answer.refusal}`, { detail: answer.detail }));
};

const putOverride: Handler = async (request, door) => {
  const body = await readBody(request, OVERRIDE_BYTES_MAX);
  if (body === undefined) return refusal(problem(413, 'too-large', 'Override too large'));
  try {
    const { status, body: answer } = await door.override(JSON.parse(body));
    return status < 300 ? json(status, answer) : { status, type: PROBLEM_CONTENT_TYPE, body: JSON.stringify(answer) };
  } catch (error) {
    if (error instanceof SyntaxError) return refusal(problem(400, 'malformed', 'Not JSON'));
    throw error;
  }
};

const OVER_TLS: Routes = { ...READING, '/v1/order': { PUT: putOrder } };
const OVER_SOCKET: Routes = { ...READING, '/v1/override': { PUT: putOverride } };

/** Opens the HTTPS port. Rejects when the address is taken or the certificate files do not fit. */
export async function openAgentServer(
  listen: { readonly address: string; readonly port: number },
  tls: TlsFiles,
  door: AgentDoor,
): Promise<AgentServer> {
  const server: HttpsServer = createHttpsServer(readTls(tls));
  bound(server, OVER_TLS, door);
  await opened(server, () => server.listen(listen.port, listen.address));
  const { address, port } = server.address() as AddressInfo;
  return {
    address,
    port,
    reloadTls: (files) => server.setSecureContext(readTls(files)),
    close: () => closed(server),
  };
}

/** Opens the unix socket for root on this machine: no TLS, the file's mode is the door. */
export async function openLocalSocket(path: string, door: AgentDoor): Promise<{ close(): Promise<void> }> {
  const server = createHttpServer();
  bound(server, OVER_SOCKET, door);
  // A socket left behind by a killed agent would refuse the new one.
  await rm(path, { force: true });
  await opened(server, () => {
    // The file is made within this call, so nobody else's files get this mask.
    const before = process.umask(0o177);
    server.listen(path);
    process.umask(before);
  });
  return { close: () => closed(server) };
}

function readTls({ cert, key, ca }: TlsFiles) {
  const context = { cert: readFileSync(cert), key: readFileSync(key) };
  return ca === undefined ? context : { ...context, ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true };
}

function bound(server: Server | HttpsServer, routes: Routes, door: AgentDoor): void {
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_MS_MAX;
  server.headersTimeout = REQUEST_MS_MAX;
  server.keepAliveTimeout = 60_000;
  const rate = createRequestRate();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const isAdmitted = rate.admit(request.socket.remoteAddress ?? '', performance.now());
    void answer(request, response, isAdmitted ? routes : undefined, door);
  });
  // A broken TLS handshake or request is the caller's trouble, not a crash of ours.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: Routes | undefined,
  door: AgentDoor,
): Promise<void> {
  const reply = await (routes === undefined ? Promise.resolve(TOO_MANY) : route(request, routes, door)).catch(() =>
    refusal(problem(500, 'internal', 'Internal error', { next: "See the agent's log." })),
  );
  // The rest of a body nobody reads would hold the connection.
  const isUnread = !request.complete;
  response.writeHead(reply.status, {
    'content-type': reply.type,
    'content-length': Buffer.byteLength(reply.body),
    'cache-control': 'no-store',
    ...(reply.allow === undefined ? {} : { allow: reply.allow }),
    ...(isUnread ? { connection: 'close' } : {}),
  });
  response.end(reply.body, () => {
    if (isUnread) request.destroy();
  });
}

async function route(request: IncomingMessage, routes: Routes, door: AgentDoor): Promise<Reply> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (methods === undefined) return refusal(problem(404, 'not-found', 'No such path', { detail: path.slice(0, 200) }));
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler !== undefined) return await handler(request, door);
  const allow = Object.keys(methods).join(', ');
  return {
    ...refusal(problem(405, 'method-not-allowed', 'Method not allowed', { detail: `allowed: ${allow}` })),
    allow,
  };
}

/** The whole body, or undefined when it is longer than the limit. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function opened(server: Server | HttpsServer, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start();
  });
}

function closed(server: Server | HttpsServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
