// anycastctl plan: what would change if this anycast.yaml were deployed. Reads only.
import { statusSchema } from '../../../shared/api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type PlannedChange, planAgainstStatus, planChanges } from '../plan-changes.ts';
import type { Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { renderTable, renderTsv } from '../text.ts';
import { readTopologyFile } from '../topology-file.ts';

export interface PlanOptions {
  readonly against: string | undefined;
  /** End with the code for findings when something would change. */
  readonly exitStatus: boolean;
  readonly json: boolean;
}

export async function planFile(
  terminal: Terminal,
  session: () => Session,
  file: string,
  options: PlanOptions,
): Promise<ExitCode> {
  const after = readTopologyFile(file);
  const isWhole = options.against !== undefined;
  const changes =
    options.against === undefined
      ? planAgainstStatus((await session().client.call('/status', statusSchema)).value, after)
      : planChanges(readTopologyFile(options.against), after);
  if (options.json) terminal.print(JSON.stringify({ changes, compared: isWhole ? 'file' : 'control plane' }));
  else for (const line of planLines(terminal, changes, isWhole)) terminal.print(line);
  return options.exitStatus && changes.length > 0 ? EXIT.findings : EXIT.done;
}

function planLines(terminal: Terminal, changes: readonly PlannedChange[], isWhole: boolean): string[] {
  const head = ['EFFECT', 'WHAT', 'BEFORE', 'AFTER', 'NOTE'];
  const rows = changes.map((one) => [one.effect, one.path, one.before, one.after, one.note]);
  if (!terminal.isInteractive) return renderTsv(head, rows);
  const moving = changes.filter((one) => one.effect === 'moves').length;
  const scope = isWhole
    ? ''
    : ' Compared with the control plane: vips, rankings and NVAs only; --against compares all.';
  if (changes.length === 0) return [`Nothing would change.${scope}`];
  const summary = `${changes.length} changes, ${moving} may move or end traffic.${scope}`;
  return [...renderTable(head, rows), moving === 0 ? summary : terminal.paint('red', summary)];
}
