// Runs one benchmark in a process of its own, for so long and no longer; what it started ends with it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { BenchResult } from './result.ts';

export type BenchOutcome =
  | { readonly type: 'measured'; readonly results: readonly BenchResult[] }
  | { readonly type: 'failed'; readonly reason: string };

/** Runs `file --one NAME`. Never rejects: a benchmark that throws, dies or does not end is an outcome. */
export async function runBenchProcess(file: string, name: string, limitSeconds: number): Promise<BenchOutcome> {
  // Structured clones keep what JSON does not know, such as infinity.
  const child = fork(file, ['--one', name], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let results: readonly BenchResult[] | undefined;
  child.on('message', (message) => {
    results = message as readonly BenchResult[];
  });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    endTree(child.pid ?? 0);
  }, limitSeconds * 1000);
  const [code, signal] = await once(child, 'exit').catch((error: Error) => [error.message, null]);
  clearTimeout(limit);
  if (isLate) return { type: 'failed', reason: `not within ${limitSeconds} s` };
  if (results === undefined || code !== 0) return { type: 'failed', reason: `ended with ${code ?? signal}` };
  return { type: 'measured', results };
}

/** The child's side: measures, tells the results, and leaves whatever may still be open. */
export async function serveBench(measure: () => Promise<readonly BenchResult[]>): Promise<never> {
  // Nobody is left to tell.
  process.once('disconnect', () => process.exit(1));
  try {
    const results = await measure();
    await new Promise((resolve) => process.send?.(results, undefined, undefined, resolve));
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  }
}

/** Kills a process and everything below it: the daemons of a benchmark are in process groups of their own. */
export function endTree(pid: number): void {
  const below = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(Number(entry));
    if (parent !== undefined) below.set(parent, [...(below.get(parent) ?? []), Number(entry)]);
  }
  const all = [pid];
  for (const each of all) all.push(...(below.get(each) ?? []));
  for (const each of all) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
