// One request and answer of the lab's stand-ins for Azure: bounded body, JSON answers.
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Requests of the SDKs are far smaller; ingestion is limited to 1 MB a call. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** A page for people, instead of `json`. */
  readonly html?: string;
}

/** Answers, or leaves it to the next one with undefined. */
export type Endpoint = (exchange: Exchange) => Promise<Answer | undefined> | Answer | undefined;

/** As Azure words its errors. */
export const failed = (status: number, code: string, message: string): Answer => ({
  status,
  json: { error: { code, message } },
});

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > BODY_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Listener of a node server that asks each endpoint in turn. `origin` is what callers see. */
export function serve(origin: () => string, endpoints: readonly Endpoint[]) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request).catch(() => undefined);
    const url = new URL(request.url ?? '/', origin());
    const answer =
      body === undefined ? failed(413, 'TooLarge', 'body too large') : await ask(endpoints, request, url, body);
    const text = answer.html ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
    response.writeHead(answer.status, {
      ...(text !== '' && { 'content-type': answer.html === undefined ? 'application/json' : 'text/html' }),
      ...answer.headers,
    });
    response.end(text);
  };
}

async function ask(endpoints: readonly Endpoint[], request: IncomingMessage, url: URL, body: Buffer): Promise<Answer> {
  const exchange: Exchange = { method: request.method ?? 'GET', url, headers: request.headers, body };
  try {
    for (const endpoint of endpoints) {
      const answer = await endpoint(exchange);
      if (answer !== undefined) return answer;
    }
    return failed(404, 'NotFound', `${exchange.method} ${url.pathname}`);
  } catch (error) {
    return failed(500, 'InternalServerError', error instanceof Error ? error.message : String(error));
  }
}
