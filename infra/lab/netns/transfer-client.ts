// The client of long transfers: downloads, uploads and keep-alive connections one after the other until it is told to
// begin no more; then it tells what became of them.
import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { checksumOf, TRANSFER_PATH, type TransferSize, writeEvenly } from './transfer-content.ts';
import type { TransferCount, TransferTotals } from './transfers.ts';

export interface TransferArguments extends TransferSize {
  readonly host: string;
  readonly port: number;
  readonly keepAlives: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as TransferArguments;
/** Nothing moves for this long: the connection is broken. */
const STALL_MS = 8000;
const KEEP_ALIVE_MS = 200;
const PROBLEMS_MAX = 10;
const expected = checksumOf(options.bytes);
const query = `${TRANSFER_PATH}?bytes=${options.bytes}&seconds=${options.seconds}`;
const problems: string[] = [];
let isEnding = false;

function send(path: string, method: string, agent: Agent | false, body?: (to: ClientRequest) => unknown) {
  return new Promise<{ readonly text: string; readonly digest: string; readonly port: number }>((resolve, reject) => {
    const { host, port } = options;
    const outgoing = request({ host, port, path, method, agent, timeout: STALL_MS }, (response: IncomingMessage) => {
      const hash = createHash('sha256');
      const local = outgoing.socket?.localPort ?? 0;
      let text = '';
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        if (text.length < 200) text += chunk.toString('latin1').slice(0, 200);
      });
      response.once('error', reject);
      response.once('end', () => resolve({ text, digest: hash.digest('hex'), port: local }));
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('stalled')));
    outgoing.once('error', reject);
    if (body === undefined) outgoing.end();
    else void body(outgoing);
  });
}

async function download(): Promise<void> {
  const { digest } = await send(query, 'GET', false);
  if (digest !== expected) throw new Error('wrong checksum');
}

async function upload(): Promise<void> {
  const { text } = await send(query, 'POST', false, (to) => writeEvenly(to, options));
  if (text !== expected) throw new Error('wrong checksum');
}

/** One connection that asks again and again for the time of a transfer; a second connection means the first one broke. */
async function keepAlive(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number>();
  try {
    const endMs = performance.now() + options.seconds * 1000;
    while (performance.now() < endMs) {
      ports.add((await send('/', 'GET', agent)).port);
      if (ports.size > 1) throw new Error('the connection was replaced');
      await sleep(KEEP_ALIVE_MS);
    }
  } finally {
    agent.destroy();
  }
}

async function repeat(kind: string, job: () => Promise<void>): Promise<TransferCount> {
  let intact = 0;
  let broken = 0;
  while (!isEnding) {
    try {
      await job();
      intact += 1;
    } catch (error) {
      broken += 1;
      if (problems.length < PROBLEMS_MAX) problems.push(`${kind}: ${error instanceof Error ? error.message : error}`);
      await sleep(KEEP_ALIVE_MS);
    }
  }
  return { intact, broken };
}

const sum = (counts: readonly TransferCount[]): TransferCount =>
  counts.reduce((a, b) => ({ intact: a.intact + b.intact, broken: a.broken + b.broken }));

process.on('message', (message) => {
  if ((message as { type?: unknown }).type === 'end') isEnding = true;
});
process.send?.({ type: 'ready' });
const [downloads, uploads, ...keepAlives] = await Promise.all([
  repeat('download', download),
  repeat('upload', upload),
  ...Array.from({ length: options.keepAlives }, () => repeat('keep-alive', keepAlive)),
]);
const totals: TransferTotals = { seconds: options.seconds, downloads, uploads, keepAlives: sum(keepAlives), problems };
process.send?.({ type: 'totals', totals }, () => process.disconnect());
