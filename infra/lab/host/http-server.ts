// A small HTTP server: bounded request bodies, one handler, a stop that lets running requests end.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ServedRequest {
  readonly message: IncomingMessage;
  readonly method: string;
  readonly url: URL;
  readonly body: Buffer;
}

export interface ServedResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

export interface HttpServer {
  readonly port: number;
  /** http://host:port, without a path. */
  readonly origin: string;
  /** Accepts nothing more; resolves when the running requests have ended or the time is over. */
  stop(withinMs: number): Promise<void>;
}

export interface HttpServerOptions {
  readonly address: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly bodyBytesMax: number;
  readonly handle: (request: ServedRequest) => Promise<ServedResponse> | ServedResponse;
  readonly onError: (error: unknown) => void;
}

class BodyTooLarge extends Error {}

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = createServer((message, response) => {
    void serve(options, message, response, () => server.listening);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', options.onError);
  const { port } = server.address() as AddressInfo;
  const host = options.address.includes(':') ? `[${options.address}]` : options.address;
  return { port, origin: `http://${host}:${port}`, stop: (withinMs) => stop(server, withinMs) };
}

async function serve(
  options: HttpServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
  isOpen: () => boolean,
): Promise<void> {
  let answer: ServedResponse;
  try {
    const url = URL.parse(`http://${message.headers.host ?? 'localhost'}${message.url ?? '/'}`);
    if (!url) answer = { status: 400 };
    else {
      const body = await readBody(message, options.bodyBytesMax);
      answer = await options.handle({ message, method: message.method ?? 'GET', url, body });
    }
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) options.onError(error);
    answer = { status: error instanceof BodyTooLarge ? 413 : 500, headers: { connection: 'close' } };
  }
  try {
    // Once the server is stopping a connection kept alive would only hold it up.
    if (!isOpen()) response.setHeader('connection', 'close');
    response.writeHead(answer.status, answer.headers as Record<string, string | string[]> | undefined);
    response.end(answer.body);
  } catch (error) {
    // Headers that HTTP does not allow: the caller gets a closed connection, the log the reason.
    options.onError(error);
    response.destroy();
  }
}

/** Rejects when it is larger than allowed, or when the sender goes away within it. */
function readBody(message: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(new BodyTooLarge());
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let length = 0;
  message.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= bytesMax) chunks.push(chunk);
    else reject(new BodyTooLarge());
  });
  message.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
  message.on('error', reject);
  message.on('close', () => {
    if (!message.complete) reject(new Error('the sender went away'));
  });
  return promise;
}

async function stop(server: Server, withinMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), withinMs);
  await closed;
  clearTimeout(deadline);
}
