// anycastctl audit list and verify: what was decided, and whether the chain is whole.
import { createHash } from 'node:crypto';
import { type AuditPage, auditPageSchema } from '../../../shared/api.ts';
import { type AuditRecord, CHAIN_START, chainedText } from '../../../shared/audit.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
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
export async function verifyAudit(session: Session): Promise<ExitCode> {
  const records = await readAll(session, { vip: undefined, kind: undefined, last: 0 });
  const breaks = findBreaks(records);
  if (session.json) printJson(session, { ok: breaks.length === 0, records: records.length, breaks });
  else {
    for (const line of breaks) session.terminal.print(line);
    session.terminal.print(
      breaks.length === 0
        ? `SUCCESS: ${records.length} records, every chain is whole.`
        : `ERROR: ${breaks.length} breaks in ${records.length} records.`,
    );
  }
  return breaks.length === 0 ? EXIT.done : EXIT.findings;
}

async function readAll(session: Session, filter: AuditFilter): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
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
    records.push(...value.records);
    if (value.next === null) break;
    after = value.next;
  }
  return records;
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
