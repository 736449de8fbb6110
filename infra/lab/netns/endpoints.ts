// Stands for Azure around the control plane, in its namespace: tokens and their keys, managed identity, ARM's route tables
// read from BIRD, Logs Ingestion. Also asks the control plane's HTTP API for the lab, with an operator's token.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { armPlace, circuitTable, learnedRoutes } from './arm-tables.ts';
import { readBirdRoutes } from './bird.ts';

export interface EndpointsArguments {
  readonly address: string;
  readonly tlsPort: number;
  readonly identityPort: number;
  readonly certificate: string;
  readonly key: string;
  readonly issuer: string;
  readonly audience: string;
  /** Base URL of the control plane. */
  readonly functions: string;
  readonly prefix: string;
  /** By resource name in lower case (`rs-we`, `erc-we`): whom to ask. */
  readonly routeServers: Readonly<Record<string, readonly { readonly address: string; readonly socket: string }[]>>;
  readonly circuits: Readonly<Record<string, { readonly socket: string }>>;
}

const KEY_ID = 'lab';
const TOKEN_SECONDS = 3600;
const CALL_MS = 30_000;
const RESULTS_MAX = 100;

const options = JSON.parse(process.argv[2] ?? '{}') as EndpointsArguments;
const { publicKey, privateKey } = await generateKeyPair('RS256');
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' }] };
/** Finished long-running operations, by number. */
const results = new Map<string, unknown>();
let operations = 0;

const signToken = (audience: string, claims: Record<string, unknown>): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: KEY_ID })
    .setIssuer(options.issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${TOKEN_SECONDS}s`)
    .sign(privateKey);

const answer = (response: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
};

/** Managed identity as the metadata service and App Service offer it: whoever can reach it gets its token. */
async function answerIdentity(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://lab');
  const resource = url.searchParams.get('resource') ?? '';
  const claims = {
    oid: 'lab-identity',
    sub: 'lab-identity',
    appid: 'lab-identity',
    idtyp: 'app',
    roles: ['Agent.Report'],
  };
  answer(response, 200, {
    access_token: await signToken(resource, claims),
    token_type: 'Bearer',
    resource,
    expires_in: String(TOKEN_SECONDS),
    expires_on: String(Math.floor(Date.now() / 1000) + TOKEN_SECONDS),
  });
}

async function answerAzure(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'https://lab');
  request.resume();
  if (url.pathname === '/keys') return answer(response, 200, jwks);
  if (url.pathname.startsWith('/dataCollectionRules/')) return answer(response, 204);
  const result = /^\/operations\/(\d+)$/.exec(url.pathname)?.[1];
  if (result !== undefined) return answer(response, results.has(result) ? 200 : 404, results.get(result));
  const body = await routesOf(url.pathname);
  if (body === undefined) return answer(response, 404, { error: { code: 'ResourceNotFound', message: url.pathname } });
  operations += 1;
  results.set(String(operations), body);
  results.delete(String(operations - RESULTS_MAX));
  const location = `https://${request.headers.host}/operations/${operations}`;
  answer(response, 202, undefined, { location, 'retry-after': '0' });
}

async function routesOf(path: string): Promise<unknown> {
  const place = armPlace(path);
  if (place?.type === 'learned-routes') {
    const instances = options.routeServers[place.name] ?? [];
    const held = await Promise.all(instances.map((instance) => readBirdRoutes(instance.socket, options.prefix)));
    return learnedRoutes(instances.map((instance, i) => ({ address: instance.address, routes: held[i] ?? [] })));
  }
  const circuit = place === undefined ? undefined : options.circuits[place.name];
  return circuit === undefined ? undefined : circuitTable(await readBirdRoutes(circuit.socket, options.prefix));
}

const orFail =
  (handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    handler(request, response).catch((error: unknown) => {
      answer(response, 500, { error: { code: 'LabError', message: String(error) } });
    });
  };

/** A call of the lab's to the control plane, answered to the lab with the same id. */
interface Call {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

async function call({ id, method, path, body }: Call): Promise<void> {
  try {
    const claims = {
      oid: 'lab-operator',
      preferred_username: 'operator@lab.example',
      scp: 'user_impersonation',
      roles: ['Failover.Read', 'Failover.Operate'],
    };
    const response = await fetch(`${options.functions}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await signToken(options.audience, claims)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    const text = await response.text();
    process.send?.({ type: 'answer', id, status: response.status, text });
  } catch (error) {
    process.send?.({ type: 'answer', id, status: 0, text: String(error) });
  }
}

process.on('message', (message) => {
  if ((message as { type?: unknown }).type === 'call') void call(message as Call);
});
process.once('disconnect', () => process.exit(0));

const tls = createTlsServer(
  { cert: readFileSync(options.certificate), key: readFileSync(options.key) },
  orFail(answerAzure),
);
const identity = createServer(orFail(answerIdentity));
await Promise.all([
  new Promise<void>((resolve) => tls.listen(options.tlsPort, '127.0.0.1', resolve)),
  new Promise<void>((resolve) => identity.listen(options.identityPort, options.address, resolve)),
]);
process.send?.({ type: 'ready' });
