// One HTTP call as handlers see it: who asks, what for, and how answers look. Tokens are checked here and only here.
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import type { DurableClient } from 'durable-functions';
import type { ApiRole } from '../../shared/api.ts';
import { OperatingError, PROBLEM_CONTENT_TYPE, type ProblemDocument, problem } from '../../shared/errors.ts';
import { findNva } from '../../shared/topology.ts';
import type { Plane } from '../deployment.ts';
import type { CertificateOutcome, Principal, TokenVerifier } from '../ports.ts';
import { type Buckets, type RateKind, takeCall } from './rates.ts';

export type Client = Pick<DurableClient, 'startNew' | 'getStatus'>;

export interface Call {
  readonly plane: Plane;
  readonly client: Client;
  readonly request: HttpRequest;
  /** Nobody on open routes. */
  readonly principal: Principal | undefined;
  /** Of the client certificate, where that stands in for a token. */
  readonly thumbprint?: string;
  readonly log: Pick<InvocationContext, 'warn' | 'error'> & { readonly invocationId?: string };
  /** How often each caller asked; absent: nobody is counted. */
  readonly buckets?: Buckets;
}

export interface Route {
  readonly name: string;
  readonly methods: readonly ('GET' | 'POST' | 'DELETE')[];
  /** Below `/api`. */
  readonly path: string;
  /** Role that may call it; null: open to everybody, which must be deliberate. */
  readonly role: ApiRole | null;
  /** A client certificate may stand in for the token; the handler says for whom. */
  readonly takesCertificate?: boolean;
  readonly handle: (call: Call) => Promise<HttpResponseInit>;
}

/** Operators may read what they operate. */
const ROLES_FOR: Readonly<Record<ApiRole, readonly ApiRole[]>> = {
  'Failover.Read': ['Failover.Read', 'Failover.Operate'],
  'Failover.Operate': ['Failover.Operate'],
  'Agent.Report': ['Agent.Report'],
};

/** Longer than any token Entra issues. */
const TOKEN_LENGTH_MAX = 16 * 1024;

export const json = (status: number, body: unknown, headers: Record<string, string> = {}): HttpResponseInit => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
});

export const refuse = (document: ProblemDocument, headers: Record<string, string> = {}): HttpResponseInit => ({
  status: document.status,
  body: JSON.stringify(document),
  headers: { 'content-type': PROBLEM_CONTENT_TYPE, 'cache-control': 'no-store', ...headers },
});

/** Who calls may name the call; what is not plainly a name is not repeated. */
const CORRELATION = /^[\w.:-]{1,100}$/;

/** Answers with the name of the call in `x-correlation-id`: the caller's own, or the host's. */
export async function answer(route: Route, call: Omit<Call, 'principal'>): Promise<HttpResponseInit> {
  const given = call.request.headers.get('x-correlation-id') ?? '';
  const id = CORRELATION.test(given) ? given : (call.log.invocationId ?? 'unnamed');
  const response = await answerChecked(route, call, id);
  return { ...response, headers: { ...response.headers, 'x-correlation-id': id } };
}

/** Checks the token, calls the handler, and turns whatever goes wrong into a problem document. */
async function answerChecked(route: Route, call: Omit<Call, 'principal'>, id: string): Promise<HttpResponseInit> {
  try {
    if (route.role === null) {
      return (
        refuseOften(call, 'open', addressOf(call.request)) ?? (await route.handle({ ...call, principal: undefined }))
      );
    }
    const shown = route.takesCertificate ? readCertificate(call) : undefined;
    if (shown?.type === 'refused') return unauthorized(shown.code, shown.detail).response;
    const sender = senderOf(call);
    if (shown !== undefined) {
      const { thumbprint } = shown;
      const refused = refuseOften(call, route.role, `${thumbprint}|${sender}`);
      return refused ?? (await route.handle({ ...call, principal: undefined, thumbprint }));
    }
    const checked = await authorize(call.plane.tokens, call.request.headers.get('authorization'), route.role);
    if (checked.type === 'refused') return checked.response;
    const { principal } = checked;
    const refused = refuseOften(call, route.role, `${principal.id}|${sender}`);
    return refused ?? (await route.handle({ ...call, principal }));
  } catch (error) {
    return failure(error, call.log, id);
  }
}

/** Whoever asks too often is told when to ask again; nothing of the call is looked at. */
function refuseOften(
  { buckets, plane }: Omit<Call, 'principal'>,
  kind: RateKind,
  caller: string,
): HttpResponseInit | undefined {
  const seconds = buckets && takeCall(buckets, kind, caller, plane.clock.nowMs());
  if (seconds === undefined) return undefined;
  const next = `ask again in ${seconds} s`;
  return refuse(problem(429, 'too-many-requests', 'Too many requests', { next }), { 'retry-after': String(seconds) });
}

/** Whoever reports for several names of the deployment is counted for each; for other names, for all of them together. */
function senderOf({ plane, request }: Omit<Call, 'principal'>): string {
  const { nva: name } = request.params;
  const { topology } = plane.deployment;
  const isOurs = name !== undefined && (findNva(topology, name) ?? topology.observers.find((one) => one.name === name));
  return isOurs ? name : '';
}

/** The last hop is written by the front end of the platform; what stands before it anybody can write. */
const addressOf = (request: HttpRequest): string =>
  request.headers.get('x-forwarded-for')?.split(',').at(-1)?.trim().slice(0, 64) ?? '';

/** The client certificate of a call that brings no token; undefined: there is none, or nothing here vouches for it. */
function readCertificate({ plane, request }: Omit<Call, 'principal'>): CertificateOutcome | undefined {
  const header = request.headers.get('x-arr-clientcert');
  if (header === null || request.headers.get('authorization') !== null) return undefined;
  return plane.certificates?.read(header, plane.clock.nowMs());
}

type Authorized =
  | { readonly type: 'allowed'; readonly principal: Principal }
  | { readonly type: 'refused'; readonly response: HttpResponseInit };

async function authorize(tokens: TokenVerifier, header: string | null, role: ApiRole): Promise<Authorized> {
  const [, token] = /^Bearer ([\w.~+/=-]+)$/i.exec(header ?? '') ?? [];
  if (token === undefined || token.length > TOKEN_LENGTH_MAX) {
    return unauthorized('token-missing', 'send a bearer token of this deployment');
  }
  const outcome = await tokens.verify(token);
  if (outcome.type === 'refused') return unauthorized(outcome.code, outcome.detail);
  const wanted = ROLES_FOR[role];
  if (outcome.principal.roles.some((held) => wanted.includes(held)))
    return { type: 'allowed', principal: outcome.principal };
  const next = `have the app role ${role} assigned to ${outcome.principal.name}`;
  return {
    type: 'refused',
    response: refuse(problem(403, 'role-missing', 'Not allowed', { detail: `this needs the role ${role}`, next })),
  };
}

const unauthorized = (code: string, detail: string): Extract<Authorized, { type: 'refused' }> => ({
  type: 'refused',
  response: refuse(problem(401, code, 'Not authenticated', { detail }), { 'www-authenticate': 'Bearer' }),
});

function failure(error: unknown, log: Call['log'], id: string): HttpResponseInit {
  if (error instanceof OperatingError) {
    log.warn(`${error.code}: ${error.message} [${id}]`);
    const next = 'nothing was changed on the wire; try again shortly';
    return refuse(
      problem(503, error.code, 'Something behind the control plane failed', { detail: error.message, next }),
      {
        'retry-after': '5',
      },
    );
  }
  log.error(`[${id}]`, error instanceof Error ? (error.stack ?? error.message) : String(error));
  return refuse(problem(500, 'internal', 'A mistake in the control plane', { next: 'look at its log' }));
}
