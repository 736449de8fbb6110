// npm run sim: lives through seeds and says which broke a promise, or shows that every mutant is caught.
//
//   npm run sim -- --seeds 2000                 seeds 1 to 2000, one simulated hour each
//   npm run sim -- --seed 17                    one seed, with its story
//   npm run sim -- --minutes 30 --seeds 100     shorter stories
//   npm run sim -- --kinds nva-freeze,seat-kill only these faults
//   npm run sim -- --mutants [--only NAMES]     every mutant against its seeds and the scenarios; one must catch it
//   npm run sim -- --mutants --search 40        which of the seeds 1 to 40 catches each, for a new mutant's list
import { parseArgs } from 'node:util';
import { runCrew, threadCount } from './crew.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import type { FaultKind } from './plan.ts';
import { REGRESSIONS } from './regressions.ts';
import type { Outcome } from './simulate.ts';

const MINUTES = 60;
/** A mutant shows itself sooner. */
const MUTANT_MINUTES = 30;
/** Tried when neither its own seeds nor the scenarios catch it: the product has moved on. */
const FURTHER_SEEDS = 200;
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
    kinds: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const kinds = values.kinds?.split(',') as FaultKind[] | undefined;

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
    jobs: new Set(seeds),
    minutes,
    ...(count === 1 && { threads: 1 }),
    ...(kinds !== undefined && { kinds }),
    onAnswer: (answer) => {
      if (answer.type !== 'outcome') return true;
      const { outcome } = answer;
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
  const wanted = MUTANTS.filter(({ name }) => values.only === undefined || values.only.split(',').includes(name));
  const waiting = [...wanted];
  const survivors: string[] = [];
  const lane = async () => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const killer = await kill(mutant, search);
      if (killer === undefined) survivors.push(mutant.name);
      console.log(`${mutant.name.padEnd(26)} ${killer === undefined ? 'SURVIVED' : `killed by ${killer}`}`);
    }
  };
  await Promise.all(Array.from({ length: threadCount() }, lane));
  const seconds = Math.round((performance.now() - startMs) / 100) / 10;
  console.log(JSON.stringify({ mutants: wanted.length, killed: wanted.length - survivors.length, survivors, seconds }));
  return survivors.length === 0;
}

/** Its own seeds first, then the scenarios, then further seeds. */
async function kill(mutant: Mutant, search: number): Promise<string | undefined> {
  let killer: string | undefined;
  await runCrew({
    jobs: search > 0 ? range(1, search) : [...mutant.seeds, 'scenarios', ...range(1, FURTHER_SEEDS)],
    ...{ minutes: MUTANT_MINUTES, mutant, threads: 1 },
    ...(mutant.kinds !== undefined && { kinds: mutant.kinds }),
    onAnswer: (answer) => {
      if (answer.type === 'scenario') killer = answer.changed && `scenario ${answer.changed}`;
      else if (answer.outcome.violations[0] !== undefined)
        killer = `seed ${answer.outcome.seed}: ${answer.outcome.violations[0].promise}`;
      return killer === undefined;
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
