// The lab's own HTTP API on loopback: ground truth, faults, an operator's token. Knows HTTP; the lab does the work.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { PROBLEM_CONTENT_TYPE, type ProblemDocument, problem } from '../../shared/errors.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { LEARNED_MISTAKES, type Resources } from './azure/resources.ts';
import type { FaultDesk } from './fault-desk.ts';
import { parseFault } from './faults.ts';
import type { World } from './world.ts';

/** What the API shows and does; undefined until the lab is up. */
export interface ControlledLab {
  readonly topology: Topology;
  world(): World;
  readonly faults: FaultDesk;
  /** Origins of the dashboard: the only pages that may use this API from a browser. */
  readonly pageOrigins?: readonly string[];
  /** An access token for a person who may operate. */
  token(): Promise<string>;
  /** Environment that a runbook of Azure Automation would find. */
  runbook(): Readonly<Record<string, string>>;
  /** The Azure resources that doctor reads, to be overlaid with mistakes. */
  resources(): Resources;
  /** Where `anycastctl doctor` finds this lab's file, CA and resources. */
  doctor(): Readonly<Record<string, string>>;
}

export interface ControlApi {
  readonly port: number;
  /** From now on requests are served; before that they are answered 503. */
  serve(lab: ControlledLab): void;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 16 * 1024;

/** Listens on 127.0.0.1. Rejects when the port is taken. */
export async function startControlApi(port: number): Promise<ControlApi> {
  let lab: ControlledLab | undefined;
  const server = createServer((request, response) => {
    respond(lab, request)
      .catch((error: unknown) => problemAnswer(problem(500, 'internal', 'The lab failed', { detail: String(error) })))
      .then((answer) => write(response, { ...answer, headers: { ...answer.headers, ...corsHeaders(lab, request) } }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    serve: (started) => {
      lab = started;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const json = (status: number, body: unknown): Answer => ({ status, type: 'application/json', body });
const problemAnswer = (document: ProblemDocument, headers: Record<string, string> = {}): Answer => ({
  status: document.status,
  type: PROBLEM_CONTENT_TYPE,
  body: document,
  headers,
});

function write(response: ServerResponse, answer: Answer): void {
  const text = JSON.stringify(answer.body);
  response.writeHead(answer.status, { 'content-type': answer.type, 'cache-control': 'no-store', ...answer.headers });
  response.end(`${text}\n`);
}

/** What lets the dashboard read the answer, and no other page (https://fetch.spec.whatwg.org/#http-cors-protocol). */
function corsHeaders(lab: ControlledLab | undefined, { headers: { origin } }: IncomingMessage): Record<string, string> {
  if (origin === undefined || !lab?.pageOrigins?.includes(origin)) return { vary: 'origin' };
  return {
    vary: 'origin',
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST, DELETE',
    'access-control-allow-headers': 'content-type',
  };
}

type Handler = (lab: ControlledLab, request: IncomingMessage) => Promise<Answer>;

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/': { GET: async () => json(200, INDEX) },
  '/world': { GET: async (lab) => json(200, lab.world()) },
  '/token': { GET: async (lab) => json(200, { access_token: await lab.token(), token_type: 'Bearer' }) },
  '/runbook': { GET: async (lab) => json(200, lab.runbook()) },
  '/resources': { POST: makeMistake, DELETE: mendMistakes },
  '/doctor': { GET: async (lab) => json(200, lab.doctor()) },
  '/faults': {
    GET: async (lab) => json(200, { faults: lab.faults.active() }),
    POST: makeFault,
    DELETE: async (lab) => json(200, { ended: await lab.faults.endAll() }),
  },
};

const INDEX = {
  'GET /world': 'ground truth',
  'POST /faults': '{kind, region?, nva?, vip?, seat?, instance?, seconds?, offsetSeconds?}',
  'GET /faults': 'active faults',
  'DELETE /faults': 'end all faults, repair what they broke',
  'GET /token': 'an access token for an operator of the lab',
  'POST /resources': '{overlay?: {PATH: body | null}, learned?: {CONNECTION: mistake}}: mistakes for doctor to find',
  'DELETE /resources': 'mend them',
  'GET /doctor': 'where anycastctl doctor finds file, CA and resources of this lab',
  'GET /runbook': 'environment variables for the runbooks of infra/automation',
};

async function respond(lab: ControlledLab | undefined, request: IncomingMessage): Promise<Answer> {
  const { pathname } = new URL(request.url ?? '/', 'http://lab');
  const methods = ROUTES[pathname];
  if (methods === undefined) {
    const next = Object.keys(INDEX).join(', ');
    return problemAnswer(problem(404, 'not-found', 'No such thing', { detail: pathname, next }));
  }
  const { origin } = request.headers;
  if (origin !== undefined && !lab?.pageOrigins?.includes(origin)) {
    const next = 'use the dashboard of this lab, or curl';
    return problemAnswer(problem(403, 'other-page', 'Not for this page', { detail: origin.slice(0, 200), next }));
  }
  if (request.method === 'OPTIONS') return json(200, { allow: Object.keys(methods) });
  const handler = methods[request.method ?? ''];
  if (handler === undefined) {
    const allow = Object.keys(methods).join(', ');
    return problemAnswer(problem(405, 'method', 'Not this method', { detail: `${pathname} takes ${allow}` }), {
      allow,
    });
  }
  if (lab === undefined) return problemAnswer(problem(503, 'starting', 'The lab is starting', { next: 'try again' }));
  return handler(lab, request);
}

const mistakeSchema = z.strictObject({
  overlay: z.record(z.string(), z.record(z.string(), z.unknown()).nullable()).default({}),
  learned: z.record(z.string(), z.enum(LEARNED_MISTAKES)).default({}),
});

async function makeMistake(lab: ControlledLab, request: IncomingMessage): Promise<Answer> {
  const parsed = mistakeSchema.safeParse(parseJson((await readBody(request)) ?? ''));
  if (!parsed.success) return problemAnswer(problem(400, 'malformed', 'Bad mistake', { detail: parsed.error.message }));
  const { overlay, learned } = lab.resources();
  for (const [path, body] of Object.entries(parsed.data.overlay)) overlay.set(path.toLowerCase(), body);
  for (const [connection, kind] of Object.entries(parsed.data.learned)) learned.set(connection, kind);
  return json(201, { overlaid: overlay.size, learned: learned.size });
}

async function mendMistakes(lab: ControlledLab): Promise<Answer> {
  lab.resources().overlay.clear();
  lab.resources().learned.clear();
  return json(200, {});
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function makeFault(lab: ControlledLab, request: IncomingMessage): Promise<Answer> {
  const text = await readBody(request);
  if (text === undefined) {
    return problemAnswer(problem(413, 'too-large', 'Body too large', { detail: `${BODY_BYTES_MAX} bytes at most` }));
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return problemAnswer(problem(400, 'not-json', 'Not JSON', { detail: 'the body must be a JSON object' }));
  }
  const fault = parseFault(body, lab.topology);
  if (!fault.ok) return problemAnswer(fault.error);
  const begun = await lab.faults.begin(fault.value);
  return begun.ok ? json(201, begun.value) : problemAnswer(begun.error);
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
