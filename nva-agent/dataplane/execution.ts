// Runs one command for the data plane: an argument vector without a shell, bounded in time and output.
import { spawn } from 'node:child_process';
import { OperatingError } from '../../shared/errors.ts';

export interface ExecuteOptions {
  readonly stdin?: string;
  /** Killed after this long. */
  readonly timeoutMs?: number;
  /** Given each line of the output as it comes; the answer is then empty. For output that has no bound. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a command and returns what it wrote to stdout. Throws OperatingError `command-failed` (with the end of its
 * stderr), `command-timed-out` or `command-missing`.
 */
export type Execute = (argv: readonly string[], options?: ExecuteOptions) => Promise<string>;

const TIMEOUT_MS = 10_000;
/** More output than this is no answer of any command that is kept whole. */
export const OUTPUT_CHARACTERS_MAX = 4 * 1024 * 1024;
const ERROR_CHARACTERS_MAX = 600;
const SBIN = '/usr/local/sbin:/usr/sbin:/sbin';

export const execute: Execute = (argv, options = {}) =>
  new Promise((resolve, reject) => {
    const [program = '', ...args] = argv;
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: `${process.env.PATH ?? '/usr/bin:/bin'}:${SBIN}`, LC_ALL: 'C' },
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? TIMEOUT_MS);
    let output = '';
    let problem = '';
    const fail = (code: string, message: string, cause?: unknown) => {
      clearTimeout(timer);
      reject(new OperatingError(code, `${argv.join(' ').slice(0, 200)}: ${message}`, { retryable: true, cause }));
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (options.onLine !== undefined) output = handLines(output, options.onLine);
      if (output.length > OUTPUT_CHARACTERS_MAX) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      problem = (problem + text).slice(-ERROR_CHARACTERS_MAX);
    });
    // The command may end without reading all of it; its exit status tells the story.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin ?? '');
    child.once('error', (cause) => fail('command-missing', 'cannot be run', cause));
    child.once('close', (status, signal) => {
      if (output.length > OUTPUT_CHARACTERS_MAX) return fail('output-too-large', `over ${OUTPUT_CHARACTERS_MAX}`);
      if (signal !== null) return fail('command-timed-out', `ended by ${signal}`);
      if (status !== 0) return fail('command-failed', `exit ${status}: ${problem.trim()}`);
      clearTimeout(timer);
      resolve(options.onLine === undefined ? output : '');
    });
  });

/** Hands out the complete lines and returns the rest. */
function handLines(text: string, onLine: (line: string) => void): string {
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  for (const line of lines) onLine(line);
  return rest;
}
