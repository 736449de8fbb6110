// Talks to the control plane: tries every seat, carries the token, turns problem documents into errors with exit codes.
import type { z } from 'zod';
import type { ProblemDocument } from '../../shared/errors.ts';
import type { Ask, Asked } from './ask.ts';
import type { Context } from './context.ts';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';

const TIMEOUT_MS = 10_000;

export interface CallOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

export interface Answer<T> {
  readonly status: number;
  readonly value: T;
  /** Base URL of the seat that answered. */
  readonly seat: string;
}

/** Whom the control plane will see, read from the token without checking it. */
export interface Identity {
  readonly name: string;
  readonly roles: readonly string[];
}

/** A problem document the control plane answered with. */
export class ProblemError extends CliError {
  readonly problem: ProblemDocument;

  constructor(problem: ProblemDocument) {
    super(exitCodeOf(problem.status), problem.detail ?? problem.title, {
      why: (problem.errors ?? []).map((e) => `${e.path === '' ? '' : `${e.path}: `}${e.message} [${e.code}]`),
      next: problem.next === undefined ? [] : [problem.next],
    });
    this.problem = problem;
  }
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.signIn;
  if (status === 409 || status === 422) return EXIT.refused;
  return status === 400 || status === 404 ? EXIT.usage : EXIT.error;
}

/** What an answer must look like. A function is called while the answer is on its way: a schema takes time to load. */
export type Expected<T> = z.ZodType<T> | (() => Promise<z.ZodType<T>>);

export interface ClientPorts {
  readonly fetch: Ask;
  /** Bearer token; undefined when the context needs none (open routes). `onSent` is called while one is asked for. */
  readonly token: (onSent?: () => void) => Promise<string | undefined>;
  /** Receives the curl line of each request, without the token. */
  readonly debug: ((line: string) => void) | undefined;
}

export class ControlPlaneClient {
  readonly context: Context;
  readonly #ports: ClientPorts;

  constructor(context: Context, ports: ClientPorts) {
    this.context = context;
    this.#ports = ports;
  }

  /**
   * Calls a path below `/api` on the first seat that answers; where a seat names the leader, there. A seat that cannot
   * be reached, answers 502, 503 or 504, or does not know an operation that another seat started is passed over; the
   * Idempotency-Key makes trying another seat safe for mutations. Throws ProblemError or CliError.
   */
  async call<T>(path: string, expected: Expected<T>, options: CallOptions = {}): Promise<Answer<T>> {
    const schema = loadOnce(expected);
    const failures: string[] = [];
    const asked = new Set<string>();
    const waiting = [...this.context.seats];
    let unknown: ProblemError | undefined;
    for (let seat = waiting.shift(); seat !== undefined; seat = waiting.shift()) {
      if (asked.has(seat)) continue;
      asked.add(seat);
      const response = await this.#request(seat, path, options, schema.begin).catch((error: unknown) => {
        failures.push(`${seat}: ${reasonOf(error)}`);
        return undefined;
      });
      if (response === undefined) continue;
      if ([502, 503, 504].includes(response.status)) {
        failures.push(`${seat}: HTTP ${response.status} ${await detailOf(response)}`);
        continue;
      }
      try {
        return { status: response.status, value: await this.#read(response, await schema.loaded(), seat), seat };
      } catch (error) {
        const elsewhere = elsewhereOf(error);
        if (elsewhere === undefined) throw error;
        failures.push(`${seat}: ${(error as ProblemError).message}`);
        if (elsewhere === 'any') unknown = error as ProblemError;
        else waiting.unshift(elsewhere);
      }
    }
    if (unknown !== undefined) throw unknown;
    throw new CliError(EXIT.noSeat, `No seat of ${this.context.name} answered.`, {
      why: failures,
      next:
        this.context.name === 'lab'
          ? ['Start the lab with: npm start']
          : ['The network keeps running on its last orders.'],
    });
  }

  /** One request to one seat, answered as it comes. Rejects when nothing answered. */
  raw(seat: string, path: string, options: CallOptions = {}): Promise<Asked> {
    return this.#request(seat, path, options);
  }

  bearer(): Promise<string | undefined> {
    return this.#ports.token();
  }

  /** Undefined when nobody is signed in or the token is no JWT. */
  async identity(): Promise<Identity | undefined> {
    const payload = (await this.#ports.token())?.split('.')[1];
    const claims = payload === undefined ? undefined : parseJson(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null) return undefined;
    const { preferred_username: user, upn, appid, azp, sub, roles } = claims as Record<string, unknown>;
    return { name: String(user ?? upn ?? appid ?? azp ?? sub ?? 'unknown'), roles: Array.isArray(roles) ? roles : [] };
  }

  async #request(seat: string, path: string, options: CallOptions, onSent?: () => void): Promise<Asked> {
    const url = `${seat.replace(/\/+$/, '')}/api${path}`;
    const method = options.method ?? 'GET';
    const token = await this.#ports.token(onSent);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    if (options.idempotencyKey !== undefined) headers['idempotency-key'] = options.idempotencyKey;
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    this.#ports.debug?.(curlLine(method, url, headers, body));
    return this.#ports.fetch(url, {
      method,
      headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
      ...(onSent === undefined ? {} : { onSent }),
    });
  }

  async #read<T>(response: Asked, schema: z.ZodType<T>, seat: string): Promise<T> {
    const text = await response.text();
    const json = parseJson(text);
    if (!response.ok) throw new ProblemError(problemOf(response.status, json, text));
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new CliError(EXIT.error, `${seat} gave an answer this version of anycastctl does not understand.`, {
      why: [`${issue?.path.join('.')}: ${issue?.message}`],
      next: ['Use the anycastctl of the deployed version.'],
    });
  }
}

interface Loading<T> {
  readonly begin: () => void;
  readonly loaded: () => Promise<z.ZodType<T>>;
}

function loadOnce<T>(expected: Expected<T>): Loading<T> {
  let loading: Promise<z.ZodType<T>> | undefined;
  const loaded = () => {
    loading ??= typeof expected === 'function' ? expected() : Promise.resolve(expected);
    return loading;
  };
  // Whoever wants the schema hears of its failure; nobody may.
  return { loaded, begin: () => void loaded().catch(() => undefined) };
}

/** Where else to ask: the leader a follower named, `any` other seat, or nowhere. */
function elsewhereOf(error: unknown): string | undefined {
  if (!(error instanceof ProblemError)) return undefined;
  if (error.problem.code === 'unknown-operation') return 'any';
  const { leader } = error.problem;
  return error.problem.code === 'not-leader' && typeof leader === 'string' ? leader : undefined;
}

function problemOf(status: number, json: unknown, text: string): ProblemDocument {
  if (typeof json === 'object' && json !== null && 'code' in json && 'title' in json) return json as ProblemDocument;
  return {
    type: 'about:blank',
    title: `HTTP ${status}`,
    status,
    code: 'not-a-problem',
    detail: `HTTP ${status}: ${text.slice(0, 200)}`,
  };
}

async function detailOf(response: Asked): Promise<string> {
  const json = parseJson(await response.text());
  return typeof json === 'object' && json !== null && 'detail' in json ? String(json.detail) : '';
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CliError) throw error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

/** The request as a curl line, the token left out. */
export function curlLine(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): string {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const shown = Object.entries(headers).map(
    ([key, value]) => `-H ${quote(`${key}: ${key === 'authorization' ? 'Bearer $TOKEN' : value}`)}`,
  );
  return ['curl', '-X', method, ...shown, ...(body === undefined ? [] : ['-d', quote(body)]), quote(url)].join(' ');
}
