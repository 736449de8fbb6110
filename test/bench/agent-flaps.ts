// Route changes per hour under lost probes: ours by its own health step in simulated time, the peers by their written rules.
import { type SimulatedAnswer, seeded, simulate } from '../nva-agent/health/probe-world.ts';
import { countOurs, SETTLED_MS, seedsThatMoved } from './flap-runs.ts';
import type { BenchResult } from './result.ts';

const HOUR_MS = 3_600_000;
const HOURS = 40;
const SHARES = [0.01, 0.05, 0.2, 0.5];
/** The last of them is one in which an earlier rule, six lost probes in a row, fell at 5 %. */
const SEEDS = [1, 2, 7];
/** Lives at 5 % loss, of which none may see a route change. */
const LIVES = 200;
const LIVES_SHARE = 0.05;
/** Brown-outs begin at this many different moments of a probe's interval. */
const BROWN_OUTS = 40;
const BROWN_OUT_HOURS = 2;

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

/** Changes per hour at each share of lost probes, many lives at 5 %, and how soon a brown-out is acted on. */
export async function benchAgentFlaps(): Promise<BenchResult[]> {
  const rates = SHARES.flatMap((share) => {
    const name = `route changes per hour at ${share * 100} % probe loss`;
    const perHour = (count: (seed: number) => number) =>
      round(SEEDS.reduce((sum, seed) => sum + count(seed), 0) / (HOURS * SEEDS.length));
    return [
      { name, value: perHour((seed) => countOurs(share, seed, HOURS)), unit: '1/h' },
      ...RULES.map((rule) => ({
        name: `${name} [${rule.name}]`,
        value: perHour((seed) => countChanges(rule, share, seed)),
        unit: '1/h',
        peer: `${rule.name}, by its rule`,
      })),
    ];
  });
  const moved = await seedsThatMoved(LIVES_SHARE, HOURS, LIVES);
  if (moved.length > 0) process.stderr.write(`lives with a route change, by seed: ${moved.join(', ')}\n`);
  const lives = `route changes seen: lives of ${LIVES} times ${HOURS} h at ${LIVES_SHARE * 100} % probe loss`;
  return [
    ...rates,
    { name: lives, value: moved.length, unit: `of ${LIVES}` },
    ...benchBrownOut('brown-out, strictly every second probe fails', (seed) => (index) => (index + seed) % 2 === 0),
    ...benchBrownOut('brown-out, 50 % fail by chance', (seed) => {
      const random = seeded(seed);
      return () => random() < 0.5;
    }),
  ];
}

/** Failures are HTTP errors, known after 20 ms, or hangs, known after the timeout: whichever is acted on later. */
function benchBrownOut(what: string, failing: (seed: number) => (index: number) => boolean): BenchResult[] {
  const lives = Array.from({ length: BROWN_OUTS }, (_, i) => i + 1).flatMap((seed) =>
    [20, 800].map((failMs) => brownOut(failing(seed), failMs, SETTLED_MS + seed * 23)),
  );
  const worst = (of: (life: Life) => number) => Math.max(...lives.map(of));
  return [
    { name: `${what}: acted on within`, value: round(worst((life) => life.actedMs / 1000)), unit: 's' },
    { name: `${what}: route changes per hour`, value: round(worst((life) => life.perHour)), unit: '1/h' },
  ];
}

interface Life {
  /** From the beginning of the brown-out; Infinity if it was never acted on. */
  readonly actedMs: number;
  readonly perHour: number;
}

function brownOut(isFailing: (index: number) => boolean, failMs: number, fromMs: number): Life {
  const answer = (nowMs: number, index: number): SimulatedAnswer =>
    nowMs >= fromMs && isFailing(index) ? { type: 'fail', afterMs: failMs } : { type: 'pass', afterMs: 5 };
  const { changes } = simulate({ untilMs: BROWN_OUT_HOURS * HOUR_MS, answer });
  const seen = changes.filter(({ atMs }) => atMs > fromMs);
  return {
    actedMs: (seen[0]?.atMs ?? Number.POSITIVE_INFINITY) - fromMs,
    perHour: seen.length / BROWN_OUT_HOURS,
  };
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
