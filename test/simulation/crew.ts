// Runs jobs on as many worker threads as there are cores, in order of arrival; stops when told enough.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Job, WorkerAnswer, WorkerData } from './worker.ts';

export interface CrewOptions extends WorkerData {
  readonly jobs: Iterable<Job>;
  /** Sees each answer; false: enough is known. */
  readonly onAnswer: (answer: Exclude<WorkerAnswer, { readonly type: 'ready' }>) => boolean;
  readonly threads?: number;
}

/** Threads at most, however many cores there are: memory is finite too. */
const THREADS_MAX = 16;
/** Room for young objects: a story makes many that live no longer than its next event. */
const resourceLimits = { maxYoungGenerationSizeMb: 192 };
export const threadCount = (): number => Math.min(availableParallelism(), THREADS_MAX);

/** Resolves when every job is done, or `onAnswer` had enough. */
export async function runCrew({ jobs, onAnswer, threads, ...data }: CrewOptions): Promise<void> {
  const iterator = jobs[Symbol.iterator]();
  let isEnough = false;
  const next = (): Job | undefined => {
    const step = isEnough ? undefined : iterator.next();
    return step === undefined || step.done === true ? undefined : step.value;
  };
  const work = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: data, resourceLimits });
      worker.on('message', (answer: WorkerAnswer) => {
        if (answer.type !== 'ready' && !onAnswer(answer)) isEnough = true;
        const job = next();
        if (job === undefined) void worker.terminate().then(() => resolve());
        else worker.postMessage(job);
      });
      worker.on('error', reject);
    });
  await Promise.all(Array.from({ length: threads ?? threadCount() }, work));
}
