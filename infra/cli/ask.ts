// One HTTP request of the command line, bounded in time and size. Loads less than fetch does: a look takes as long as its start.
import type { ClientRequest, IncomingMessage } from 'node:http';

const BODY_BYTES_MAX = 64 * 1024 * 1024;

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Called when the request has left: time to do something useful until the answer comes. */
  readonly onSent?: () => void;
}

/** What a caller reads of an answer; a Response of fetch has it too. */
export interface Asked {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
  json(): Promise<unknown>;
}

export type Ask = (url: string, options: AskOptions) => Promise<Asked>;

/**
 * Asks once, on a connection of its own, and reads the answer to its end; redirects are not followed. Rejects when nothing
 * answered, the signal aborted, or the answer is larger than 64 MiB.
 */
export const ask: Ask = (url, options) =>
  new Promise((resolve, reject) => {
    const request = open(url, options);
    request.once('error', (error) => reject(firstOf(error)));
    request.once('response', (response) => resolve(read(response)));
    if (options.onSent !== undefined) request.once('finish', options.onSent);
    request.end(options.body);
  });

/** `import` of these modules would also load what fetch is made of, which takes longer than the request. */
function open(url: string, { method = 'GET', headers = {}, signal }: AskOptions): ClientRequest {
  const isTls = url.startsWith('https:');
  const { request } = isTls ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  return request(url, { method, headers, agent: false, ...(signal !== undefined && { signal }) });
}

async function read(response: IncomingMessage): Promise<Asked> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const status = response.statusCode ?? 0;
  const headers = { get: (name: string) => response.headers[name.toLowerCase()]?.toString() ?? null };
  return {
    status,
    ok: status >= 200 && status < 300,
    headers,
    text: async () => text,
    json: async () => JSON.parse(text),
  };
}

/** A name with several addresses fails with all of them at once, and no message. */
const firstOf = (error: Error): Error =>
  error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
