// The measuring client: opens a new connection to the vip every 10 ms and sends what became of each to the lab. It is also
// the on-premises observer: it reports who answered to the control plane.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createTokenSource } from '../../../nva-agent/control/identity-token.ts';
import { parseTopology } from '../../../shared/topology.ts';
import type { Topology } from '../../../shared/topology-schema.ts';
import { type Observer, startObserver } from '../observer.ts';
import { NOTHING_OBSERVED, observe, takePeriod } from './observation.ts';
import type { Sample } from './outage.ts';

/** A request without a complete answer after this long has failed. */
const TIMEOUT_MS = 1000;
/** Requests under way at once: one second of them, and some room for a late timer. */
const IN_FLIGHT_MAX = 130;
const BATCH_MS = 50;

export interface ClientArguments {
  readonly vip: string;
  readonly url: string;
  /** Response header by which an application says where it runs. */
  readonly header: string;
  readonly periodMs: number;
  readonly observer: string;
  readonly topology: string;
  /** Managed identity of the observer. */
  readonly identity: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ClientArguments;
const agent = new http.Agent({ keepAlive: false });
let inFlight = 0;
let batch: Sample[] = [];
let observation = NOTHING_OBSERVED;
let observer: Observer | undefined;

/** Epoch ms with fractions; every process of the machine agrees on it. */
const now = (): number => performance.timeOrigin + performance.now();

function record(sample: Sample): void {
  batch.push(sample);
  const before = observation.answeredBy;
  observation = observe(observation, sample);
  if (observation.answeredBy !== before) observer?.noteChange();
}

function ask(): void {
  inFlight += 1;
  const startMs = now();
  let isDone = false;
  const finish = (region: string | null, failure?: string) => {
    if (isDone) return;
    isDone = true;
    inFlight -= 1;
    clearTimeout(patience);
    record({ startMs, endMs: now(), region, ...(failure === undefined ? {} : { failure }) });
  };
  const request = http.get(options.url, { agent }, (response) => {
    response.resume();
    response.once('end', () => {
      const region = response.headers[options.header];
      if (response.statusCode === 200 && typeof region === 'string') finish(region);
      else finish(null, `status ${response.statusCode}`);
    });
    response.once('error', (error) => finish(null, error.message));
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
  const next = Math.max(slotMs + options.periodMs, now() - options.periodMs);
  setTimeout(() => schedule(next), Math.max(0, next - now()));
}

function startReporting(): void {
  const parsed = parseTopology(readFileSync(options.topology, 'utf8'));
  if (!parsed.ok) throw new TypeError(`${options.topology} is not sound`);
  const { topology } = parsed.value;
  const tokens = createTokenSource({ endpoint: options.identity }, () => performance.now());
  const takeOne = () => {
    const { period, next } = takePeriod(observation, options.vip, now());
    observation = next;
    return [period];
  };
  observer = startObserver({
    topology,
    observer: options.observer,
    client: { takePeriod: takeOne },
    token: () => tokens.token(audienceOf(topology)),
  });
}

const audienceOf = (topology: Topology): string => topology.seats[0]?.audience ?? '';

setInterval(() => {
  if (batch.length === 0) return;
  process.send?.({ type: 'samples', samples: batch });
  batch = [];
}, BATCH_MS);
process.once('disconnect', () => process.exit(0));
startReporting();
process.send?.({ type: 'ready' });
schedule(now());
