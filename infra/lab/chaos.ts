// npm run chaos: the loopback lab with two seats, broken at random by seed, and watched: are users served again in time,
// do agents ever get conflicting orders, is the audit chain whole, does all come to rest in the end?
//
//   npm run chaos -- --minutes 10 [--seed S]    random faults; ends with one JSON line, exit code 0 when all held
//   npm run chaos -- --kills 10                 kills the leading seat again and again and measures the takeover
//   npm run chaos -- --every-fault              each kind of fault once: served, and explained as it is?

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseTopology } from '../../shared/topology.ts';
import { verifyChain } from './audit-check.ts';
import { watchOrders } from './chaos-watch.ts';
import { runEveryFault } from './every-fault.ts';
import { parseFault } from './faults.ts';
import { type Lab, startLab } from './lab.ts';
import { createRandom, type Random } from './seeded-random.ts';

const LAB_TOPOLOGY = fileURLToPath(new URL('./lab.yaml', import.meta.url));
const RUNS = fileURLToPath(new URL('../../.lab', import.meta.url));
const STEADY_MS = 180_000;
/** Users are served again within this time of a fault: silence noticed, and a lease run out when the leader went too. */
const SERVED_MS = 45_000;
/** The other seat decides within this time of the leader's death. */
const TAKEOVER_MS = 30_000;
const POLL_MS = 100;
/** A seat that has just started on a busy machine takes its time to answer. */
const HEALTH_MS = 5000;

/** Of these one at a time: the other region can always serve. */
const USER_FAULTS = ['app-crash', 'app-hang', 'app-errors', 'nva-crash', 'nva-freeze', 'session-down'] as const;
const CONTROL_FAULTS = ['control-crash', 'seat-freeze', 'partition-control', 'storage-down', 'ingestion-down'] as const;
/** Beside a fault that hits users; without storage nobody could decide for them. */
const BESIDE = ['control-crash', 'seat-freeze', 'ingestion-down'] as const;

interface Begun {
  readonly text: string;
  readonly end: () => Promise<void>;
}

type ChaosResult = Readonly<Record<string, unknown>> & { readonly ok: boolean };

interface Chaos {
  readonly lab: Lab;
  readonly random: Random;
  /** Bounds in time are so many times longer: a busy machine must not look like a broken promise. */
  readonly patience: number;
  readonly violations: string[];
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const say = (text: string): void => console.log(`${new Date().toISOString().slice(11, 23)} ${text}`);

// ---------------------------------------------------------------- faults

async function begin(chaos: Chaos, kind: string): Promise<Begun> {
  const { lab, random } = chaos;
  const region = random.pick(lab.topology.regions).name;
  const seat = random.pick(lab.topology.seats).name;
  if (kind === 'seat-freeze') return freezeSeat(lab, seat);
  const where =
    kind === 'control-crash' ? { seat } : kind.endsWith('-down') && kind !== 'session-down' ? {} : { region };
  const fault = parseFault({ kind, ...where }, lab.topology);
  if (!fault.ok) throw new Error(`${kind}: ${fault.error.detail}`);
  const begun = await lab.faults.begin(fault.value);
  if (!begun.ok) throw new Error(`${kind}: ${begun.error.detail}`);
  const { id } = begun.value;
  return { text: `${kind} ${Object.values(where).join('')}`.trim(), end: async () => void (await lab.faults.end(id)) };
}

function freezeSeat(lab: Lab, seat: string): Begun {
  const pid = lab.world().seats.find((one) => one.seat === seat)?.pid;
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    if (pid !== undefined && pid !== null) process.kill(pid, name);
  };
  signal('SIGSTOP');
  return { text: `seat-freeze ${seat}`, end: async () => signal('SIGCONT') };
}

// ---------------------------------------------------------------- what must hold

const isServed = (lab: Lab): boolean => lab.world().vips.every((vip) => vip.outageSinceMs === null);

/** Milliseconds until every vip was answered, without a break of half a second; undefined when that took too long. */
async function untilServed({ lab, patience }: Chaos): Promise<number | undefined> {
  const startMs = performance.now();
  let servedSinceMs: number | undefined;
  while (performance.now() - startMs < patience * SERVED_MS) {
    const nowMs = performance.now();
    servedSinceMs = isServed(lab) ? (servedSinceMs ?? nowMs) : undefined;
    if (servedSinceMs !== undefined && nowMs - servedSinceMs >= 500) return servedSinceMs - startMs;
    await sleep(POLL_MS);
  }
  return undefined;
}

async function oneRound(chaos: Chaos): Promise<void> {
  const { random, violations, patience } = chaos;
  const isForUsers = random.chance(0.65);
  const begun = [await begin(chaos, random.pick(isForUsers ? USER_FAULTS : CONTROL_FAULTS))];
  if (isForUsers && random.chance(0.4)) begun.push(await begin(chaos, random.pick(BESIDE)));
  const told = begun.map(({ text }) => text).join(' + ');
  say(`broken: ${told}`);
  // A cut session or a hang takes its time to show; a fault that shows nothing is served at once.
  await sleep(1500);
  const servedMs = await untilServed(chaos);
  if (servedMs === undefined) violations.push(`users not served within ${patience * SERVED_MS} ms of ${told}`);
  say(servedMs === undefined ? 'NOT SERVED' : `served after ${Math.round(servedMs + 1500)} ms`);
  await sleep(random.between(500, 12_000));
  for (const { end } of begun) await end();
  say(`over: ${told}`);
  await sleep(random.between(500, 8_000));
  if ((await untilServed(chaos)) === undefined) violations.push(`users not served after ${told} was over`);
}

async function runChaos(chaos: Chaos, seed: number, minutes: number): Promise<ChaosResult> {
  const { lab } = chaos;
  const nvas = lab.topology.regions.flatMap((region) => region.nvas.map((nva) => nva.name));
  const orders = watchOrders(lab.world().directory, nvas);
  const watch = setInterval(() => chaos.violations.push(...orders.look()), POLL_MS);
  let rounds = 0;
  const endMs = performance.now() + minutes * 60_000;
  try {
    for (; performance.now() < endMs; rounds += 1) await oneRound(chaos);
    await lab.faults.endAll();
    const steadyMs = await untilSteady(chaos);
    const record = checkRecord(chaos);
    const outageMs = quantiles(lab.world().outages.map((outage) => outage.outageMs));
    const figures = { rounds, outageMs, steadyMs, orders: orders.seen, ...record };
    const { violations } = chaos;
    return { ok: violations.length === 0, minutes, seed, ...figures, violations };
  } finally {
    clearInterval(watch);
  }
}

/** Every record once, in an unbroken chain per epoch. */
function checkRecord({ lab, violations }: Chaos): { records: number; epochs: number } {
  const records = [...new Map(lab.shippedRecords().map((record) => [record.EventId, record])).values()];
  const inOrder = records.sort((a, b) => (a.Epoch === b.Epoch ? a.ChainIndex - b.ChainIndex : a.Epoch - b.Epoch));
  violations.push(...verifyChain(inOrder));
  return { records: records.length, epochs: new Set(records.map((record) => record.Epoch)).size };
}

async function untilSteady({ lab, violations, patience }: Chaos): Promise<number | null> {
  const startMs = performance.now();
  try {
    await lab.steady(patience * STEADY_MS);
    // The last records are still on their way.
    await sleep(3 * lab.topology.timing.tickSeconds * 1000);
    return Math.round(performance.now() - startMs);
  } catch (error) {
    violations.push(`at the end: ${error instanceof Error ? error.message : String(error)}; ${restlessText(lab)}`);
    return null;
  }
}

/** What keeps the lab from resting, as far as the control plane says. */
function restlessText(lab: Lab): string {
  const vips = lab.status()?.vips ?? [];
  const rows = vips.flatMap((vip) =>
    vip.regions.map(({ region, rung, verdict, proofs, nvas }) => {
      const waiting = Object.entries(proofs).filter(([, { proof }]) => proof === 'waiting' || proof === 'failed');
      const behind = nvas.some((nva) => !nva.acknowledged) ? ' not acknowledged' : '';
      const doubts = waiting.map(([name, { proof, detail }]) => ` ${name} ${proof}: ${detail}`).join('');
      return `${vip.vip}/${region} r${rung} ${verdict}${behind}${doubts}`;
    }),
  );
  const heads = vips.map(
    ({ vip, acting, servedBy, reason }) => `${vip}: ${acting} acts, ${servedBy} serves, ${reason}`,
  );
  return [lab.statusFailure() ?? 'status answered', ...heads, ...rows].join(' | ');
}

function quantiles(values: readonly number[]): { min: number; p50: number; p95: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { min: at(0), p50: at(0.5), p95: at(0.95), max: at(1) };
}

// ---------------------------------------------------------------- kills of the leader

interface Health {
  readonly leader: string | null;
  readonly decisionAgeMs: number | null;
}

async function healthOf(lab: Lab, seat: string): Promise<Health | undefined> {
  const url = lab.topology.seats.find((one) => one.name === seat)?.url;
  try {
    const response = await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(HEALTH_MS) });
    return (await response.json()) as Health;
  } catch {
    return undefined;
  }
}

/** As any seat tells it: one of them may be starting, or too busy to answer in time. */
async function leaderOf(lab: Lab, seats: readonly string[]): Promise<string | undefined> {
  const healths = await Promise.all(seats.map((seat) => healthOf(lab, seat)));
  return healths.find((health) => typeof health?.leader === 'string')?.leader ?? undefined;
}

async function until<T>(look: () => Promise<T | undefined>, boundMs: number): Promise<T | undefined> {
  const startMs = performance.now();
  while (performance.now() - startMs < boundMs) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(POLL_MS);
  }
  return undefined;
}

/** A kill meets the leader at rest, or in the middle of answering an application that went or came back. */
const MOMENT_MS = 400;

interface KillWatch {
  readonly chaos: Chaos;
  /** Ends the crash under way, if one is. */
  over: (() => Promise<void>) | undefined;
}

/** Leaves the leader something to decide in the very moment of its death; every fourth kill meets it at rest. */
async function stirLeader(watch: KillWatch): Promise<string> {
  const { chaos } = watch;
  await sleep(chaos.random.between(0, chaos.lab.topology.timing.tickSeconds * 1000));
  if (chaos.random.chance(0.25)) return 'at rest';
  let told = 'application back';
  if (watch.over === undefined) {
    const begun = await begin(chaos, 'app-crash');
    [told, watch.over] = [begun.text, begun.end];
  } else {
    await watch.over();
    watch.over = undefined;
  }
  await sleep(chaos.random.between(0, MOMENT_MS));
  return told;
}

/** Kills whoever leads; milliseconds until the other seat has decided, undefined when it did not in twice its time. */
async function killLeader(watch: KillWatch): Promise<{ told: string; tookMs: number | undefined }> {
  const { lab, patience } = watch.chaos;
  const names = lab.topology.seats.map((seat) => seat.name);
  const leader = await until(() => leaderOf(lab, names), patience * TAKEOVER_MS);
  const other = names.find((name) => name !== leader);
  const fault = parseFault({ kind: 'control-crash', seat: leader }, lab.topology);
  if (leader === undefined || other === undefined || !fault.ok)
    return { told: `nobody to kill: no seat named a leader`, tookMs: undefined };
  const moment = await stirLeader(watch);
  const begun = await lab.faults.begin(fault.value);
  if (!begun.ok) throw new Error(begun.error.detail);
  const startMs = performance.now();
  const tookMs = await until(
    async () => {
      const health = await healthOf(lab, other);
      const sinceMs = performance.now() - startMs;
      return health?.leader === other && (health.decisionAgeMs ?? sinceMs) < sinceMs ? sinceMs : undefined;
    },
    2 * patience * TAKEOVER_MS,
  );
  await lab.faults.end(begun.value.id);
  await until(() => healthOf(lab, leader), patience * TAKEOVER_MS);
  return { told: `${leader} dead (${moment}), ${other} decided after ${Math.round(tookMs ?? Number.NaN)} ms`, tookMs };
}

/** As many kills as asked for, or as fit into the time. */
async function runKills(chaos: Chaos, seed: number, kills: number, minutes: number): Promise<ChaosResult> {
  const { lab, violations, patience } = chaos;
  const watch: KillWatch = { chaos, over: undefined };
  const nvas = lab.topology.regions.flatMap((region) => region.nvas.map((nva) => nva.name));
  const orders = watchOrders(lab.world().directory, nvas);
  const looking = setInterval(() => violations.push(...orders.look()), POLL_MS);
  const takeovers: number[] = [];
  try {
    const endMs = performance.now() + minutes * 60_000;
    for (let kill = 1; kill <= kills && performance.now() < endMs; kill += 1) {
      const { told, tookMs = 2 * patience * TAKEOVER_MS } = await killLeader(watch);
      if (tookMs > patience * TAKEOVER_MS) violations.push(`kill ${kill}: ${told}`);
      takeovers.push(tookMs);
      say(`kill ${kill}: ${told}`);
    }
    await lab.faults.endAll();
    const steadyMs = await untilSteady(chaos);
    const { records, epochs } = checkRecord(chaos);
    const figures = { takeoverMs: quantiles(takeovers), steadyMs, orders: orders.seen, records, epochs };
    return { ok: violations.length === 0, kills: takeovers.length, seed, ...figures, violations };
  } finally {
    clearInterval(looking);
  }
}

// ---------------------------------------------------------------- the command

const OPTIONS = {
  'every-fault': { type: 'boolean', default: false },
  minutes: { type: 'string' },
  seed: { type: 'string' },
  kills: { type: 'string' },
  patience: { type: 'string' },
} as const;

/** A number above 0; throws for anything else. */
function numberIn(text: string | undefined, otherwise: number, name: string): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new TypeError(`--${name} ${text}: a number above 0 is wanted`);
  return value;
}

export interface ChaosArguments {
  readonly everyFault: boolean;
  readonly patience: number;
  readonly seed: number;
  readonly kills: number | undefined;
  readonly minutes: number;
}

/** Throws TypeError when one is wrong. */
export function readChaosArguments(args: readonly string[]): ChaosArguments {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const kills = values.kills === undefined ? undefined : numberIn(values.kills, 1, 'kills');
  return {
    everyFault: values['every-fault'],
    patience: numberIn(values.patience, 1, 'patience'),
    seed: numberIn(values.seed, Math.floor(performance.timeOrigin) % 100_000, 'seed'),
    kills,
    minutes: numberIn(values.minutes, kills === undefined ? 10 : Number.POSITIVE_INFINITY, 'minutes'),
  };
}

/** Runs what was asked for; its exit code. */
export async function runChaosCommand(wanted: ChaosArguments): Promise<number> {
  const { patience, seed, kills, minutes } = wanted;
  const parsed = parseTopology(readFileSync(LAB_TOPOLOGY, 'utf8'));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  const lab = await startLab({
    topology: parsed.value.topology,
    ...{ folder: RUNS, controlPort: 0, functionsPort: 0, seatCount: 2, clientIntervalMs: 50, routeChangeSeconds: 0 },
    keep: false,
    say: () => undefined,
  });
  try {
    say(`steady after ${await lab.steady(patience * STEADY_MS)} ms`);
    const chaos: Chaos = { lab, random: createRandom(seed), patience, violations: [] };
    const result = wanted.everyFault
      ? await runEveryFault(lab, say)
      : await (kills === undefined ? runChaos(chaos, seed, minutes) : runKills(chaos, seed, kills, minutes));
    console.log(JSON.stringify(result));
    return result.ok ? 0 : 1;
  } finally {
    await lab.stop();
  }
}
