// Names of activities, and the small values that pass between them and the orchestrations (16 KB at most each).
import type { ActorType, Proof, Sequence } from '../../shared/vocabulary.ts';
import type { Intent } from '../engine/types.ts';
import type { ScheduledDrill } from '../schedules.ts';

export const ACTIVITIES = {
  gather: 'gather',
  decideAndCommit: 'decideAndCommit',
  auditAhead: 'auditAhead',
  deliverOrder: 'deliverOrder',
  recordDelivery: 'recordDelivery',
  startVerify: 'startVerify',
  verifyStep: 'verifyStep',
  shipAudit: 'shipAudit',
  readLearned: 'readLearned',
  purgeHistory: 'purgeHistory',
  drillCheck: 'drillCheck',
  drillRecord: 'drillRecord',
  readCancelled: 'readCancelled',
  startDrills: 'startDrills',
} as const;

/** An activity tells what went wrong as a value: a throw would lose what its siblings did. */
export interface Failed {
  readonly ok: false;
  readonly code: string;
  readonly detail: string;
}

export interface GatherInput {
  readonly group: string;
}
export type GatherResult = { readonly ok: true; readonly probed: readonly string[] } | Failed;

/** A wish that comes with a look at the evidence: put into the ledger first, then decided on. */
export type Wish =
  /** `evenIfCancelled`: the way back of a drill, which a cancelled drill must go too. */
  | { readonly type: 'intent'; readonly intent: Intent; readonly evenIfCancelled?: boolean }
  | {
      readonly type: 'hold';
      readonly id: string;
      readonly vip: string | null;
      readonly seconds: number;
      readonly full: boolean;
      readonly actor: string;
      readonly actorType: ActorType;
      readonly reason: string;
    }
  | { readonly type: 'release'; readonly id: string; readonly actor: string; readonly actorType: ActorType }
  | {
      readonly type: 'cancel';
      /** The operation that is no longer wanted, and whether it is a drill, which has a way back. */
      readonly operation: string;
      readonly isDrill: boolean;
      readonly actor: string;
      readonly actorType: ActorType;
      readonly reason: string;
    };

export interface DecideInput {
  readonly group: string;
  /** Orchestration instance: ties the records of one look together. */
  readonly correlationId: string;
  readonly wish?: Wish;
}
export interface OpenProofRef {
  readonly decisionId: string;
  readonly operation: string;
}
export interface WishOutcome {
  readonly outcome: 'carried-out' | 'already-so' | 'refused' | 'expired' | 'waiting' | 'cancelled';
  readonly reasons: readonly { readonly code: string; readonly detail: string }[];
  /** The decision that ended it, when that was an earlier one than this look's. */
  readonly decisionId?: string;
  readonly generation?: number;
}
export type DecideResult =
  | {
      readonly ok: true;
      readonly leads: boolean;
      /** Of the newest decision; empty while this seat follows. */
      readonly decisionId: string;
      readonly sequence: Sequence;
      readonly isCommitted: boolean;
      /** NVAs that do not have the newest order. */
      readonly deliver: readonly string[];
      /** Proofs that wait for somebody to look. */
      readonly proofs: readonly OpenProofRef[];
      readonly nextLookMs: number;
      readonly wish: WishOutcome | null;
      /** Drills whose time has come and that nobody took up yet. */
      readonly drills?: readonly ScheduledDrill[];
    }
  | Failed;

export interface GroupInput {
  readonly group: string;
}
export type PlainResult = { readonly ok: true } | Failed;

export interface DeliverInput {
  readonly group: string;
  readonly nva: string;
}
export type DeliverResult =
  | { readonly ok: true; readonly nva: string; readonly sequence: Sequence }
  | { readonly ok: true; readonly nva: string; readonly refused: { readonly code: string; readonly detail: string } }
  | (Failed & { readonly nva: string });

export interface RecordDeliveryInput {
  readonly group: string;
  readonly correlationId: string;
  readonly results: readonly DeliverResult[];
}

export interface StartVerifyInput {
  readonly group: string;
  readonly decisionIds: readonly string[];
}

export interface VerifyInput {
  readonly group: string;
  readonly decisionId: string;
  /** The last look: what still waits has failed. */
  readonly isLast: boolean;
  /** Names of observers are asked for what they measured (drills). */
  readonly correlationId: string;
}
export interface VerifiedStep {
  readonly vip: string;
  readonly region: string;
  readonly step: string;
  readonly proof: Proof;
  readonly detail: string;
}
/** Steps named in a result; a decision about hundreds of vips is summed up in the audit. */
export const VERIFIED_STEPS_MAX = 40;
export type VerifyResult =
  | {
      readonly ok: true;
      /** Nothing waits any more, or a newer decision took over. */
      readonly isDone: boolean;
      readonly state: 'proved' | 'failed' | 'waiting' | 'superseded';
      readonly steps: readonly VerifiedStep[];
      /** Longest time an observer of the vip went without an answer, and what a connection took, both in ms. */
      readonly outageMs: number | null;
      readonly latencyMs: number | null;
    }
  | Failed;

export type ShipResult = { readonly ok: true; readonly shipped: number; readonly setAside: number } | Failed;
export type LearnedResult = { readonly ok: true; readonly read: number; readonly failed: number } | Failed;

export interface StartDrillsInput {
  readonly group: string;
  readonly drills: readonly ScheduledDrill[];
}

export interface DrillCheckInput {
  readonly operation?: string;
  /** A scheduled drill is taken up once, by the seat that leads, in its window, where nobody holds. */
  readonly scheduled?: ScheduledDrill;
  readonly group: string;
  readonly vip: string | null;
  readonly to: string | null;
}
export type DrillCheckResult =
  | {
      readonly ok: true;
      readonly from: string;
      readonly to: string;
      /** What is unwell: a drill begins only when nothing is. */
      readonly problems: readonly { readonly code: string; readonly detail: string }[];
    }
  | Failed;

export interface DrillRecordInput {
  readonly group: string;
  readonly operation: string;
  readonly vip: string | null;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly state: string;
  /** What was measured, and what kept it from more. */
  readonly report: {
    readonly outageMs: number | null;
    readonly phases: readonly { readonly name: string; readonly proved: boolean; readonly ms: number }[];
    readonly problems?: readonly { readonly code: string; readonly detail: string }[];
  };
}

export interface CancelledInput {
  readonly group: string;
  readonly operation: string;
}
export type CancelledResult = { readonly ok: true; readonly isCancelled: boolean } | Failed;
