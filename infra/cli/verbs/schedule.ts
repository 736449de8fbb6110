// anycastctl schedule list and operation cancel: what waits for its time or comes by timetable, and how to drop it.
import { randomUUID } from 'node:crypto';
import { operationSchema, statusSchema } from '../../../shared/api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { formatAge, renderTable, renderTsv } from '../text.ts';
import { awaitOperation, exitCodeOf } from './operation.ts';

/** A cancellation is one commit, but a drill goes back first. */
const CANCEL_SECONDS_MAX = 180;

export async function listSchedule(session: Session): Promise<ExitCode> {
  const { value } = await session.client.call('/status', statusSchema);
  const waiting = value.operations ?? [];
  const schedules = value.schedules ?? [];
  if (session.json) {
    printJson(session, { waiting, schedules });
    return EXIT.done;
  }
  const head = ['ID', 'KIND', 'VIP', 'REGION', 'ACTOR', 'UNTIL', 'REASON'];
  const rows = waiting.map((one) => [
    one.id,
    one.kind,
    one.vip ?? 'all',
    one.region ?? '',
    one.actor,
    one.deadlineMs > value.nowMs ? `in ${formatAge(one.deadlineMs - value.nowMs)}` : 'now',
    one.reason,
  ]);
  const planned = schedules.map(({ schedule, kind, vip, cron, timeZone, nextAtMs, last }) => [
    schedule,
    kind,
    vip,
    '',
    `${cron} ${timeZone}`,
    nextAtMs === null ? 'off' : `next in ${formatAge(nextAtMs - value.nowMs)}`,
    last === null ? '' : `last ${last.outcome}`,
  ]);
  rows.push(...planned);
  for (const line of session.terminal.isInteractive ? renderTable(head, rows) : renderTsv(head, rows))
    session.terminal.print(line);
  return EXIT.done;
}

export async function cancelOperation(session: Session, id: string, reason: string): Promise<ExitCode> {
  const path = `/operations/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`;
  const options = { method: 'DELETE', idempotencyKey: randomUUID() } as const;
  const { value } = await session.client.call(path, operationSchema, options);
  const ended = await awaitOperation(session, value.id, CANCEL_SECONDS_MAX);
  const isDone = exitCodeOf(ended) === EXIT.done;
  if (session.json) printJson(session, ended);
  else
    session.terminal.print(isDone ? `SUCCESS: ${id} is cancelled.` : `ERROR: ${id} is not cancelled: ${ended.state}.`);
  return exitCodeOf(ended);
}
