// Harm scenarios: the same commands with a guard and without it, and what the difference costs.
//
//   harm unanswered|astray|moves     first command: the toll that must be higher without the guard
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Guard } from '../../functions/engine/reasons.ts';
import { type Toll, tellCommands } from './scenario.ts';

type Told = ReturnType<typeof tellCommands>;

export interface Harm {
  readonly text: string;
  /** The named toll, as the product and as the product without the guard has it. */
  readonly withGuard: number;
  readonly without: number;
}

const MEASURES: Readonly<Record<string, keyof Toll>> = {
  unanswered: 'unansweredMs',
  astray: 'astrayMs',
  moves: 'moves',
};

/** Runs a harm scenario both ways and returns its file as it is now. */
export async function runHarm(guard: Guard, text: string): Promise<Harm> {
  const [head = ''] = text.split('\n----');
  const commands = head.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const [declared = '', ...story] = commands;
  const measure = MEASURES[declared.replace(/^harm /, '')];
  if (measure === undefined) throw new Error(`the first command must name the harm, not ${declared}`);
  const [kept, taken] = [tellCommands(story), await tellWithout(guard, story)];
  const parts = [
    head.trimEnd(),
    `---- with ${guard}`,
    ...kept.lines,
    `---- without ${guard}`,
    ...taken.lines,
    '---- toll',
    `with     ${tollText(kept.toll)}`,
    `without  ${tollText(taken.toll)}`,
  ];
  return { text: `${parts.join('\n')}\n`, withGuard: kept.toll[measure], without: taken.toll[measure] };
}

const tollText = ({ unansweredMs, astrayMs, moves }: Toll): string =>
  `unanswered ${unansweredMs / 1000} s, answered by a region that does not act ${astrayMs / 1000} s, moves ${moves}`;

function tellWithout(guard: Guard, commands: readonly string[]): Promise<Told> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'harm-worker.ts'), { workerData: { guard, commands } });
    worker.once('message', (told: Told) => resolve(told));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread ended with ${code} and told nothing`)));
  });
}
