// The ledger in memory, with the same leases and conditions as the blob, on a given clock.
import { LEASE_SECONDS } from '../../limits.ts';
import type { Clock, LedgerStore, StoredSeatView } from '../../ports.ts';

interface Entry {
  text: string;
  version: number;
  lease: { readonly id: string; readonly untilMs: number } | undefined;
}

export interface MemoryLedger extends LedgerStore {
  /** Overwrites the document as a restore or a slip of the hand would. */
  overwrite(group: string, text: string | undefined): void;
  textOf(group: string): string | undefined;
}

export function createMemoryLedger(clock: Clock): MemoryLedger {
  const entries = new Map<string, Entry>();
  const views = new Map<string, Map<string, StoredSeatView>>();
  const isLeasedByOther = (entry: Entry, leaseId: string): boolean =>
    entry.lease !== undefined && entry.lease.id !== leaseId && entry.lease.untilMs > clock.nowMs();

  return {
    async read(group) {
      const entry = entries.get(group);
      return entry === undefined ? { type: 'absent' } : { type: 'found', text: entry.text, etag: `"${entry.version}"` };
    },
    async create(group, text) {
      if (entries.has(group)) return false;
      entries.set(group, { text, version: 1, lease: undefined });
      return true;
    },
    async hold(group, leaseId) {
      const entry = entries.get(group);
      if (entry === undefined) return 'absent';
      if (isLeasedByOther(entry, leaseId)) return 'taken';
      entry.lease = { id: leaseId, untilMs: clock.nowMs() + LEASE_SECONDS * 1000 };
      return 'held';
    },
    async commit(group, text, { etag, leaseId }) {
      const entry = entries.get(group);
      if (entry === undefined || entry.lease?.id !== leaseId || entry.lease.untilMs <= clock.nowMs())
        return 'lease-lost';
      if (etag !== `"${entry.version}"`) return 'conflict';
      entry.text = text;
      entry.version += 1;
      return 'committed';
    },
    async writeView(group, view) {
      views.set(group, (views.get(group) ?? new Map()).set(view.seat, view));
    },
    async readViews(group, except) {
      return [...(views.get(group)?.values() ?? [])].filter((view) => view.seat !== except);
    },
    overwrite(group, text) {
      const entry = entries.get(group);
      if (text === undefined) entries.delete(group);
      else entries.set(group, { text, version: (entry?.version ?? 0) + 1, lease: entry?.lease });
    },
    textOf: (group) => entries.get(group)?.text,
  };
}
