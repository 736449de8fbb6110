// The audit outbox in memory, in chain order.
import type { AuditRecord } from '../../../shared/audit.ts';
import { DEPTH_MAX } from '../../limits.ts';
import type { Outbox } from '../../ports.ts';

interface Row {
  readonly record: AuditRecord;
  shippedAtMs?: number;
  setAside?: string;
}

export interface MemoryOutbox extends Outbox {
  rows(group: string): readonly Row[];
}

const compare = (a: AuditRecord, b: AuditRecord): number => a.Epoch - b.Epoch || a.ChainIndex - b.ChainIndex;

export function createMemoryOutbox(): MemoryOutbox {
  const groups = new Map<string, Map<string, Row>>();
  const sorted = (group: string): Row[] =>
    [...(groups.get(group)?.values() ?? [])].sort((a, b) => compare(a.record, b.record));
  const rowOf = (group: string, record: AuditRecord) => groups.get(group)?.get(record.EventId);

  return {
    async append(group, records) {
      const rows = groups.get(group) ?? new Map<string, Row>();
      groups.set(group, rows);
      for (const record of records)
        rows.set(record.EventId, { ...rows.get(record.EventId), record: structuredClone(record) });
    },
    has: async (group, record) => rowOf(group, record) !== undefined,
    unshipped: async (group, limit) =>
      sorted(group)
        .filter((row) => row.shippedAtMs === undefined)
        .slice(0, limit)
        .map((row) => row.record),
    async markShipped(group, records, atMs) {
      for (const record of records) {
        const row = rowOf(group, record);
        if (row !== undefined) row.shippedAtMs = atMs;
      }
    },
    async setAside(group, record, why) {
      const row = rowOf(group, record);
      if (row !== undefined) row.setAside = why;
    },
    depth: async (group) => Math.min(DEPTH_MAX, sorted(group).filter((row) => row.shippedAtMs === undefined).length),
    async page({ group, vip, kind, after, limit }) {
      const all = sorted(group).map((row) => row.record);
      const start = after === undefined ? 0 : all.findIndex((record) => record.EventId === after) + 1;
      const wanted = all
        .slice(start)
        .filter((record) => (vip ?? record.Vip) === record.Vip && (kind ?? record.Kind) === record.Kind);
      const records = wanted.slice(0, limit);
      return { records, next: wanted.length > limit ? (records.at(-1)?.EventId ?? null) : null };
    },
    async purge(group, shippedBeforeMs) {
      const gone = sorted(group).filter((row) => row.shippedAtMs !== undefined && row.shippedAtMs < shippedBeforeMs);
      for (const { record } of gone) groups.get(group)?.delete(record.EventId);
      return gone.length;
    },
    rows: sorted,
  };
}
