// Runs the Azure CLI and reads its answer as JSON, whatever the user's own default format is.
import { execFile } from 'node:child_process';

export type AzAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly isMissing: boolean; readonly detail: string };

/** @param args without `az`; `-o json --only-show-errors` is added. */
export type Az = (...args: readonly string[]) => Promise<AzAnswer>;

/** The slowest are validations of a whole deployment. */
const TIMEOUT_MS = 300_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const DETAIL_LENGTH_MAX = 800;

/** On Windows the CLI is a command file, which needs a shell. */
const options = { timeout: TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX, shell: process.platform === 'win32' };

export const az: Az = (...args) => run('az', [...args, '-o', 'json', '--only-show-errors']);

/** The Azure Developer CLI; what it prints is not JSON, so the value is its text. */
export const azd = (...args: readonly string[]): Promise<AzAnswer> => run('azd', args, (text) => text.trim());

function run(program: string, args: readonly string[], read = parseAnswer): Promise<AzAnswer> {
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ ok: true, value: read(stdout) });
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const detail = (stderr.trim() || error.message).slice(0, DETAIL_LENGTH_MAX);
      resolve({ ok: false, isMissing, detail });
    });
  });
}

/** Commands that change something often answer with nothing. */
function parseAnswer(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

/** A list in the answer; anything else is none. */
export const listOf = (answer: AzAnswer): readonly Readonly<Record<string, unknown>>[] =>
  answer.ok && Array.isArray(answer.value) ? answer.value : [];

/** An object in the answer; anything else is an empty one. */
export const objectOf = (answer: AzAnswer): Readonly<Record<string, unknown>> =>
  answer.ok && answer.value !== null && typeof answer.value === 'object' && !Array.isArray(answer.value)
    ? (answer.value as Readonly<Record<string, unknown>>)
    : {};

/** The value, or an error that says what was tried. */
export function answerOf(answer: AzAnswer, what: string): unknown {
  if (answer.ok) return answer.value;
  throw new Error(`${what}: ${answer.isMissing ? 'the Azure CLI is not installed' : answer.detail}`);
}
