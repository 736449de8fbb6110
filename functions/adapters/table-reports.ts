// Reports, probes and signals in Azure Table Storage: one partition per seat and group, one row per source.
import type { TableClient } from '@azure/data-tables';
import { odata } from '@azure/data-tables';
import { OperatingError } from '../../shared/errors.ts';
import type { ObserverReport, Report } from '../../shared/report.ts';
import type { SignalEvidence, VetoEvidence } from '../engine/types.ts';
import type { ReportStore, StoredEvidence, StoredProbe } from '../ports.ts';
import { pack, unpack } from './packed.ts';
import { inTime, withTable } from './storage-account.ts';

/** Rows of a partition that are read: 16 regions of NVAs, their probes, observers and vips with signals. */
const ROWS_MAX = 20_000;

interface Row extends Record<string, unknown> {
  readonly rowKey?: string;
  readonly receivedAtMs?: number;
}

export function createTableReports(table: TableClient, seat: string): ReportStore {
  const partitionOf = (group: string) => `${seat}|${group}`;

  const put = (what: string, group: string, rowKey: string, receivedAtMs: number, value: unknown) =>
    withTable(table, what, async () => {
      const columns = pack(value);
      if (columns === undefined)
        throw new OperatingError('too-large', `${rowKey} does not fit a row`, { retryable: false });
      const keys = { partitionKey: partitionOf(group), rowKey };
      const time = { receivedAtMs: { type: 'Double' as const, value: String(receivedAtMs) } };
      await table.upsertEntity({ ...keys, ...time, ...columns }, 'Replace', inTime());
    });

  async function rows(group: string, select?: string[]): Promise<Row[]> {
    const queryOptions = { filter: odata`PartitionKey eq ${partitionOf(group)}`, ...(select && { select }) };
    const found: Row[] = [];
    for await (const page of table.listEntities<Row>({ queryOptions, ...inTime() }).byPage({ maxPageSize: 1000 })) {
      found.push(...page);
      if (found.length >= ROWS_MAX) break;
    }
    return found;
  }

  return {
    putReport: (group, atMs, report) => put('report-write', group, `nva:${report.nva}`, atMs, report),
    putObserverReport: (group, atMs, report) => put('report-write', group, `observer:${report.observer}`, atMs, report),
    putProbe: (group, nva, probe) => put('probe-write', group, `probe:${nva}`, probe.atMs, probe),
    putSignals: (group, vip, signals) => put('signal-write', group, `signal:${vip}`, 0, signals),
    putVeto: (group, vip, veto) => put('veto-write', group, `veto:${vip}`, veto.atMs, veto),
    read: (group) => withTable(table, 'report-read', async () => toEvidence(await rows(group))),
    heard: (group) =>
      withTable(table, 'report-read', async () => {
        const found = await rows(group, ['rowKey', 'receivedAtMs']);
        return Object.fromEntries(
          found.filter((row) => isOf(row, 'nva')).map((row) => [nameOf(row), row.receivedAtMs ?? 0]),
        );
      }),
  };
}

const isOf = (row: Row, kind: string): boolean => row.rowKey?.startsWith(`${kind}:`) ?? false;
const nameOf = (row: Row): string => row.rowKey?.slice(row.rowKey.indexOf(':') + 1) ?? '';

function toEvidence(rows: readonly Row[]): StoredEvidence {
  const named = <T>(kind: string, read: (row: Row) => T) =>
    Object.fromEntries(rows.filter((row) => isOf(row, kind)).map((row) => [nameOf(row), read(row)]));
  const received = <T>(row: Row) => ({ receivedAtMs: row.receivedAtMs ?? 0, report: unpack(row) as T });
  return {
    reports: named('nva', received<Report>),
    observers: named('observer', received<ObserverReport>),
    probes: named('probe', (row) => unpack(row) as StoredProbe),
    signals: named('signal', (row) => unpack(row) as Record<string, SignalEvidence>),
    vetoes: named('veto', (row) => unpack(row) as VetoEvidence),
  };
}
