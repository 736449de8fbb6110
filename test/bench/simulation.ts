// How fast stories are lived through on all cores, and what 100 killed leaders cost: time to the next one, and conflicts.
import { runCrew, threadCount } from '../simulation/crew.ts';
import type { Outcome } from '../simulation/simulate.ts';
import { simulate } from '../simulation/simulate.ts';
import { type BenchResult, summarise } from './result.ts';

const WARM_UP_SEEDS = 60;
const SEEDS = 240;
const MINUTES = 60;
const HOURS_WANTED = 10_000;
const KILLS = 100;
/** Long enough for a few kills and what follows them. */
const KILL_MINUTES = 20;
const KILL_SEEDS_MAX = 400;

/** Figures of the simulation. Those of killed leaders are of simulated time, so the machine has no part in them. */
export async function benchSimulation(): Promise<BenchResult[]> {
  let beganMs = performance.now();
  let broken = 0;
  let done = 0;
  await runCrew({
    jobs: Array.from({ length: WARM_UP_SEEDS + SEEDS }, (_, i) => i + 1),
    minutes: MINUTES,
    onAnswer: (answer) => {
      if (answer.type === 'outcome') broken += answer.outcome.violations.length;
      done += 1;
      // Of a long run the first seconds, in which the code is still being compiled, are no part to speak of.
      if (done === WARM_UP_SEEDS) beganMs = performance.now();
      return true;
    },
  });
  const seconds = (performance.now() - beganMs) / 1000;
  const perHour = seconds / ((SEEDS * MINUTES) / 60);
  const name = `simulation, ${threadCount()} cores`;
  return [
    { name: `${name}, one simulated hour`, value: Math.round(perHour * 1000) / 1000, unit: 's' },
    {
      name: `${name}, ${HOURS_WANTED} hours at this rate`,
      value: Math.round((perHour * HOURS_WANTED) / 6) / 10,
      unit: 'min',
    },
    { name: 'simulation, broken promises', value: broken, unit: 'promises' },
    ...(await killLeaders()),
  ];
}

async function killLeaders(): Promise<BenchResult[]> {
  const tookMs: number[] = [];
  let broken = 0;
  for (let seed = 1; seed <= KILL_SEEDS_MAX && tookMs.length < KILLS; seed += 1) {
    const outcome = await simulate(seed, { minutes: KILL_MINUTES, kinds: ['seat-kill'] });
    broken += outcome.violations.length;
    tookMs.push(...successionsOf(outcome));
  }
  const name = 'leading seat killed, the other leads (simulated)';
  return [
    ...summarise(name, tookMs, 'ms'),
    { name: `${name}, longest`, value: Math.max(...tookMs), unit: 'ms' },
    { name: `${name}, kills`, value: tookMs.length, unit: 'kills' },
    { name: `${name}, conflicting orders and other broken promises`, value: broken, unit: 'promises' },
  ];
}

/**
 * From each kill of the leader to the next seat's first commit. Kills of a seat that was back before that do not count,
 * nor those with the other seat dead: nobody could lead.
 */
function successionsOf({ story }: Outcome): number[] {
  const took: number[] = [];
  let leader = '';
  let killedAtMs: number | undefined;
  const dead = new Set<string>();
  for (const line of story) {
    const atMs = timeOf(line);
    const leads = / (\S+) leads, epoch/.exec(line)?.[1] ?? / (seat-\S+) \d+\.\d+:/.exec(line)?.[1];
    const killed = / FAULT seat-kill (\S+)/.exec(line)?.[1];
    const back = / over: seat-kill (\S+)/.exec(line)?.[1];
    if (killed !== undefined) dead.add(killed);
    if (back !== undefined) dead.delete(back);
    if (killed !== undefined) killedAtMs = killed === leader && dead.size === 1 ? atMs : undefined;
    if (back !== undefined && back === leader) killedAtMs = undefined;
    if (leads === undefined) continue;
    if (killedAtMs !== undefined && leads !== leader) took.push(atMs - killedAtMs);
    if (leads !== leader) killedAtMs = undefined;
    leader = leads;
  }
  return took;
}

/** Of `mm:ss.sss ...`. */
function timeOf(line: string): number {
  const [minutes = '0', seconds = '0'] = line.split(' ')[0]?.split(':') ?? [];
  return Number(minutes) * 60_000 + Math.round(Number(seconds) * 1000);
}
