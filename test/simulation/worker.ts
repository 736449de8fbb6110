// A worker thread: takes seeds, or the scenario files, one job after the other. It may be told to mutate the product first.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Mutant } from './mutants.ts';
import { installMutant } from './mutate.ts';
import type { FaultKind } from './plan.ts';
import type { Outcome } from './simulate.ts';

export interface WorkerData {
  readonly minutes: number;
  readonly kinds?: readonly FaultKind[];
  readonly mutant?: Mutant;
}

/** A seed, or every scenario file. */
export type Job = number | 'scenarios';

export type WorkerAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'outcome'; readonly outcome: Outcome }
  /** The first scenario that no longer comes out as written, or undefined. */
  | { readonly type: 'scenario'; readonly changed: string | undefined };

const { minutes, kinds, mutant } = workerData as WorkerData;
if (mutant !== undefined) installMutant(mutant);
// Only now, so that what it loads is the mutant.
const { simulate } = await import('./simulate.ts');
const { runScenario } = await import('../support/scenario.ts');

async function work(job: Job): Promise<WorkerAnswer> {
  if (job === 'scenarios') return { type: 'scenario', changed: changedScenario() };
  const outcome = await simulate(job, { minutes, ...(kinds !== undefined && { kinds }) });
  // The story of a seed that went well is of no use to anybody.
  return { type: 'outcome', outcome: outcome.violations.length === 0 ? { ...outcome, story: [] } : outcome };
}

function changedScenario(): string | undefined {
  const folder = join(import.meta.dirname, '..', 'scenarios');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .find((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return runScenario(text) !== text;
    });
}

const answer = (value: WorkerAnswer): void => parentPort?.postMessage(value);
parentPort?.on('message', (job: Job) => void work(job).then(answer));
answer({ type: 'ready' });
