// Runs the Python runbooks as Azure Automation does: arguments by position, the identity in the environment.
import { spawn } from 'node:child_process';

export interface RunbookRun {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly errors: string;
  /** The last line of output. */
  readonly outcome: Record<string, unknown>;
}

export const pythonFile = (runbook: string): string =>
  `infra/automation/python/${runbook
    .replace('-', '_')
    .replace(/(?<=[a-z])([A-Z])/g, '_$1')
    .toLowerCase()}.py`;

export function runPython(
  runbook: string,
  positional: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<RunbookRun> {
  const child = spawn('python3', ['-I', pythonFile(runbook), ...positional], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const lines = output.trimEnd().split('\n');
      try {
        resolve({ code, lines, errors, outcome: JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> });
      } catch {
        reject(new Error(`${runbook}: no JSON at the end of ${output}\n${errors}`));
      }
    });
  });
}
