// Changes the ledger under its lease: read, take the lead, let the caller change it, commit, again on conflict.
import { createHash } from 'node:crypto';
import { type AuditDraft, type AuditRecord, CHAIN_START } from '../shared/audit.ts';
import { OperatingError } from '../shared/errors.ts';
import { compareSequence } from '../shared/vocabulary.ts';
import { chainRecords } from './audit-chain.ts';
import { draft } from './audit-drafts.ts';
import type { Plane } from './deployment.ts';
import { adoptPolicy, firstPolicy } from './engine/first-policy.ts';
import { type Ledger, ledgerText, newLedger, parseLedger } from './ledger.ts';
import { COMMIT_ATTEMPTS_MAX, LEASE_SECONDS } from './limits.ts';
import type { LedgerStore, Outbox, StoredLedger } from './ports.ts';
import { noteCommitted } from './recent-ledger.ts';
import { newestReported, readSight, type Sight, toNvaEvidence } from './snapshot.ts';
import { findBetterEar } from './stand-back.ts';

/** The ledger in the hands of its leader. */
export interface Held {
  readonly ledger: Ledger;
  readonly sight: Sight;
  /** Taking the lead began an epoch, or the ledger was rebuilt: commit whatever else happens. */
  readonly mustCommit: boolean;
  readonly nowMs: number;
}

export interface Change {
  readonly ledger: Ledger;
  readonly drafts: readonly AuditDraft[];
}

export type LeadOutcome =
  /** `ledger` is what now stands; `isCommitted` tells whether this call changed it. */
  | { readonly type: 'leads'; readonly ledger: Ledger; readonly sight: Sight; readonly isCommitted: boolean }
  | {
      readonly type: 'follows';
      readonly leader: string | null;
      readonly sight: Sight;
      /** As the leader left it, when it could be read. */
      readonly ledger: Ledger | undefined;
    };

/**
 * Lets `change` work on the ledger and commits what it returns (undefined: nothing to change). The records of the
 * commit before are confirmed in the outbox first, so at most one commit's records ever wait in the ledger.
 * Throws OperatingError when storage fails: then nothing was committed, or it was and the next look sees it.
 */
export async function changeLedger(
  plane: Plane,
  group: string,
  change: (held: Held) => Change | undefined | Promise<Change | undefined>,
): Promise<LeadOutcome> {
  const leaseId = leaseIdOf(plane.deployment.seat.name, group);
  let suspect: { readonly etag: string; readonly epoch: number } | undefined;
  for (let attempt = 0; attempt < COMMIT_ATTEMPTS_MAX; attempt += 1) {
    const [stored, sight] = await Promise.all([plane.ledger.read(group), readSight(plane, group)]);
    // A lease that is not renewed ends by itself, and nobody takes one that another holds: so the lead does not flap.
    if (betterEar(plane, group, sight) !== undefined)
      return { type: 'follows', leader: null, sight, ledger: ledgerOf(stored, group) };
    const lease = await plane.ledger.hold(group, leaseId);
    if (lease === 'taken') {
      const theirs = ledgerOf(stored, group);
      return { type: 'follows', leader: theirs?.seat ?? null, sight, ledger: theirs };
    }
    if (stored.type === 'absent') {
      await plane.ledger.create(group, ledgerText(bornLedger(plane, group, sight)));
      continue;
    }
    if (lease === 'absent') continue;
    const recordedEpoch = suspect?.etag === stored.etag ? suspect.epoch : undefined;
    const held = take(plane, group, stored.text, sight, recordedEpoch);
    await confirmPending(plane, group, held.before);
    const wanted = await change(held);
    if (wanted === undefined && !held.mustCommit)
      return { type: 'leads', ledger: held.ledger, sight, isCommitted: false };
    const next = seal(plane, group, held, wanted ?? { ledger: held.ledger, drafts: [] });
    if (!(await continuesRecord(plane, group, held.before, next))) {
      // Somebody may have committed since it was read. Read again: if it still stands there, it was put back.
      suspect = { etag: stored.etag, epoch: next.epoch };
      continue;
    }
    // Should its answer be lost, this process does not know what was committed last.
    forgetHead(plane, group);
    const outcome = await plane.ledger.commit(group, ledgerText(next), { etag: stored.etag, leaseId });
    if (outcome === 'committed') {
      noteHead(plane, group, next);
      noteCommitted(plane, next);
      return { type: 'leads', ledger: next, sight, isCommitted: true };
    }
    if (outcome === 'lease-lost') return { type: 'follows', leader: null, sight, ledger: undefined };
  }
  throw new OperatingError('ledger-conflict', `${group}: changed by others ${COMMIT_ATTEMPTS_MAX} times`, {
    retryable: true,
  });
}

const leaseIds = new Map<string, string>();

/** A lease id must be a GUID. One seat's instances share it, so any of them goes on where another stopped. */
export function leaseIdOf(seat: string, group: string): string {
  const source = `anycast-lease|${seat}|${group}`;
  const known = leaseIds.get(source);
  if (known !== undefined) return known;
  const hex = createHash('sha256').update(source).digest('hex');
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
  leaseIds.set(source, id);
  return id;
}

const betterEar = (plane: Plane, group: string, { evidence, views }: Sight): string | undefined =>
  findBetterEar({
    seat: plane.deployment.seat.name,
    heardAtMs: Object.values(evidence.reports).map(({ receivedAtMs }) => receivedAtMs),
    views,
    reportMs: plane.deployment.configOf(group).reportMs,
    nowMs: plane.clock.nowMs(),
  });

function ledgerOf(stored: StoredLedger, group: string): Ledger | undefined {
  if (stored.type === 'absent') return undefined;
  const parsed = parseLedger(stored.text, group);
  return parsed.ok ? parsed.value : undefined;
}

/** Where no ledger is: what the agents still carry out if they tell of any order, otherwise everything at rest. */
function bornLedger(plane: Plane, group: string, sight: Sight): Ledger {
  const nowMs = plane.clock.nowMs();
  const { seat } = plane.deployment;
  const after = newestReported(sight.evidence);
  const config = plane.deployment.configOf(group);
  const first = newLedger(group, seat.name, firstPolicy(config, nowMs, after.generation + 1), nowMs, after);
  if (after.epoch === 0 && after.generation === 0) return first;
  return {
    ...first,
    policy: adoptPolicy(toNvaEvidence(plane, group, sight.evidence), config, nowMs, after.generation + 1),
    delivers: false,
  };
}

interface Taken extends Held {
  /** As it was stored, or undefined when that cannot be used. */
  readonly before: Ledger | undefined;
  readonly drafts: readonly AuditDraft[];
}

/**
 * Takes the stored ledger over: same seat goes on, another begins an epoch, a doubtful one is rebuilt.
 * @param recordedEpoch the outbox has records of this epoch that the ledger does not know of.
 */
function take(plane: Plane, group: string, text: string, sight: Sight, recordedEpoch: number | undefined): Taken {
  const nowMs = plane.clock.nowMs();
  const parsed = parseLedger(text, group);
  const reported = newestReported(sight.evidence);
  if (!parsed.ok) return rebuild(plane, group, sight, nowMs, 'the ledger cannot be read', undefined);
  const before = parsed.value;
  if (compareSequence(reported, before) > 0) {
    const detail = `agents have ${reported.epoch}.${reported.generation}, the ledger ${before.epoch}.${before.generation}`;
    return rebuild(plane, group, sight, nowMs, detail, before);
  }
  if (recordedEpoch !== undefined) {
    const detail = `records of epoch ${recordedEpoch} follow what the ledger of ${before.epoch}.${before.generation} knows`;
    return rebuild(plane, group, sight, nowMs, detail, before, recordedEpoch);
  }
  const { name } = plane.deployment.seat;
  const isFirst = before.decisionId === '' && before.generation === before.orderGeneration && before.chain.index < 0;
  if (before.seat === name) return { before, ledger: before, sight, nowMs, mustCommit: isFirst, drafts: [] };
  const epoch = Math.max(before.epoch, reported.epoch) + 1;
  const ledger: Ledger = {
    ...before,
    epoch,
    seat: name,
    leaderSinceMs: nowMs,
    followedFresh: hasFreshReports(plane, group, sight, nowMs),
    chain: { epoch, index: -1, hash: CHAIN_START },
  };
  const drafts = [
    draft(nowMs, 'seat', {
      Reason: 'leads',
      Before: before.seat,
      After: name,
      Detail: { epoch, before: before.epoch },
    }),
  ];
  return { before, ledger, sight, nowMs, mustCommit: true, drafts };
}

/** Nothing in it is believed but the sequence: policy comes from what agents carry out, and a person must confirm it. */
function rebuild(
  plane: Plane,
  group: string,
  sight: Sight,
  nowMs: number,
  why: string,
  before: Ledger | undefined,
  recordedEpoch = 0,
): Taken {
  const reported = newestReported(sight.evidence);
  const after = {
    epoch: Math.max(before?.epoch ?? 0, reported.epoch, recordedEpoch),
    generation: Math.max(before?.generation ?? 0, reported.generation),
  };
  const config = plane.deployment.configOf(group);
  const { name } = plane.deployment.seat;
  const empty = newLedger(group, name, firstPolicy(config, nowMs, after.generation + 1), nowMs, after);
  const policy = adoptPolicy(toNvaEvidence(plane, group, sight.evidence), config, nowMs, after.generation + 1);
  const ledger: Ledger = { ...empty, policy, delivers: false };
  const drafts = [draft(nowMs, 'config', { Reason: 'ledger-rebuilt', Detail: { why, epoch: ledger.epoch } })];
  return { before, ledger, sight, nowMs, mustCommit: true, drafts };
}

/** Whether this seat's own view was fresh: then it need not warm up. An NVA that fell silent with the leader does not count. */
function hasFreshReports(plane: Plane, group: string, sight: Sight, nowMs: number): boolean {
  const { reportMs } = plane.deployment.configOf(group);
  const freshMs = Math.min(3 * reportMs, LEASE_SECONDS * 1000);
  return Object.values(sight.evidence.reports).some(({ receivedAtMs }) => nowMs - receivedAtMs <= freshMs);
}

/** Records of the commit before are in the outbox before anything is built on them. */
export async function confirmPending(plane: Plane, group: string, ledger: Ledger | undefined): Promise<void> {
  const last = ledger?.pending.at(-1);
  if (ledger === undefined || last === undefined || (await isConfirmed(plane, group, last))) return;
  await plane.outbox.append(group, ledger.pending);
  noteConfirmed(plane, group, last);
}

/** Records of a commit that this process has just made. Should another have put them there already, the same is written again. */
export async function confirmCommitted(plane: Plane, group: string, ledger: Ledger): Promise<void> {
  const last = ledger.pending.at(-1);
  if (last === undefined) return;
  await plane.outbox.append(group, ledger.pending);
  noteConfirmed(plane, group, last);
}

/** Records known to be in the outbox, the newest of each group: what is confirmed stays confirmed. */
const confirmed = new WeakMap<Outbox, Map<string, string>>();

function noteConfirmed(plane: Plane, group: string, record: AuditRecord): void {
  confirmed.set(plane.outbox, (confirmed.get(plane.outbox) ?? new Map<string, string>()).set(group, record.Hash));
}

/** Whether this record is in the outbox; asks only when this process does not know. */
export async function isConfirmed(plane: Plane, group: string, record: AuditRecord): Promise<boolean> {
  if (confirmed.get(plane.outbox)?.get(group) === record.Hash) return true;
  if (!(await plane.outbox.has(group, record))) return false;
  noteConfirmed(plane, group, record);
  return true;
}

/** Hash at the end of the newest chain that this process committed, by group. */
const heads = new WeakMap<LedgerStore, Map<string, string>>();

function noteHead(plane: Plane, group: string, { chain }: Ledger): void {
  heads.set(plane.ledger, (heads.get(plane.ledger) ?? new Map<string, string>()).set(group, chain.hash));
}

const forgetHead = (plane: Plane, group: string): void => void heads.get(plane.ledger)?.delete(group);

/**
 * False when records already stand in the outbox where those of this commit would go: the ledger was put back to an
 * earlier state, which agents cannot tell when no order changed since. Asks only when another process, or nobody that
 * this one knows of, committed what the ledger builds on.
 */
async function continuesRecord(
  plane: Plane,
  group: string,
  before: Ledger | undefined,
  next: Ledger,
): Promise<boolean> {
  const [first] = next.pending;
  if (first === undefined || (before && heads.get(plane.ledger)?.get(group) === before.chain.hash)) return true;
  return !(await plane.outbox.has(group, first));
}

function seal(plane: Plane, group: string, held: Held & { drafts: readonly AuditDraft[] }, wanted: Change): Ledger {
  const generation = held.ledger.generation + 1;
  const drafts = [...held.drafts, ...wanted.drafts].map((one) => ({ ...one, Generation: generation }));
  const { records, head } = chainRecords(drafts, wanted.ledger.chain, group, plane.deployment.seat.name);
  return {
    ...wanted.ledger,
    generation,
    // A new epoch is an order of its own: only with it do agents refuse the seat before.
    orderGeneration: held.mustCommit ? generation : wanted.ledger.orderGeneration,
    pending: records,
    chain: head,
  };
}
