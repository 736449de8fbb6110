// anycastctl hold, holds and resume: keep automation's hands off a vip for a while.
import { randomUUID } from 'node:crypto';
import { type Operation, operationSchema, planSchema, statusSchema } from '../../../shared/api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { formatAge, renderTable, renderTsv } from '../text.ts';
import { awaitOperation, exitCodeOf } from './operation.ts';

/** A hold is one commit: longer than this means trouble. */
const HOLD_SECONDS_MAX = 60;

export interface HoldFlags {
  readonly vip: string | undefined;
  readonly seconds: number;
  readonly reason: string;
  readonly full: boolean;
  readonly dryRun: boolean;
}

/** Exit codes as of any operation; a dry run changes nothing. */
export async function addHold(session: Session, flags: HoldFlags): Promise<ExitCode> {
  const { vip, ...rest } = flags;
  const body = { ...rest, ...(vip === undefined ? {} : { vip }) };
  const options = { method: 'POST', body, idempotencyKey: randomUUID() } as const;
  const { value } = await session.client.call('/holds', operationSchema.or(planSchema), options);
  const who = vip ?? 'every vip';
  if ('dryRun' in value) {
    if (session.json) printJson(session, value);
    else session.terminal.print(`${who} would be held for ${formatAge(flags.seconds * 1000)}; nothing was changed.`);
    return EXIT.done;
  }
  const ended = await awaitOperation(session, value.id, HOLD_SECONDS_MAX);
  if (session.json) printJson(session, ended);
  else for (const line of holdLines(ended, who, flags)) session.terminal.print(line);
  return exitCodeOf(ended);
}

function holdLines(operation: Operation, who: string, flags: HoldFlags): string[] {
  if (exitCodeOf(operation) !== EXIT.done) return [`ERROR: ${who} is not held: ${operation.state}.`];
  const id = operation.steps.find((step) => step.name === 'held')?.detail ?? '';
  return [
    `SUCCESS: ${who} is held for ${formatAge(flags.seconds * 1000)} (${id}).`,
    flags.full
      ? 'Not even an unhealthy or lost region is left by automation.'
      : 'An unhealthy or lost region still fails over.',
    `End it earlier with: anycastctl resume ${id} --reason ...`,
  ];
}

export async function listHolds(session: Session): Promise<ExitCode> {
  const { value } = await session.client.call('/status', statusSchema);
  if (session.json) {
    printJson(session, value.holds);
    return EXIT.done;
  }
  const head = ['ID', 'VIP', 'ACTOR', 'FULL', 'ENDS IN', 'REASON'];
  const rows = value.holds.map((h) => [
    h.id,
    h.vip ?? 'all',
    h.actor,
    h.full ? 'yes' : '',
    formatAge(h.expiresAtMs - value.nowMs),
    h.reason,
  ]);
  for (const line of session.terminal.isInteractive ? renderTable(head, rows) : renderTsv(head, rows))
    session.terminal.print(line);
  return EXIT.done;
}

export async function releaseHold(session: Session, id: string, reason: string): Promise<ExitCode> {
  const path = `/holds/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`;
  const options = { method: 'DELETE', idempotencyKey: randomUUID() } as const;
  const { value } = await session.client.call(path, operationSchema, options);
  const ended = await awaitOperation(session, value.id, HOLD_SECONDS_MAX);
  const isDone = exitCodeOf(ended) === EXIT.done;
  if (session.json) printJson(session, ended);
  else
    session.terminal.print(
      isDone
        ? `SUCCESS: hold ${id} is released; automation may act again.`
        : `ERROR: hold ${id} is not released: ${ended.state}.`,
    );
  return exitCodeOf(ended);
}
