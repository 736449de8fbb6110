// What the outside of a command is: streams, colours, width, questions, time. One object, so that tests bring their own.
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';

export interface Terminal {
  /** The answer: what a script reads. */
  readonly print: (line: string) => void;
  /** The talk around it. */
  readonly say: (line: string) => void;
  readonly columns: number;
  /** True when a person looks at the answer. */
  readonly isInteractive: boolean;
  /** Lines already printed may be redrawn: the process's own terminal, and not a dumb one. */
  readonly isLive?: boolean;
  readonly paint: (style: 'red' | 'yellow' | 'green' | 'gray' | 'bold', text: string) => string;
  /** The line typed after the question; undefined at end of input. */
  readonly ask: (question: string) => Promise<string | undefined>;
  readonly sleep: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
}

export interface TerminalFlags {
  readonly color?: boolean | undefined;
}

/** The process's own terminal. Honours NO_COLOR, FORCE_COLOR and TERM=dumb. */
export function processTerminal(flags: TerminalFlags): Terminal {
  const isInteractive = process.stdout.isTTY === true && process.stdin.isTTY === true;
  const painted = flags.color !== false && process.env.TERM !== 'dumb';
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
    columns: process.stdout.columns ?? 100,
    isInteractive,
    isLive: isInteractive && process.env.TERM !== 'dumb',
    paint: (style, text) => (painted ? styleText(style, text, { stream: process.stdout }) : text),
    ask,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    nowMs: () => Date.now(),
  };
}

async function ask(question: string): Promise<string | undefined> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const closed = new Promise<undefined>((resolve) => reader.once('close', () => resolve(undefined)));
    return await Promise.race([reader.question(question), closed]);
  } finally {
    reader.close();
  }
}
