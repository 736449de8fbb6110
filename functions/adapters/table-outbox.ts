// The audit outbox in Azure Table Storage: rows in chain order, and a cursor behind the last one shipped.
import { odata, type TableClient, type TransactionAction } from '@azure/data-tables';
import type { AuditRecord } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import { DEPTH_MAX } from '../limits.ts';
import type { AuditQuery, Outbox } from '../ports.ts';
import { statusOf } from './operating-error.ts';
import { pack, unpack } from './packed.ts';
import { inTime, withTable } from './storage-account.ts';

/** A table transaction takes 100 actions of one partition. */
const TRANSACTION_MAX = 100;
/** Rows looked at for one filtered page, so that a rare filter cannot read the whole table at once. */
const SCAN_MAX = 20_000;
const CURSOR = 'cursor';
/** Before every row of records: digits sort after it. */
const FIRST = '!';

/** Sorts as (epoch, chain index). */
export const rowKeyOf = (record: Pick<AuditRecord, 'Epoch' | 'ChainIndex'>): string =>
  `${String(record.Epoch).padStart(10, '0')}-${String(record.ChainIndex).padStart(10, '0')}`;

const keyOfEventId = (eventId: string): string | undefined => {
  const match = /-(\d+)-(\d+)$/.exec(eventId);
  return match === null ? undefined : rowKeyOf({ Epoch: Number(match[1]), ChainIndex: Number(match[2]) });
};

type Row = Record<string, unknown> & { rowKey?: string };

export function createTableOutbox(table: TableClient): Outbox {
  const cursorPartition = (group: string) => `${group}|cursor`;

  async function transact(actions: readonly TransactionAction[]): Promise<void> {
    for (let i = 0; i < actions.length; i += TRANSACTION_MAX) {
      await table.submitTransaction(actions.slice(i, i + TRANSACTION_MAX), inTime());
    }
  }

  async function cursorOf(group: string): Promise<string> {
    try {
      const row = await table.getEntity<{ at: string }>(cursorPartition(group), CURSOR, inTime());
      return row.at;
    } catch (error) {
      if (statusOf(error) === 404 && (error as { code?: string }).code !== 'TableNotFound') return FIRST;
      throw error;
    }
  }

  async function* after(group: string, key: string, select?: string[]): AsyncGenerator<Row> {
    const queryOptions = { filter: odata`PartitionKey eq ${group} and RowKey gt ${key}`, ...(select && { select }) };
    for await (const page of table.listEntities<Row>({ queryOptions, ...inTime() }).byPage({ maxPageSize: 1000 })) {
      yield* page;
    }
  }

  async function take(rows: AsyncGenerator<Row>, limit: number): Promise<Row[]> {
    const taken: Row[] = [];
    for await (const row of rows) {
      taken.push(row);
      if (taken.length >= limit) break;
    }
    return taken;
  }

  const toRow = (group: string, record: AuditRecord) => {
    const columns = pack(record);
    if (columns === undefined)
      throw new OperatingError('too-large', `${record.EventId} does not fit a row`, { retryable: false });
    return { partitionKey: group, rowKey: rowKeyOf(record), Kind: record.Kind, Vip: record.Vip, ...columns };
  };

  async function page(query: AuditQuery) {
    const records: AuditRecord[] = [];
    const start = (query.after && keyOfEventId(query.after)) ?? FIRST;
    let scanned = 0;
    let last: AuditRecord | undefined;
    for await (const row of after(query.group, start)) {
      const record = unpack(row) as AuditRecord;
      scanned += 1;
      const isWanted = (query.vip ?? record.Vip) === record.Vip && (query.kind ?? record.Kind) === record.Kind;
      if (isWanted && records.length === query.limit) return { records, next: last?.EventId ?? null };
      last = record;
      if (isWanted) records.push(record);
      if (scanned >= SCAN_MAX) return { records, next: record.EventId };
    }
    return { records, next: null };
  }

  return {
    append: (group, records) =>
      withTable(table, 'outbox-write', () =>
        transact(records.map((record): TransactionAction => ['upsert', toRow(group, record), 'Merge'])),
      ),
    has: (group, record) =>
      withTable(table, 'outbox-read', async () => {
        try {
          await table.getEntity(group, rowKeyOf(record), { ...inTime(), queryOptions: { select: ['rowKey'] } });
          return true;
        } catch (error) {
          if (statusOf(error) === 404 && (error as { code?: string }).code !== 'TableNotFound') return false;
          throw error;
        }
      }),
    unshipped: (group, limit) =>
      withTable(table, 'outbox-read', async () => {
        const rows = await take(after(group, await cursorOf(group)), limit);
        return rows.map((row) => unpack(row) as AuditRecord);
      }),
    markShipped: (group, records, atMs) =>
      withTable(table, 'outbox-write', async () => {
        const last = records.at(-1);
        if (last === undefined) return;
        await transact(
          records.map(
            (record): TransactionAction => [
              'upsert',
              { partitionKey: group, rowKey: rowKeyOf(record), ShippedAtMs: { type: 'Double', value: String(atMs) } },
              'Merge',
            ],
          ),
        );
        await table.upsertEntity(
          { partitionKey: cursorPartition(group), rowKey: CURSOR, at: rowKeyOf(last) },
          'Replace',
          inTime(),
        );
      }),
    setAside: (group, record, why) =>
      withTable(table, 'outbox-write', async () => {
        const mark = { partitionKey: group, rowKey: rowKeyOf(record), SetAside: why.slice(0, 1000) };
        await table.upsertEntity(mark, 'Merge', inTime());
      }),
    depth: (group) =>
      withTable(table, 'outbox-read', async () => {
        const rows = await take(after(group, await cursorOf(group), ['rowKey']), DEPTH_MAX);
        return rows.length;
      }),
    page: (query) => withTable(table, 'outbox-read', () => page(query)),
    purge: (group, shippedBeforeMs) =>
      withTable(table, 'outbox-write', async () => {
        const keys: string[] = [];
        for await (const row of after(group, FIRST, ['rowKey', 'ShippedAtMs'])) {
          const shippedAtMs = row.ShippedAtMs as number | undefined;
          if (shippedAtMs === undefined || shippedAtMs >= shippedBeforeMs || keys.length >= SCAN_MAX) break;
          keys.push(String(row.rowKey));
        }
        await transact(keys.map((rowKey): TransactionAction => ['delete', { partitionKey: group, rowKey }]));
        return keys.length;
      }),
  };
}
