// The dashboard as it is deployed, its own triggers and files, in front of answers that a test makes up.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpRequest } from '@azure/functions';
import { type Asset, readAssets } from '../../functions/dashboard/assets.ts';
import type { Plane } from '../../functions/deployment.ts';
import { answer, type Client } from '../../functions/http/call.ts';
import { dashboardRoutes } from '../../functions/triggers/dashboard.ts';
import { buildDashboard } from '../../infra/build-dashboard.ts';
import type { Status } from '../../shared/api.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { problem } from '../../shared/errors.ts';
import { history, operation, plan, steady } from './states.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
}
export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

export interface Fixture {
  readonly url: string;
  /** What GET /status answers; undefined: the connection is cut. */
  status: (() => Status) | Answered | undefined;
  audit: readonly AuditRecord[] | Answered;
  explain: readonly string[] | Answered;
  operation: () => unknown;
  /** Answers requests that change something. */
  change: (asked: Asked) => Answered;
  /** Everything that was asked of the API. */
  readonly asked: Asked[];
  /** Bytes of bodies of the page's own files, as sent. */
  pageBytes: number;
  stop(): Promise<void>;
}

const isAnswered = (given: unknown): given is Answered =>
  typeof given === 'object' && given !== null && 'body' in given;

export const denied: Answered = {
  status: 403,
  body: problem(403, 'role-missing', 'Not allowed', { detail: 'this needs the role Failover.Read' }),
};

/** The page as it is deployed. */
export async function buildPage(): Promise<ReadonlyMap<string, Asset>> {
  const folder = mkdtempSync(join(tmpdir(), 'anycast-dashboard-'));
  await buildDashboard(folder);
  const assets = readAssets(folder);
  rmSync(folder, { recursive: true, force: true });
  return assets;
}

/** Listens on 127.0.0.1 on any free port. */
export async function startFixture(assets: ReadonlyMap<string, Asset>): Promise<Fixture> {
  const signIn = { authority: 'http://127.0.0.1:1/entra', clientId: 'c', scope: 's' };
  const plane = { dashboard: { assets, signIn } } as unknown as Plane;
  const server = createServer((request, response) => {
    respond(fixture, plane, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fixture: Fixture = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    status: steady,
    audit: history(),
    explain: ['orders 192.0.2.10/32   westeurope acts for 1d1h, rung 4 ×12', 'why     steady: westeurope is healthy'],
    operation,
    change: ({ body }) => (body.dryRun === true ? { status: 200, body: plan() } : { status: 202, body: operation() }),
    asked: [],
    pageBytes: 0,
    stop: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return fixture;
}

async function respond(
  fixture: Fixture,
  plane: Plane,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', fixture.url);
  const path = url.pathname.replace(/^\/api/, '');
  if (path.startsWith('/dashboard')) return showPage(fixture, plane, request, response, path);
  const chunks: Uint8Array[] = [];
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const asked: Asked = {
    method: request.method ?? '',
    path,
    body: text === '' ? {} : JSON.parse(text),
    headers: request.headers,
  };
  fixture.asked.push(asked);
  const given = answerOf(fixture, asked);
  if (given === undefined) {
    request.socket.destroy();
    return;
  }
  response.writeHead(given.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(given.body));
}

function answerOf(fixture: Fixture, asked: Asked): Answered | undefined {
  if (asked.method !== 'GET') return fixture.change(asked);
  const { status, audit, explain } = fixture;
  if (asked.path === '/status') return typeof status === 'function' ? { status: 200, body: status() } : status;
  if (asked.path === '/audit') return isAnswered(audit) ? audit : { status: 200, body: { records: audit, next: null } };
  if (asked.path.startsWith('/explain/'))
    return isAnswered(explain) ? explain : { status: 200, body: { vip: 'orders', lines: explain } };
  return { status: 200, body: fixture.operation() };
}

/** Through the real triggers: what they forbid is forbidden here too. */
async function showPage(
  fixture: Fixture,
  plane: Plane,
  message: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const [, , folder, file = ''] = path.split('/');
  const name = folder === undefined ? 'dashboard' : folder === 'config' ? 'dashboard-config' : 'dashboard-file';
  const route = dashboardRoutes.find((one) => one.name === name);
  if (route === undefined) throw new Error(`no route ${name}`);
  const headers = Object.fromEntries(Object.entries(message.headers).map(([key, value]) => [key, String(value)]));
  const request = new HttpRequest({ method: 'GET', url: `${fixture.url}${path}`, headers, params: { file } });
  const log = { invocationId: 'invocation-1', warn: () => undefined, error: console.error };
  const given = await answer(route, { plane, client: {} as Client, request, log });
  const body = given.body as Uint8Array | string | undefined;
  if (body !== undefined && name !== 'dashboard-config') fixture.pageBytes += body.length;
  response.writeHead(given.status ?? 200, given.headers as Record<string, string>);
  response.end(body);
}
