// Route changes per hour under lost probes: ours by its own health step in simulated time, the peers by their written rules.
import { type SimulatedAnswer, seeded, simulate } from '../nva-agent/health/probe-world.ts';
import type { BenchResult } from './result.ts';

const HOUR_MS = 3_600_000;
const HOURS = 40;
const SHARES = [0.01, 0.05, 0.2, 0.5];
/** The last of them is the one of a dozen in which our window did fall at 5 %. */
const SEEDS = [1, 2, 7];
/** The way up at the start is no flap. */
const SETTLED_MS = 60_000;

/** A rule of consecutive counts, as the tool's documentation and code state it (commits in the report). */
interface CountingRule {
  readonly name: string;
  readonly intervalMs: number;
  /** Interval while a change is in doubt, where the tool has one. */
  readonly fastMs?: number;
  readonly fall: number;
  readonly rise: number;
}

const RULES: readonly CountingRule[] = [
  { name: 'ExaBGP healthcheck, defaults', intervalMs: 5000, fastMs: 1000, fall: 3, rise: 3 },
  { name: 'anycast_healthchecker, defaults', intervalMs: 10_000, fall: 2, rise: 2 },
  { name: 'kube-vip, defaults', intervalMs: 5000, fall: 3, rise: 1 },
  { name: 'birdwatcher, defaults', intervalMs: 1000, fall: 1, rise: 1 },
  { name: 'GoCast, defaults', intervalMs: 10_000, fall: 1, rise: 1 },
];

/** Changes per hour at each share of lost probes, independent of each other, over three times 40 simulated hours. */
export function benchAgentFlaps(): BenchResult[] {
  return SHARES.flatMap((share) => {
    const name = `route changes per hour at ${share * 100} % probe loss`;
    const perHour = (count: (seed: number) => number) =>
      round(SEEDS.reduce((sum, seed) => sum + count(seed), 0) / (HOURS * SEEDS.length));
    return [
      { name, value: perHour((seed) => countOurs(share, seed)), unit: '1/h' },
      ...RULES.map((rule) => ({
        name: `${name} [${rule.name}]`,
        value: perHour((seed) => countChanges(rule, share, seed)),
        unit: '1/h',
        peer: `${rule.name}, by its rule`,
      })),
    ];
  });
}

function countOurs(share: number, seed: number): number {
  const { changes } = simulate({ untilMs: HOURS * HOUR_MS, answer: lossy(share, seed) });
  return changes.filter(({ atMs }) => atMs > SETTLED_MS).length;
}

function lossy(share: number, seed: number): () => SimulatedAnswer {
  const random = seeded(seed);
  return () => (random() < share ? { type: 'fail', afterMs: 800 } : { type: 'pass', afterMs: 5 });
}

/** Starts up; `run` counts answers in a row against the present state. */
function countChanges({ intervalMs, fastMs, fall, rise }: CountingRule, share: number, seed: number): number {
  const random = seeded(seed);
  let isUp = true;
  let run = 0;
  let changes = 0;
  for (let nowMs = 0; nowMs < HOURS * HOUR_MS; nowMs += run > 0 ? (fastMs ?? intervalMs) : intervalMs) {
    const isAgainst = random() < share === isUp;
    run = isAgainst ? run + 1 : 0;
    if (run < (isUp ? fall : rise)) continue;
    isUp = !isUp;
    run = 0;
    changes += 1;
  }
  return changes;
}

const round = (value: number): number => Math.round(value * 100) / 100;
