// A worker thread: takes seeds one after the other, tells how each went. It may be told to mutate the product first.
import { parentPort, workerData } from 'node:worker_threads';
import type { Mutant } from './mutants.ts';
import { installMutant } from './mutate.ts';
import type { Outcome } from './simulate.ts';

export interface WorkerData {
  readonly minutes: number;
  readonly mutant?: Mutant;
}

export type WorkerAnswer = { readonly type: 'ready' } | { readonly type: 'outcome'; readonly outcome: Outcome };

const { minutes, mutant } = workerData as WorkerData;
if (mutant !== undefined) installMutant(mutant);
// Only now, so that what it loads is the mutant.
const { simulate } = await import('./simulate.ts');
parentPort?.on('message', async (seed: number) => {
  const outcome = await simulate(seed, { minutes });
  // The story of a seed that went well is of no use to anybody.
  parentPort?.postMessage({
    type: 'outcome',
    outcome: outcome.violations.length === 0 ? { ...outcome, story: [] } : outcome,
  } satisfies WorkerAnswer);
});
parentPort?.postMessage({ type: 'ready' } satisfies WorkerAnswer);
