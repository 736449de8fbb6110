// Runs seeds on as many worker threads as there are cores, in order of arrival; stops when told enough.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './simulate.ts';
import type { WorkerAnswer, WorkerData } from './worker.ts';

export interface CrewOptions extends WorkerData {
  readonly seeds: Iterable<number>;
  /** Sees each outcome; false: enough is known. */
  readonly onOutcome: (outcome: Outcome) => boolean;
  readonly threads?: number;
}

/** Threads at most, however many cores there are: memory is finite too. */
const THREADS_MAX = 16;

/** Resolves when every seed has been lived through, or `onOutcome` had enough. */
export async function runCrew({ seeds, onOutcome, threads, ...data }: CrewOptions): Promise<void> {
  const iterator = seeds[Symbol.iterator]();
  let isEnough = false;
  const next = (): number | undefined => {
    const step = isEnough ? undefined : iterator.next();
    return step === undefined || step.done === true ? undefined : step.value;
  };
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data });
      const give = () => {
        const seed = next();
        if (seed === undefined) void worker.terminate().then(() => resolve());
        else worker.postMessage(seed);
      };
      worker.on('message', (answer: WorkerAnswer) => {
        if (answer.type === 'outcome' && !onOutcome(answer.outcome)) isEnough = true;
        give();
      });
      worker.on('error', reject);
    });
  const count = Math.min(threads ?? availableParallelism(), THREADS_MAX);
  await Promise.all(Array.from({ length: count }, work));
}
