// The control plane's HTTP API as the page uses it: a token on every call, a bound on every wait, problems as values.
import type { ProblemDocument } from '../../../shared/errors.ts';
import { currentToken, type SignInConfig } from './sign-in.ts';

export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly status: number }
  | { readonly ok: false; readonly status: number; readonly problem: ProblemDocument };

export interface ControlPlane {
  get<T>(path: string): Promise<Answer<T>>;
  send<T>(method: 'POST' | 'DELETE', path: string, body?: unknown, key?: string): Promise<Answer<T>>;
}

const TIMEOUT_MS = 10_000;

const problemOf = (status: number, code: string, title: string, detail: string): ProblemDocument => ({
  type: `urn:anycast-failover:problem:${code}`,
  title,
  status,
  code,
  detail,
});

/** Fetches JSON; whatever goes wrong is a problem with words. */
export async function fetchJson<T>(url: string, init: RequestInit): Promise<Answer<T>> {
  try {
    const response = await fetch(url, { ...init, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const value: unknown = await response.json().catch(() => undefined);
    if (response.ok && value !== undefined) return { ok: true, value: value as T, status: response.status };
    const given = value as ProblemDocument | undefined;
    const isProblem = typeof given?.code === 'string' && typeof given.title === 'string';
    const problem = isProblem
      ? given
      : problemOf(response.status, 'http', `The control plane answered ${response.status}`, '');
    return { ok: false, status: response.status, problem };
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    const detail = isLate ? `no answer within ${TIMEOUT_MS / 1000} s` : 'the network or the control plane is away';
    return {
      ok: false,
      status: 0,
      problem: problemOf(0, 'unreachable', 'The control plane cannot be reached', detail),
    };
  }
}

/** @param onSignedOut called when the token is gone or refused. */
export function connect(config: SignInConfig | undefined, onSignedOut: () => void): ControlPlane {
  async function call<T>(method: string, path: string, body?: unknown, key?: string): Promise<Answer<T>> {
    const token = await currentToken(config);
    if (token === undefined) {
      onSignedOut();
      return { ok: false, status: 401, problem: problemOf(401, 'signed-out', 'Nobody is signed in', '') };
    }
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (key !== undefined) headers['idempotency-key'] = key;
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const answer = await fetchJson<T>(`/api${path}`, init);
    if (!answer.ok && answer.status === 401) onSignedOut();
    return answer;
  }
  return {
    get: (path) => call('GET', path),
    send: (method, path, body, key) => call(method, path, body, key),
  };
}
