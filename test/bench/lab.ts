// The loopback lab in figures: start to the first proved steady state, memory, what a crash costs clients, and how long
// the control plane takes from an agent's transition to the order in force.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createOperator, type Operator } from '../../infra/lab/operations.ts';
import type { World } from '../../infra/lab/world.ts';
import { type BenchResult, summarise } from './result.ts';

/** As `npm start` runs it. */
const LAB_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2', '--max-old-space-size=128'];
/** So many that the 95th percentile is not the worst of them. */
const CRASHES = 22;
/** The lab's `timing.tickSeconds`: crashes come at every part of it, for one beside a tick waits for that look. */
const TICK_MS = 3000;
/** Has no divisor in common with the crashes, so that one after the other they fall all over the tick. */
const TICK_STRIDE = 7;
const PATIENCE_MS = 120_000;
/** The lab's `guards.warmUpSeconds` and a second more: a new leader moves nothing before that, and rightly so. */
const WARM_UP_MS = 6000;
/** Times come from the lab's own clock: looking more often would only disturb what is measured. */
const POLL_MS = 100;
/** Asking the control plane is work for it. */
const ASK_MS = 400;
/** Path of the lab's regions at last resort: own number and 18 prepends. */
const LAST_RESORT_LENGTH = 19;
/** Length of a path at rest, by rank. */
const REST_LENGTHS = [13, 16] as const;
/** Crashed in turn: one comes to rest again while the other is measured. */
const VIPS = ['orders', 'billing'] as const;

export interface BenchLab {
  readonly process: ChildProcess;
  readonly control: string;
  readonly seat: string;
  readonly operator: Operator;
}

/**
 * Figures of the lab, in about three minutes. A crash costs what the lab's client saw: from its last answer before to
 * its first answer after, or nothing when the reflex was faster than its next request.
 * Report to order is taken from ground truth on one clock: from the moment Route Server had the failing region's reflex
 * (the agent reports within the same few milliseconds) to the moment both instances had the target's ordered path, so it
 * holds the report's way, the decision, its commit and audit, and the delivery, and is longer than the acknowledgement.
 */
export async function benchLab(): Promise<readonly BenchResult[]> {
  const startedAtMs = Date.now();
  const lab = await startLab();
  try {
    const steady = await until(
      'the first steady state',
      async () => (await world(lab)).steadyAfterMs !== null && world(lab),
    );
    const startMs = steady.startedAtMs - startedAtMs + (steady.steadyAfterMs ?? Number.NaN);
    const outages: number[] = [];
    const failed: number[] = [];
    const takeovers: number[] = [];
    await pause(WARM_UP_MS);
    for (let i = 0; i < CRASHES; i += 1) {
      const vip = VIPS[i % VIPS.length] ?? VIPS[0];
      await untilAtRest(lab, vip);
      await untilPartOfTick((i * TICK_STRIDE) / CRASHES);
      const crash = await crashOnce(lab, vip);
      await failBack(lab, vip);
      outages.push(crash.outageMs);
      failed.push(crash.failedRequests);
      takeovers.push(crash.takeoverMs);
    }
    return [
      { name: 'lab, npm start to first proved steady state', value: startMs, unit: 'ms' },
      { name: 'lab, memory of all its processes (PSS)', value: memoryMegabytes(lab, await world(lab)), unit: 'MB' },
      ...summarise('lab, app-crash, client outage', outages, 'ms'),
      ...summarise('lab, app-crash, failed requests', failed, 'requests'),
      ...summarise('lab, transition report to order on the wire', takeovers, 'ms'),
    ];
  } finally {
    lab.process.kill('SIGTERM');
    await new Promise((resolve) => lab.process.once('close', resolve));
  }
}

export async function startLab(): Promise<BenchLab> {
  const child = spawn(process.execPath, [...LAB_FLAGS, 'infra/lab/main.ts', '--port', '0', '--control-port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const found = await until('the lab says where it is', async () => {
    if (child.exitCode !== null) throw new Error(output);
    return /lab (http:\S+)\/world {3}control plane (http:\S+?)\/api/.exec(output) ?? undefined;
  });
  const [, control = '', seat = ''] = found;
  const token = async () => {
    const answer = (await (await fetch(`${control}/token`)).json()) as { access_token: string };
    return answer.access_token;
  };
  return { process: child, control, seat, operator: createOperator({ seat, token }) };
}

export const world = async (lab: BenchLab): Promise<World> =>
  (await (await fetch(`${lab.control}/world`)).json()) as World;

interface Crash {
  readonly outageMs: number;
  readonly failedRequests: number;
  readonly takeoverMs: number;
}

async function crashOnce(lab: BenchLab, vip: string): Promise<Crash> {
  const before = await world(lab);
  const known = before.outages.length;
  const [first, second] = regionsOf(before, vip);
  const restLength = lengthOf(before, vip, second);
  const body = JSON.stringify({ kind: 'app-crash', region: first, vip });
  await fetch(`${lab.control}/faults`, { method: 'POST', body });
  const after = await until('the takeover is on the wire', async () => {
    const seen = await world(lab);
    const routes = routesOf(seen, vip, second);
    const isDone =
      lengthOf(seen, vip, first) === LAST_RESORT_LENGTH &&
      routes.length === 2 &&
      routes.every((route) => route.asPath.length < restLength) &&
      isServedBy(seen, vip, second);
    return isDone ? seen : undefined;
  });
  const reflexMs = Math.min(...routesOf(after, vip, first).map((route) => route.sinceMs));
  const takeoverMs = Math.max(...routesOf(after, vip, second).map((route) => route.sinceMs)) - reflexMs;
  const outage = after.outages.slice(known).find((candidate) => candidate.vip === vip);
  await fetch(`${lab.control}/faults`, { method: 'DELETE' });
  return { outageMs: outage?.outageMs ?? 0, failedRequests: outage?.failedRequests ?? 0, takeoverMs };
}

/** Best first. */
const regionsOf = (seen: World, vip: string): readonly [string, string] => {
  const [first = '', second = ''] = seen.vips.find((candidate) => candidate.vip === vip)?.regions ?? [];
  return [first, second];
};

const isServedBy = (seen: World, vip: string, region: string): boolean =>
  seen.vips.some((one) => one.vip === vip && one.answeredBy === region && one.outageSinceMs === null);

const routesOf = (seen: World, vip: string, region: string) =>
  seen.regions
    .filter((candidate) => candidate.region === region)
    .flatMap((candidate) => candidate.routeServers)
    .flatMap((server) => server.routes)
    .filter((route) => route.prefix === seen.vips.find((candidate) => candidate.vip === vip)?.prefix);

const lengthOf = (seen: World, vip: string, region: string): number =>
  Math.max(...routesOf(seen, vip, region).map((route) => route.asPath.length));

/** The first region serves again; that it comes to rest is then only a matter of time. */
async function failBack(lab: BenchLab, vip: string): Promise<void> {
  const [first] = regionsOf(await world(lab), vip);
  await until(`${vip} is back`, async () => {
    if (isServedBy(await world(lab), vip, first)) return true;
    // Refused until the region is well again.
    await lab.operator.start(`vips/${vip}/failback`, { reason: 'bench: the next run' }).catch(() => undefined);
    await pause(ASK_MS);
    return undefined;
  });
}

/** Both paths are at their base, and so much is proved that the next move would be allowed. */
async function untilAtRest(lab: BenchLab, vip: string): Promise<void> {
  await until(`${vip} rests`, async () => {
    const seen = await world(lab);
    const regions = regionsOf(seen, vip);
    const isBase = regions.every((region, rank) => lengthOf(seen, vip, region) === REST_LENGTHS[rank]);
    const body = { to: regions[1], reason: 'bench: may it move?' };
    const plan = isBase ? await lab.operator.preview(`vips/${vip}/failover`, body).catch(() => undefined) : undefined;
    if (plan?.allowed === true) return true;
    await pause(ASK_MS);
    return undefined;
  });
}

/** @param parts of a tick; whole ones do not count. */
async function untilPartOfTick(parts: number): Promise<void> {
  const waitMs = (parts * TICK_MS - (Date.now() % TICK_MS)) % TICK_MS;
  await pause(waitMs < 0 ? waitMs + TICK_MS : waitMs);
}

/** Proportional set size of the lab and its children, shared pages shared out. Linux only. */
function memoryMegabytes(lab: BenchLab, seen: World): number {
  const pids = [
    lab.process.pid,
    seen.storage.pid,
    ...seen.seats.map((seat) => seat.pid),
    ...seen.regions.flatMap((region) => [region.app.pid, ...region.nvas.map((nva) => nva.pid)]),
  ].flatMap((pid) => pid ?? []);
  const kilobytes = pids.map((pid) =>
    Number(/^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
  );
  return Math.round(kilobytes.reduce((sum, pss) => sum + pss, 0) / 1024);
}

export async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(POLL_MS);
  }
}
