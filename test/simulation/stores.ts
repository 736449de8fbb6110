// What both seats share: the witness account (ledger, outbox, proofs), and what reached Log Analytics.
import { createMemoryLedger, type MemoryLedger } from '../../functions/adapters/memory/memory-ledger.ts';
import { createMemoryOutbox, type MemoryOutbox } from '../../functions/adapters/memory/memory-outbox.ts';
import type { LearnedEvidence } from '../../functions/engine/types.ts';
import { LEASE_SECONDS } from '../../functions/limits.ts';
import type { LedgerStore, Outbox, ProofStore, StoredProofs, StoredSeatView } from '../../functions/ports.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { holdsTheSame } from './seat-quiet.ts';
import type { Timeline } from './timeline.ts';

export interface Stores {
  readonly ledger: MemoryLedger;
  readonly outbox: MemoryOutbox;
  readonly proofs: ProofStore;
  putView(view: StoredSeatView): void;
  putLearned(nva: string, learned: LearnedEvidence): void;
  /** Its holder renews the lease, without a wire between. */
  renew(leaseId: string): void;
  /** EventIds that the outbox has. */
  readonly confirmed: Set<string>;
  /** By EventId: the table of Log Analytics, after de-duplication. */
  readonly shipped: Map<string, AuditRecord>;
  /** What any seat would read now: replaced, never changed. */
  readonly shared: {
    proofs: StoredProofs;
    /** The proofs as of when they last told something else, however often they were read since. */
    proved: StoredProofs;
    readonly views: ReadonlyMap<string, StoredSeatView>;
  };
  /** Who holds the lease, and until when. */
  readonly lease: { id: string; untilMs: number };
  /** Backups of the ledger, oldest first. */
  readonly backups: readonly { readonly atMs: number; readonly text: string }[];
}

export interface StoreWatch {
  /** A commit has been made: the text before and after, and by whom. */
  readonly onCommit: (leaseId: string, before: string, after: string) => void;
  readonly onAppended: (records: readonly AuditRecord[]) => void;
  /** A record took the place of another in the outbox. */
  readonly onReplaced: (record: AuditRecord) => void;
}

/** The one group there is. */
export const GROUP = 'default';
const BACKUPS_MAX = 500;

export function createStores(timeline: Timeline, watch: StoreWatch): Stores {
  const clock = { nowMs: () => timeline.nowMs };
  const ledger = createMemoryLedger(clock);
  const outbox = createMemoryOutbox();
  const lease = { id: '', untilMs: 0 };
  const confirmed = new Set<string>();
  const hashes = new Map<string, string>();
  const backups: { atMs: number; text: string }[] = [];
  const views = new Map<string, StoredSeatView>();
  const putView = (view: StoredSeatView) => void views.set(view.seat, view);
  const none: StoredProofs = { proofs: [], learned: {}, peerStatus: {} };
  const shared: Stores['shared'] = { proofs: none, proved: none, views };
  const watchedLedger: MemoryLedger = {
    ...ledger,
    async hold(group, leaseId) {
      const outcome = await ledger.hold(group, leaseId);
      if (outcome === 'held') Object.assign(lease, { id: leaseId, untilMs: timeline.nowMs + LEASE_SECONDS * 1000 });
      return outcome;
    },
    writeView: async (_group, view) => putView(view),
    readViews: async () => [...views.values()],
    async commit(group, text, on) {
      const before = ledger.textOf(group) ?? '';
      const outcome = await ledger.commit(group, text, on);
      if (outcome !== 'committed') return outcome;
      backups.push({ atMs: timeline.nowMs, text });
      if (backups.length > BACKUPS_MAX) backups.shift();
      watch.onCommit(on.leaseId, before, text);
      return outcome;
    },
  } satisfies LedgerStore & MemoryLedger;
  const watchedOutbox: MemoryOutbox = {
    ...outbox,
    async append(group, records) {
      await outbox.append(group, records);
      const replaced = records.find(({ EventId, Hash }) => (hashes.get(EventId) ?? Hash) !== Hash);
      if (replaced !== undefined) watch.onReplaced(replaced);
      for (const { EventId, Hash } of records) {
        confirmed.add(EventId);
        hashes.set(EventId, Hash);
      }
      watch.onAppended(records);
    },
  } satisfies Outbox & MemoryOutbox;
  const putLearned: Stores['putLearned'] = (nva, evidence) => {
    const { learned } = shared.proofs;
    shared.proofs = { ...shared.proofs, learned: { ...learned, [nva]: evidence } };
    if (!holdsTheSame(learned[nva]?.peers, evidence.peers)) shared.proved = shared.proofs;
  };
  const renew = (leaseId: string) => {
    // In memory the lease is renewed before the promise is there.
    void ledger.hold(GROUP, leaseId);
    lease.untilMs = timeline.nowMs + LEASE_SECONDS * 1000;
  };
  return {
    putView,
    putLearned,
    renew,
    ledger: watchedLedger,
    outbox: watchedOutbox,
    proofs: createProofs(shared, putLearned),
    confirmed,
    shipped: new Map(),
    shared,
    lease,
    backups,
  };
}

/** Proofs of the one group there is; what a reader got never changes under its hands. */
function createProofs(shared: Stores['shared'], putLearned: Stores['putLearned']): ProofStore {
  const put = (proofs: StoredProofs): void => {
    shared.proofs = proofs;
    shared.proved = proofs;
  };
  return {
    async putProof(_group, proof) {
      const { proofs } = shared.proofs;
      const others = proofs.filter((known) => known.vip !== proof.vip || known.region !== proof.region);
      put({ ...shared.proofs, proofs: [...others, proof] });
    },
    putLearned: async (_group, nva, evidence) => putLearned(nva, evidence),
    async putApps(_group, seat, apps) {
      put({ ...shared.proofs, apps: { ...shared.proofs.apps, [seat]: apps } });
    },
    async putPeerStatus(_group, region, status) {
      put({ ...shared.proofs, peerStatus: { ...shared.proofs.peerStatus, [region]: status } });
    },
    read: async () => shared.proofs,
  };
}
