// anycastctl status, watch and explain: looks, and prints what status-text.ts makes of it.
import type { Status } from '../../../shared/api.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { loadSchemas } from '../schemas.ts';
import { printJson, type Session } from '../session.ts';
import { renderStatus } from '../status-text.ts';

export interface StatusOptions {
  readonly vip: string | undefined;
  readonly isWide: boolean;
}

export interface WatchOptions extends StatusOptions {
  readonly everySeconds: number;
  /** Looks before it ends; absent: never. */
  readonly rounds?: number;
}

async function look(session: Session, vip: string | undefined): Promise<Status> {
  const { value } = await session.client.call('/status', async () => (await loadSchemas()).statusSchema);
  if (vip === undefined || value.ledger !== 'ok') return value;
  const vips = value.vips.filter((one) => one.vip === vip);
  if (vips.length > 0) return { ...value, vips };
  const why = [`${value.deployment} has: ${value.vips.map((one) => one.vip).join(', ')}.`];
  throw new CliError(EXIT.usage, `There is no vip ${vip}.`, { why });
}

export async function showStatus(session: Session, options: StatusOptions): Promise<ExitCode> {
  const status = await look(session, options.vip);
  if (session.json) printJson(session, status);
  else for (const line of textOf(session, status, options)) session.terminal.print(line);
  if (status.ledger === 'ok') return EXIT.done;
  if (session.json) return EXIT.error;
  throw new CliError(EXIT.error, `The ledger is ${status.ledger}: ${status.seat} can neither read nor decide.`, {
    why: status.alerts.map((alert) => `${alert.reason}: ${alert.detail}`),
    next: ['Nothing on the wire changes by itself; the agents keep their last orders.'],
  });
}

const textOf = ({ terminal, client }: Session, status: Status, { isWide }: StatusOptions): string[] =>
  renderStatus(status, { terminal, isWide, context: client.context.name });

/** Redraws on a terminal; prints a line per change otherwise; one JSON document per line with --json. */
export async function watchStatus(session: Session, options: WatchOptions): Promise<ExitCode> {
  const redraw = session.terminal.isLive === true ? (await import('log-update')).default : undefined;
  let before = '';
  for (let round = 0; round < (options.rounds ?? Number.POSITIVE_INFINITY); round++) {
    if (round > 0) await session.terminal.sleep(options.everySeconds * 1000);
    const status = await lookAgain(session, options, redraw);
    if (status === undefined) continue;
    if (session.json) session.terminal.print(JSON.stringify(status));
    else if (redraw !== undefined) redraw(textOf(session, status, options).join('\n'));
    else before = printChanges(session, status, before);
  }
  return EXIT.done;
}

/** A watch outlives a control plane that is away for a while: it says so and looks again. */
async function lookAgain(
  session: Session,
  options: WatchOptions,
  redraw: ((text: string) => void) | undefined,
): Promise<Status | undefined> {
  try {
    return await look(session, options.vip);
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== EXIT.noSeat) throw error;
    const text = `${error.message} The network keeps running on its last orders.`;
    if (redraw === undefined) session.terminal.say(text);
    else redraw(text);
    return undefined;
  }
}

function printChanges(session: Session, status: Status, before: string): string {
  const now = status.vips.map(
    (vip) =>
      `${vip.vip} acting ${vip.acting}, ${vip.regions.map((r) => `${r.region} ${r.verdict} ×${r.prepend}`).join(', ')}`,
  );
  const known = new Set(before.split('\n'));
  for (const line of now)
    if (!known.has(line)) session.terminal.print(`${new Date(status.nowMs).toISOString()} ${line}`);
  return now.join('\n');
}

export async function showExplanation(session: Session, vip: string): Promise<ExitCode> {
  const path = `/explain/${encodeURIComponent(vip)}`;
  const { value } = await session.client.call(path, async () => (await loadSchemas()).explainSchema);
  if (session.json) printJson(session, value);
  else for (const line of value.lines) session.terminal.print(line);
  return EXIT.done;
}
