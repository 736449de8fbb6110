// anycastctl hold, holds and resume: keep automation's hands off a vip for a while.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { holdSchema, statusSchema } from '../../../shared/api.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { formatAge, formatClock, renderTable, renderTsv } from '../text.ts';

export interface HoldFlags {
  readonly vip: string | undefined;
  readonly seconds: number;
  readonly reason: string;
  readonly full: boolean;
  readonly dryRun: boolean;
}

const dryHoldSchema = z.looseObject({ dryRun: z.literal(true) });

export async function addHold(session: Session, flags: HoldFlags): Promise<ExitCode> {
  const body = { ...flags, ...(flags.vip === undefined ? {} : { vip: flags.vip }) };
  const { value } = await session.client.call('/holds', holdSchema.or(dryHoldSchema), {
    method: 'POST',
    body,
    idempotencyKey: randomUUID(),
  });
  if (session.json) printJson(session, value);
  else if ('id' in value && typeof value.id === 'string') {
    const until = typeof value.expiresAtMs === 'number' ? formatClock(value.expiresAtMs) : '';
    session.terminal.print(`SUCCESS: ${flags.vip ?? 'every vip'} is held until ${until} (${value.id}).`);
    session.terminal.print(
      flags.full
        ? 'Not even an unhealthy or lost region is left by automation.'
        : 'An unhealthy or lost region still fails over.',
    );
    session.terminal.print(`End it earlier with: anycastctl resume ${value.id} --reason ...`);
  } else
    session.terminal.print(
      `${flags.vip ?? 'every vip'} would be held for ${formatAge(flags.seconds * 1000)}; nothing was changed.`,
    );
  return EXIT.done;
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
  await session.client.call(path, z.unknown(), { method: 'DELETE', idempotencyKey: randomUUID() });
  if (session.json) printJson(session, { id, released: true });
  else session.terminal.print(`SUCCESS: hold ${id} is released; automation may act again.`);
  return EXIT.done;
}
