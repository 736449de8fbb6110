// anycastctl validate: every problem and every doubt of an anycast.yaml, without talking to anybody.
import { readFileSync } from 'node:fs';
import { formatFindings } from '../../../shared/result.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';

export interface ValidateFlags {
  readonly json: boolean;
  /** Warnings too end with the code for findings. */
  readonly exitStatus: boolean;
}

/** Exit 0 when the file is right, 2 when it is refused, 7 for warnings under --exit-status. */
export function validateFile(terminal: Terminal, file: string, flags: ValidateFlags): ExitCode {
  const result = parseTopology(readText(file));
  const errors = result.ok ? [] : result.error;
  const warnings = result.ok ? result.value.warnings : [];
  if (flags.json) terminal.print(JSON.stringify({ file, ok: result.ok, errors, warnings }));
  else {
    if (errors.length > 0) terminal.print(formatFindings(errors));
    for (const warning of warnings) terminal.print(terminal.paint('yellow', `warning: ${formatFindings([warning])}`));
    terminal.print(summary(file, errors.length, warnings.length));
  }
  if (!result.ok) return EXIT.usage;
  return flags.exitStatus && warnings.length > 0 ? EXIT.findings : EXIT.done;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} cannot be read.`, {
      why: [error instanceof Error ? error.message : String(error)],
      cause: error,
    });
  }
}

const summary = (file: string, errors: number, warnings: number): string =>
  errors > 0
    ? `ERROR: ${file} has ${errors} ${errors === 1 ? 'problem' : 'problems'}; it would not be deployed.`
    : `SUCCESS: ${file} is right; ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`;
