// The client of data-plane tests: opens connections of many kinds, counts those that broke, prints the result as JSON.
import { createHash, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Count, LoadPlan, LoadResult } from './load.ts';

const plan = JSON.parse(process.argv[2] ?? '{}') as LoadPlan;
const reasons = new Set<string>();
const REASONS_MAX = 12;
/** A connection on which nothing moves for this long is broken. */
const STALL_MS = 6000;
const endMs = performance.now() + plan.seconds * 1000;

interface Ask {
  readonly path: string;
  readonly agent: Agent | undefined;
  readonly expectBytes?: number;
  readonly body?: Iterable<Buffer>;
  readonly pauseMs?: number;
}

/** The answer's body; throws when the connection breaks, stalls or tells something wrong. */
function ask({ path, agent, expectBytes, body, pauseMs = 0 }: Ask): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: plan.address,
        port: plan.httpPort,
        path,
        method: body === undefined ? 'GET' : 'POST',
        agent: agent ?? false,
        timeout: STALL_MS,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          if (expectBytes !== undefined && !isPattern(whole, expectBytes)) reject(new Error('wrong bytes'));
          else resolve(whole);
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('stalled')));
    outgoing.on('error', reject);
    void (async () => {
      for (const piece of body ?? []) {
        if (!outgoing.write(piece)) await new Promise((drained) => outgoing.once('drain', drained));
        if (pauseMs > 0) await sleep(pauseMs);
      }
      outgoing.end();
    })();
  });
}

function isPattern(bytes: Buffer, length: number): boolean {
  return bytes.length === length && bytes.every((byte, i) => byte === (i & 255));
}

async function count(jobs: readonly Promise<unknown>[], kind: string): Promise<Count> {
  const settled = await Promise.allSettled(jobs);
  const failed = settled.filter((job) => job.status === 'rejected');
  for (const job of failed) if (reasons.size < REASONS_MAX) reasons.add(`${kind}: ${String(job.reason)}`);
  return { done: settled.length - failed.length, failed: failed.length };
}

async function makeRequests(): Promise<Count> {
  const jobs: Promise<unknown>[] = [];
  const periodMs = 1000 / plan.requestsPerSecond;
  for (let next = performance.now(); plan.requestsPerSecond > 0 && next < endMs; next += periodMs) {
    await sleep(Math.max(0, next - performance.now()));
    const path = `/?bytes=${plan.requestBytes}&ms=${plan.requestMs}`;
    const job = ask({ path, agent: undefined, expectBytes: plan.requestBytes });
    // Looked at once all are under way; a failure before that is no unhandled one.
    job.catch(() => undefined);
    jobs.push(job);
  }
  return count(jobs, 'request');
}

async function keepAsking(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let sockets = 0;
  try {
    while (performance.now() < endMs) {
      await ask({ path: '/?bytes=64', agent, expectBytes: 64 });
      await sleep(100);
      sockets = Math.max(sockets, Object.values(agent.freeSockets).flat().length);
    }
  } finally {
    agent.destroy();
  }
  if (sockets !== 1) throw new Error('not one connection');
}

const download = () =>
  ask({
    path: `/?bytes=${plan.downloadBytes}&ms=${plan.seconds * 1000}`,
    agent: undefined,
    expectBytes: plan.downloadBytes,
  });

async function upload(): Promise<void> {
  const piece = randomBytes(Math.ceil(plan.uploadBytes / 100));
  const pieces = Array.from({ length: 100 }, () => piece);
  const hash = createHash('sha256');
  for (const part of pieces) hash.update(part);
  const answer = await ask({ path: '/', agent: undefined, body: pieces, pauseMs: (plan.seconds * 1000) / 100 });
  if (answer.toString() !== hash.digest('hex')) throw new Error('wrong checksum');
}

/** Sends over the whole time, says FIN and then waits for the answer. */
async function halfClose(): Promise<void> {
  const socket = connect({ host: plan.address, port: plan.halfClosePort, allowHalfOpen: true });
  socket.setTimeout(STALL_MS, () => socket.destroy(new Error('stalled')));
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  const over = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve);
    socket.once('error', reject);
  });
  over.catch(() => undefined);
  let bytes = 0;
  while (performance.now() < endMs - 1000 && !socket.destroyed) {
    socket.write('x'.repeat(1000));
    bytes += 1000;
    await sleep(200);
  }
  socket.end();
  await over;
  socket.destroy();
  if (answer !== `${bytes}\n`) throw new Error(`answered ${JSON.stringify(answer)} to ${bytes} bytes`);
}

const many = (n: number, job: () => Promise<unknown>): Promise<unknown>[] => Array.from({ length: n }, job);

process.stdout.write('started\n');
const [requests, keepAlives, downloads, uploads, halfCloses] = await Promise.all([
  makeRequests(),
  count(many(plan.keepAlives, keepAsking), 'keep-alive'),
  count(many(plan.downloads, download), 'download'),
  count(many(plan.uploads, upload), 'upload'),
  count(many(plan.halfCloses, halfClose), 'half-close'),
]);
const result: LoadResult = { requests, keepAlives, downloads, uploads, halfCloses, reasons: [...reasons] };
process.stdout.write(JSON.stringify(result));
