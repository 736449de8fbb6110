// Many lives of one vip's health under lost probes, in a worker thread per core: how many of them saw its route move.
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type SimulatedAnswer, seeded, simulate } from '../nva-agent/health/probe-world.ts';

const HOUR_MS = 3_600_000;
/** The way up at the start is no flap. */
export const SETTLED_MS = 60_000;

/** Independent losses: a lost probe is known after its timeout. */
export function lossy(share: number, seed: number): () => SimulatedAnswer {
  const random = seeded(seed);
  return () => (random() < share ? { type: 'fail', afterMs: 800 } : { type: 'pass', afterMs: 5 });
}

/** Route changes of one life. */
export function countOurs(share: number, seed: number, hours: number): number {
  const { changes } = simulate({ untilMs: hours * HOUR_MS, answer: lossy(share, seed) });
  return changes.filter(({ atMs }) => atMs > SETTLED_MS).length;
}

interface Lives {
  readonly share: number;
  readonly hours: number;
  readonly seeds: readonly number[];
}

/** The seeds, of 1 to `runs`, whose life saw a route change. */
export async function seedsThatMoved(share: number, hours: number, runs: number): Promise<number[]> {
  const workers = availableParallelism();
  const seeds = Array.from({ length: runs }, (_, i) => i + 1);
  const found = await Promise.all(
    Array.from({ length: workers }, (_, worker) =>
      live({ share, hours, seeds: seeds.filter((seed) => seed % workers === worker) }),
    ),
  );
  return found.flat().sort((a, b) => a - b);
}

function live(lives: Lives): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: lives });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

if (!isMainThread) {
  const { share, hours, seeds } = workerData as Lives;
  parentPort?.postMessage(seeds.filter((seed) => countOurs(share, seed, hours) > 0));
}
