// The application of data-plane tests: names itself, streams downloads, checks uploads, honours half-closed connections.
import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer } from 'node:net';

const [name = '', address = '0.0.0.0'] = process.argv.slice(2);
const HTTP_PORT = 8080;
const HALF_CLOSE_PORT = 8081;
/** A half-closed connection is answered this long after the client's FIN, so that a move can fall in between. */
const ANSWER_AFTER_MS = Number(process.argv[4] ?? 1500);

/** `bytes` in pieces over `ms`, each byte the low part of its position, so that a gap or a repeat shows. */
function stream(response: ServerResponse, bytes: number, ms: number): void {
  const pieces = Math.max(1, Math.min(1000, Math.ceil(ms / 20)));
  const size = Math.ceil(bytes / pieces);
  let sent = 0;
  const send = () => {
    const length = Math.min(size, bytes - sent);
    response.write(Buffer.from(Uint8Array.from({ length }, (_, i) => (sent + i) & 255)));
    sent += length;
    if (sent >= bytes) response.end();
    else setTimeout(send, ms / pieces);
  };
  send();
}

const http = createHttpServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://app');
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
    return;
  }
  response.setHeader('x-app', name);
  // The client's port as the application sees it tells a translated connection from one that is not.
  response.setHeader('x-peer', request.socket.remoteAddress ?? '');
  stream(response, Number(url.searchParams.get('bytes') ?? 2), Number(url.searchParams.get('ms') ?? 0));
});
http.keepAliveTimeout = 60_000;
http.requestTimeout = 0;
http.listen(HTTP_PORT, address);

const halfClose = createServer({ allowHalfOpen: true }, (socket) => {
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  socket.on('end', () => setTimeout(() => socket.end(`${bytes}\n`), ANSWER_AFTER_MS));
  socket.on('error', () => undefined);
});
halfClose.listen(HALF_CLOSE_PORT, address, () => process.stdout.write('ready\n'));
