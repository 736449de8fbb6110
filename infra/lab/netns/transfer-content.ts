// What long transfers of the lab carry: bytes that both ends can make and check, spread over a time.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export const TRANSFER_PATH = '/transfer';
/** A piece of a transfer goes out this often. */
const PIECE_MS = 50;

export interface TransferSize {
  readonly bytes: number;
  readonly seconds: number;
}

/** Bytes from `at` on; each depends on its place, so that a gap, a repeat or a swap changes the checksum. */
export const contentAt = (at: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => ((at + i) * 2_654_435_761) >>> 13);

/** SHA-256 of a whole transfer, in hex. */
export function checksumOf(bytes: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += 65_536) hash.update(contentAt(at, Math.min(65_536, bytes - at)));
  return hash.digest('hex');
}

/** Writes the whole transfer evenly over its time; a late piece does not shift the next. */
export async function writeEvenly(to: Writable, { bytes, seconds }: TransferSize): Promise<void> {
  const pieces = Math.max(1, Math.round((seconds * 1000) / PIECE_MS));
  const size = Math.ceil(bytes / pieces);
  const startMs = performance.now();
  for (let sent = 0, piece = 1; sent < bytes && !to.destroyed; sent += size, piece += 1) {
    if (!to.write(contentAt(sent, Math.min(size, bytes - sent)))) {
      await new Promise<void>((resolve) => {
        to.once('drain', resolve);
        to.once('close', resolve);
      });
    }
    await sleep(Math.max(0, startMs + piece * PIECE_MS - performance.now()));
  }
  to.end();
}

/** The application's side: a GET is a download, a POST an upload answered with the checksum of what came. */
export async function answerTransfer(
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
): Promise<void> {
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
    request.on('error', () => response.destroy());
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.on('error', () => undefined);
  await writeEvenly(response, { bytes: Number(query.get('bytes')), seconds: Number(query.get('seconds')) });
}
