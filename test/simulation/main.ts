// npm run sim: lives through seeds and says which broke a promise, or shows that every mutant is caught.
//
//   npm run sim -- --seeds 2000                 seeds 1 to 2000, one simulated hour each
//   npm run sim -- --seed 17                    one seed, with its story
//   npm run sim -- --minutes 30 --seeds 100     shorter stories
//   npm run sim -- --mutants [--search N]       every mutant against its seeds; search: seeds 1 to N when those fail
import { parseArgs } from 'node:util';
import { runCrew } from './crew.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { REGRESSIONS } from './regressions.ts';
import type { Outcome } from './simulate.ts';

const MINUTES = 60;
/** Lines of a failing seed's story. */
const STORY_LINES_MAX = 30;
const FAILURES_SHOWN_MAX = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    minutes: { type: 'string', default: String(MINUTES) },
    mutants: { type: 'boolean', default: false },
    search: { type: 'string', default: '0' },
    only: { type: 'string' },
  },
});
const minutes = Number(values.minutes);

/** The end of the story, up to the first violation: what led there. */
export function storyOf({ seed, story, violations }: Outcome): string[] {
  const first = story.findIndex((line) => line.includes('VIOLATION'));
  const until = first < 0 ? story.length : first + 1;
  const told = story.slice(Math.max(0, until - STORY_LINES_MAX + 3), until);
  const minuted = minutes === MINUTES ? '' : ` --minutes ${minutes}`;
  return [
    `seed ${seed}: ${violations.length} broken promise(s): ${[...new Set(violations.map((v) => v.promise))].join(', ')}`,
    ...told.map((line) => `  ${line.slice(0, 300)}`),
    `  again: npm run sim -- --seed ${seed}${minuted}`,
  ];
}

async function runSeeds(first: number, count: number): Promise<boolean> {
  const startMs = performance.now();
  const seeds = count === 1 ? [first] : [...REGRESSIONS.map(({ seed }) => seed), ...range(first, count)];
  const failed = new Map<number, Outcome>();
  const sums = { looks: 0, idle: 0, reports: 0, commits: 0, moves: 0, faults: 0 };
  let done = 0;
  let longestOutageMs = 0;
  await runCrew({
    seeds: new Set(seeds),
    minutes,
    ...(count === 1 && { threads: 1 }),
    onOutcome: (outcome) => {
      done += 1;
      for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += outcome.counts[key];
      longestOutageMs = Math.max(longestOutageMs, outcome.counts.longestOutageMs);
      if (outcome.violations.length > 0) {
        failed.set(outcome.seed, outcome);
        if (failed.size <= FAILURES_SHOWN_MAX) console.log(storyOf(outcome).join('\n'));
      }
      return true;
    },
  });
  const seconds = (performance.now() - startMs) / 1000;
  const result = {
    ...{
      seeds: done,
      minutes,
      failed: failed.size,
      failedSeeds: [...failed.keys()].sort((a, b) => a - b).slice(0, 50),
    },
    ...sums,
    longestOutageMs,
    ...{
      seconds: Math.round(seconds * 10) / 10,
      hoursPerSecond: Math.round(((done * minutes) / 60 / seconds) * 10) / 10,
    },
  };
  console.log(JSON.stringify(result));
  return failed.size === 0;
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

async function runMutants(search: number): Promise<boolean> {
  const startMs = performance.now();
  const wanted = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
  const survivors: string[] = [];
  for (const mutant of wanted) {
    const killer = await kill(mutant, new Set([...mutant.seeds, ...range(1, search)]));
    if (killer === undefined) survivors.push(mutant.name);
    const told = killer === undefined ? 'SURVIVED' : `killed by seed ${killer.seed}: ${killer.promise}`;
    console.log(`${mutant.name.padEnd(26)} ${told}`);
  }
  const seconds = Math.round((performance.now() - startMs) / 100) / 10;
  console.log(JSON.stringify({ mutants: wanted.length, killed: wanted.length - survivors.length, survivors, seconds }));
  return survivors.length === 0;
}

async function kill(mutant: Mutant, seeds: Iterable<number>): Promise<{ seed: number; promise: string } | undefined> {
  let killer: { seed: number; promise: string } | undefined;
  await runCrew({
    ...{ seeds, minutes, mutant },
    onOutcome: ({ seed, violations: [first] }) => {
      if (first !== undefined) killer ??= { seed, promise: first.promise };
      return first === undefined;
    },
  });
  return killer;
}

const isWell = values.mutants
  ? await runMutants(Number(values.search))
  : values.seed === undefined
    ? await runSeeds(1, Number(values.seeds))
    : await runSeeds(Number(values.seed), 1);
process.exitCode = isWell ? 0 : 1;
