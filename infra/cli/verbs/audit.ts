// anycastctl audit: what was decided, whether the chain is whole, and all of it for a file.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type AuditPage, auditPageSchema } from '../../../shared/api.ts';
import { type AuditRecord, auditRecordSchema, CHAIN_START, chainedText } from '../../../shared/audit.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { renderTable, renderTsv } from '../text.ts';

/** Pages read before giving up: 1,000 records each at most. */
const PAGES_MAX = 10_000;

export interface AuditFilter {
  readonly vip: string | undefined;
  readonly kind: string | undefined;
  readonly last: number;
}

export async function listAudit(session: Session, filter: AuditFilter): Promise<ExitCode> {
  const records = (await readAll(session, filter)).slice(-filter.last);
  if (session.json) {
    printJson(session, records);
    return EXIT.done;
  }
  const head = ['TIME', 'KIND', 'VIP', 'REGION', 'REASON', 'ACTOR', 'BEFORE', 'AFTER', 'EVENT'];
  const rows = records.map((r) => [
    r.TimeGenerated,
    r.Kind,
    r.Vip,
    r.Region,
    r.Reason,
    r.Actor,
    r.Before,
    r.After,
    r.EventId,
  ]);
  for (const line of session.terminal.isInteractive ? renderTable(head, rows) : renderTsv(head, rows))
    session.terminal.print(line);
  return EXIT.done;
}

/** Exit 0 when every epoch's chain is whole, 7 with a line per break otherwise. */
export async function verifyAudit(
  session: () => Session,
  terminal: Terminal,
  json: boolean,
  file: string | undefined,
): Promise<ExitCode> {
  const everything = { vip: undefined, kind: undefined };
  const records = file === undefined ? await readAll(session(), everything) : readExport(file);
  const breaks = findBreaks(records);
  if (json) terminal.print(JSON.stringify({ ok: breaks.length === 0, records: records.length, breaks }));
  else {
    for (const line of breaks) terminal.print(line);
    terminal.print(
      breaks.length === 0
        ? `SUCCESS: ${records.length} records, every chain is whole.`
        : `ERROR: ${breaks.length} breaks in ${records.length} records.`,
    );
  }
  return breaks.length === 0 ? EXIT.done : EXIT.findings;
}

export interface ExportOptions {
  readonly vip: string | undefined;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  readonly format: 'ndjson' | 'csv';
}

/** Page by page, so that a long record needs little memory. */
export async function exportAudit(session: Session, options: ExportOptions): Promise<ExitCode> {
  const columns = Object.keys(auditRecordSchema.shape) as (keyof AuditRecord)[];
  if (options.format === 'csv') session.terminal.print(columns.join(','));
  for await (const page of pages(session, { vip: options.vip, kind: undefined })) {
    for (const record of page) {
      const atMs = Date.parse(record.TimeGenerated);
      if (atMs < (options.sinceMs ?? 0) || atMs >= (options.untilMs ?? Number.POSITIVE_INFINITY)) continue;
      session.terminal.print(
        options.format === 'csv' ? columns.map((column) => csvCell(record[column])).join(',') : JSON.stringify(record),
      );
    }
  }
  return EXIT.done;
}

/** RFC 4180: quoted when it must be. A cell that a spreadsheet would take for a formula is quoted with a blank before it. */
function csvCell(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const safe = /^[=+@-]\D/.test(text) ? ` ${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function readExport(file: string): AuditRecord[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.filter((line) => line.trim() !== '').map((line) => auditRecordSchema.parse(JSON.parse(line)));
  } catch (error) {
    throw new CliError(EXIT.usage, `${file} is no export of audit records (one JSON object a line).`, {
      why: [error instanceof Error ? error.message.slice(0, 300) : String(error)],
      cause: error,
    });
  }
}

async function readAll(session: Session, filter: Omit<AuditFilter, 'last'>): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const page of pages(session, filter)) records.push(...page);
  return records;
}

async function* pages(session: Session, filter: Omit<AuditFilter, 'last'>): AsyncGenerator<readonly AuditRecord[]> {
  let after: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = new URLSearchParams();
    if (after !== null) query.set('after', after);
    if (filter.vip !== undefined) query.set('vip', filter.vip);
    if (filter.kind !== undefined) query.set('kind', filter.kind);
    const text = query.toString();
    const { value }: { value: AuditPage } = await session.client.call(
      `/audit${text === '' ? '' : `?${text}`}`,
      auditPageSchema,
    );
    yield value.records;
    if (value.next === null) return;
    after = value.next;
  }
}

/** What is wrong with the chains: an edited record, a gap, a repetition. Records of one epoch must start at index 0. */
export function findBreaks(records: readonly AuditRecord[]): string[] {
  const chains = Map.groupBy(records, (record) => `${record.EventId.slice(0, record.EventId.lastIndexOf('-'))}`);
  return [...chains.values()].flatMap((chain) => {
    const sorted = [...chain].sort((a, b) => a.ChainIndex - b.ChainIndex);
    let expected = { index: sorted[0]?.ChainIndex === 0 ? 0 : -1, hash: CHAIN_START };
    const breaks: string[] = expected.index === 0 ? [] : [`${sorted[0]?.EventId}: the chain's beginning is missing`];
    for (const record of sorted) {
      if (expected.index >= 0 && record.ChainIndex !== expected.index) {
        breaks.push(`${record.EventId}: expected index ${expected.index}, found ${record.ChainIndex}`);
      } else if (expected.index >= 0 && record.PrevHash !== expected.hash)
        breaks.push(`${record.EventId}: does not follow the record before it`);
      if (hashOf(record) !== record.Hash) breaks.push(`${record.EventId}: was edited, its hash does not fit`);
      expected = { index: record.ChainIndex + 1, hash: record.Hash };
    }
    return breaks;
  });
}

const hashOf = (record: AuditRecord): string => createHash('sha256').update(chainedText(record)).digest('hex');
