// anycastctl validate: every problem and every doubt of an anycast.yaml, without talking to anybody.
import { formatFindings } from '../../../shared/result.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Terminal } from '../terminal.ts';
import { readTextFile } from '../topology-file.ts';

export interface ValidateFlags {
  readonly json: boolean;
  /** Warnings too end with the code for findings. */
  readonly exitStatus: boolean;
}

/** Exit 0 when the file is right, 2 when it is refused, 7 for warnings under --exit-status. */
export function validateFile(terminal: Terminal, file: string, flags: ValidateFlags): ExitCode {
  const result = parseTopology(readTextFile(file));
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

const summary = (file: string, errors: number, warnings: number): string =>
  errors > 0
    ? `ERROR: ${file} has ${errors} ${errors === 1 ? 'problem' : 'problems'}; it would not be deployed.`
    : `SUCCESS: ${file} is right; ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}.`;
