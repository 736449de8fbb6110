// anycastctl which-seat and api: who answers, and raw requests for what no verb covers.
import { randomUUID } from 'node:crypto';
import { healthSchema } from '../../../shared/api.ts';
import { ProblemError } from '../client.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { formatAge, renderTable, renderTsv } from '../text.ts';

interface SeatRow {
  readonly url: string;
  readonly answers: boolean;
  readonly seat: string | null;
  readonly leads: boolean;
  readonly ledger: string | null;
  readonly decisionAgeMs: number | null;
  readonly detail: string;
}

/** Exit 0 when a seat answers, 9 when none does. */
export async function showSeats(session: Session): Promise<ExitCode> {
  const rows = await Promise.all(session.client.context.seats.map((url) => askSeat(session, url)));
  if (session.json) printJson(session, rows);
  else {
    const head = ['SEAT', 'URL', 'ANSWERS', 'LEADS', 'LEDGER', 'DECIDED', 'DETAIL'];
    const cells = rows.map((row) => [
      row.seat ?? '',
      row.url,
      row.answers ? 'yes' : 'no',
      row.leads ? 'yes' : '',
      row.ledger ?? '',
      row.decisionAgeMs === null ? '' : `${formatAge(row.decisionAgeMs)} ago`,
      row.detail,
    ]);
    for (const line of session.terminal.isInteractive ? renderTable(head, cells) : renderTsv(head, cells))
      session.terminal.print(line);
  }
  return rows.some((row) => row.answers) ? EXIT.done : EXIT.noSeat;
}

async function askSeat({ client }: Session, url: string): Promise<SeatRow> {
  const none = { url, answers: false, seat: null, leads: false, ledger: null, decisionAgeMs: null };
  try {
    const response = await client.raw(url, '/health');
    const health = healthSchema.safeParse(await response.json());
    if (!health.success) return { ...none, detail: `HTTP ${response.status}, not a health document` };
    const { seat, leader, ledger, decisionAgeMs, ok } = health.data;
    return { url, answers: true, seat, leads: seat === leader, ledger, decisionAgeMs, detail: ok ? '' : 'unwell' };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { ...none, detail: cause instanceof Error ? cause.message : String(cause) };
  }
}

const METHODS = ['GET', 'POST', 'DELETE'] as const;

/** Prints the answer's JSON. Exit codes as of any refusal. */
export async function callApi(
  session: Session,
  method: string,
  path: string,
  data: string | undefined,
): Promise<ExitCode> {
  const known = METHODS.find((one) => one === method.toUpperCase());
  if (known === undefined || !path.startsWith('/'))
    throw new CliError(EXIT.usage, 'Say a method (GET, POST, DELETE) and a path that begins with /.');
  const options = { method: known, ...(known === 'GET' ? {} : { idempotencyKey: randomUUID() }) };
  const body = data === undefined ? {} : { body: parseData(data) };
  const { z } = await import('zod');
  try {
    const { value } = await session.client.call(path, z.unknown(), { ...options, ...body });
    printJson(session, value);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    printJson(session, error.problem);
    return error.code;
  }
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(EXIT.usage, '--data is no JSON.', {
      why: [error instanceof Error ? error.message : String(error)],
      cause: error,
    });
  }
}
