// The measuring client: opens a new connection to the vip every 10 ms and sends what became of each to the lab.
import http from 'node:http';
import type { Sample } from './outage.ts';

/** A request without a complete answer after this long has failed. */
const TIMEOUT_MS = 1000;
/** Requests under way at once: one second of them, and some room for a late timer. */
const IN_FLIGHT_MAX = 130;
const BATCH_MS = 50;

const [url = '', periodText = '10', header = 'x-anycast-region'] = process.argv.slice(2);
const periodMs = Number(periodText);
const agent = new http.Agent({ keepAlive: false });
let inFlight = 0;
let batch: Sample[] = [];

/** Epoch ms with fractions; every process of the machine agrees on it. */
const now = (): number => performance.timeOrigin + performance.now();

function ask(): void {
  inFlight += 1;
  const startMs = now();
  let isDone = false;
  const finish = (region: string | null, failure?: string) => {
    if (isDone) return;
    isDone = true;
    inFlight -= 1;
    clearTimeout(patience);
    batch.push({ startMs, endMs: now(), region, ...(failure === undefined ? {} : { failure }) });
  };
  const request = http.get(url, { agent }, (response) => {
    response.resume();
    response.once('end', () => {
      const region = response.headers[header];
      if (response.statusCode === 200 && typeof region === 'string') finish(region);
      else finish(null, `status ${response.statusCode}`);
    });
    response.once('error', (error) => finish(null, error.message));
    response.once('aborted', () => finish(null, 'connection lost before the answer was complete'));
  });
  request.once('error', (error) => finish(null, error.message));
  const patience = setTimeout(() => {
    finish(null, `no answer within ${TIMEOUT_MS} ms`);
    request.destroy();
  }, TIMEOUT_MS);
}

/** Keeps to the grid of periods: a late timer does not shift the next request, and a missed slot is not made up for. */
function schedule(slotMs: number): void {
  if (inFlight < IN_FLIGHT_MAX) ask();
  const next = Math.max(slotMs + periodMs, now() - periodMs);
  setTimeout(() => schedule(next), Math.max(0, next - now()));
}

setInterval(() => {
  if (batch.length === 0) return;
  process.send?.({ type: 'samples', samples: batch });
  batch = [];
}, BATCH_MS);
process.once('disconnect', () => process.exit(0));
process.send?.({ type: 'ready' });
schedule(now());
