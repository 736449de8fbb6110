// The nouns of the decision engine: what it is told, what it remembers, what it answers. Types only.
import type { Ladder } from '../../shared/ladder.ts';
import type { ObserverReport, Report } from '../../shared/report.ts';
import type { Guards, Topology, Vip } from '../../shared/topology-schema.ts';
import type { ActorType, Role, RouteState, Sequence, Verdict } from '../../shared/vocabulary.ts';
import type { Guard, Reason } from './reasons.ts';

// ---------------------------------------------------------------- what it is told

/** Everything observed, gathered outside. All times are the receiver's clock, epoch ms. */
export interface Snapshot {
  readonly group: string;
  /** Identifier this decision will carry in policy, orders and audit; made outside, the engine knows no randomness. */
  readonly decisionId: string;
  /** Generation that a commit of this decision will have: one above the ledger's. */
  readonly nextGeneration: number;
  readonly seat: SeatEvidence;
  /** By NVA name; an NVA that never reported is simply absent. */
  readonly nvas: Readonly<Record<string, NvaEvidence>>;
  /** By observer name. */
  readonly observers: Readonly<Record<string, { readonly receivedAtMs: number; readonly report: ObserverReport }>>;
  /** By NVA name: what Route Server was last read to hold from it. */
  readonly learned: Readonly<Record<string, LearnedEvidence>>;
  /** Fresh views of other seats, written beside the ledger. */
  readonly seatViews: readonly SeatView[];
  /** External evidence (Log Analytics queries), by vip, then region. Absent means unknown. */
  readonly signals: Readonly<Record<string, Readonly<Record<string, SignalEvidence>>>>;
  /** Refusals of the configured veto webhooks, by vip. Absent: not asked, or nothing was refused. */
  readonly vetoes: Readonly<Record<string, VetoEvidence>>;
  /** By seat, vip, region: what the application answered when that seat asked it. Absent: nobody asks. */
  readonly apps?: Readonly<Record<string, SeatApps>>;
  /** By region: Route Server's own metric of its sessions. Absent: nobody reads it. */
  readonly peerStatus?: Readonly<Record<string, PeerStatus>>;
}

export interface SeatEvidence {
  readonly name: string;
  readonly region: string;
  /** When this seat's epoch began. */
  readonly leaderSinceMs: number;
  /** True when this seat had followed with a fresh view of its own: no warm-up needed. */
  readonly followedFresh: boolean;
}

export interface NvaEvidence {
  readonly report?: { readonly receivedAtMs: number; readonly report: Report };
  /** The control plane's own question to the agent, asked only when its report is overdue. */
  readonly probe?: { readonly atMs: number; readonly outcome: 'answered' | 'failed' };
}

export interface LearnedEvidence {
  readonly atMs: number;
  /** By Route Server instance (peer as in the topology), then prefix: the AS path held, absent when not held. */
  readonly peers: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

/** By vip, then region. */
export type SeatApps = Readonly<Record<string, Readonly<Record<string, AppEvidence>>>>;

/** One answer of a region's application to a seat: no answer is unknown, an answer that is not as expected unhealthy. */
export interface AppEvidence {
  readonly atMs: number;
  readonly verdict: SignalVerdict;
  readonly detail: string;
}

/** What Route Server's own metric says of its sessions: grains of five minutes, published minutes late. */
export interface PeerStatus {
  /** When it was read. */
  readonly atMs: number;
  /** By address of the peer (the NVA's), then Route Server instance; what was not measured is absent. */
  readonly peers: Readonly<Record<string, Readonly<Record<string, { readonly isUp: boolean; readonly atMs: number }>>>>;
}

/** When another seat last heard each NVA. */
export interface SeatView {
  readonly seat: string;
  readonly region: string;
  readonly atMs: number;
  readonly heardAtMs: Readonly<Record<string, number>>;
}

export interface VetoEvidence {
  readonly atMs: number;
  readonly detail: string;
  /** Targets that were refused; absent: any. */
  readonly targets?: readonly string[];
  /** Whether the acting region was unhealthy or lost then: a takeover was refused, not a move by choice. */
  readonly isNecessary?: boolean;
}

/** All queries of a vip together are one source: they ask the same workspace. */
export interface SignalEvidence {
  /** Of the oldest answer that counts. */
  readonly atMs: number;
  readonly verdict: SignalVerdict;
  /** What each query said, by its place in the topology. */
  readonly parts?: Readonly<Record<string, { readonly atMs: number; readonly verdict: SignalVerdict }>>;
}
export type SignalVerdict = 'healthy' | 'unhealthy' | 'unknown';

// ---------------------------------------------------------------- what it remembers (the ledger's part)

export interface Policy {
  readonly v: 1;
  readonly vips: Readonly<Record<string, VipPolicy>>;
  readonly intents: readonly Intent[];
  readonly holds: readonly Hold[];
  /** Automatic moves inside the budget window, counted by cause (`region/verdict`). */
  readonly moves: readonly { readonly atMs: number; readonly cause: string }[];
  /** False after a rebuilt or doubtful ledger: nothing moves until a person says so. */
  readonly trusted: boolean;
}

export interface VipPolicy {
  /** primary-backup: the region that acts. active-active: the first member (all act). */
  readonly acting: string;
  readonly actingSinceMs: number;
  /** Region that acted before a planned move, while it still worked: its connections may live on. Absent after a takeover. */
  readonly previous?: string;
  readonly regions: Readonly<Record<string, RegionPolicy>>;
  /** Decaying penalty of moves: value at `atMs`. */
  readonly flapPenalty: FlapPenalty;
  /** Last change of anything of this vip: recentring waits for calm since then. */
  readonly changedAtMs: number;
  /** Identifier of the decision that last changed this vip. */
  readonly decision: string;
}

/** Penalty of automatic moves (RFC 2439): `value` at `atMs`, halved every half-life. */
export interface FlapPenalty {
  readonly value: number;
  readonly atMs: number;
  /** Went above `suppress` and has not been seen below `reuse` since. */
  readonly suppressed?: boolean;
}

export interface RegionPolicy {
  readonly role: Role;
  readonly rung: number;
  readonly state: RouteState;
  /** When rung, state or survivors of this row last changed, and by which generation. A change of role alone does not count. */
  readonly changedAtMs: number;
  readonly generation: number;
  /**
   * Earlier rungs that may still be on the wire (or come back on it): committed since the last rung that was both
   * acknowledged and proved. The current rung is not listed. Empty when nothing else is possible.
   */
  readonly maybe: readonly EarlierRung[];
  /** Whatever speaks against this region counts for nothing until then (a forced move). */
  readonly ignoreUntilMs?: number;
  /** A proof of this region failed: automation does not choose it until a proof, five minutes of being seen again, or a person clears it. */
  readonly unprovenSinceMs?: number;
  /** The first step of that proof that failed: those beyond it may have failed for its sake. */
  readonly unprovenAt?: 'agent' | 'routeServer' | 'circuit' | 'observer';
  /** What was missed has been seen again without a break since then (proved-again.ts). */
  readonly provedSinceMs?: number;
  /** This region lost its role on evidence of this kind; it returns by itself only on positive evidence of it. */
  readonly leftOn?: 'agent' | 'external' | 'silence' | 'human';
  /** Last verdict that was not unknown, and since when the ledger has seen it without interruption. */
  readonly seen?: { readonly verdict: Exclude<Verdict, 'unknown'>; readonly sinceMs: number };
  /** No NVA of this region has had a Route Server session since then; lost once that has lasted. */
  readonly isolatedSinceMs?: number;
  /** `nvas: one`: the NVA that carries the vip; absent: the first of the region. */
  readonly active?: string;
  /** NVAs that announce `minus` prepends less than the rung, because another one of the region is gone or left behind. */
  readonly survivors?: { readonly nvas: readonly string[]; readonly minus: number };
}

/** A rung of the past that may still be on the wire; `minus` as its survivors had. */
export interface EarlierRung {
  readonly rung: number;
  readonly generation: number;
  readonly atMs: number;
  readonly minus?: number;
}

/** A wish of a person or runbook. It goes through the engine like everything else. */
export interface Intent {
  readonly id: string;
  readonly type: 'failover' | 'failback' | 'drain' | 'undrain' | 'recentre' | 'trust-ledger';
  /** Absent: every vip of the group that `region` touches (drain, undrain). */
  readonly vip?: string;
  /** failover: the target, absent = the best other region. drain and undrain: the region. */
  readonly region?: string;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly reason: string;
  /** Guards overridden by name; `target-unhealthy` sets the target to ignore its own failure until expiry. */
  readonly force: readonly string[];
  readonly createdAtMs: number;
  /** Waits in the ledger until then: a move that was arranged for later. */
  readonly notBeforeMs?: number;
  /** The intent whose move this one takes back: its hold ends, and none begins (the way back of a drill). */
  readonly endsHoldOf?: string;
  readonly deadlineMs: number;
  /** Operation (Durable instance id) that waits for it. */
  readonly operation: string;
}

/** Automation leaves this vip (or, without one, every vip of the group) alone until expiry. */
export interface Hold {
  readonly id: string;
  readonly vip?: string;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly reason: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** A full hold also keeps an unhealthy or lost region acting; others do not. */
  readonly full: boolean;
}

// ---------------------------------------------------------------- what configures it

/** The part of the topology the engine reads, for one group. */
export interface EngineConfig {
  readonly topology: Topology;
  readonly group: string;
  readonly vips: readonly Vip[];
  readonly ladder: Ladder;
  readonly guards: Guards;
  readonly reportMs: number;
  readonly routeChangeMs: number;
}

// ---------------------------------------------------------------- what it answers

export interface Decision {
  /** The policy to commit; equal in content to the one given when nothing changed. */
  readonly policy: Policy;
  readonly changed: boolean;
  /** Changes of the wire, most urgent first. */
  readonly actions: readonly Action[];
  /** Per vip: why it is as it now is. */
  readonly reasons: readonly VipReason[];
  /** Changes wanted but not made, with the guard that stopped each. */
  readonly blocked: readonly Blocked[];
  /** What became of each intent looked at. `waiting` stays in the policy. */
  readonly intents: readonly IntentOutcome[];
  /** Conditions a person should hear of, by reason word. */
  readonly alerts: readonly {
    readonly vip?: string;
    readonly region?: string;
    readonly reason: Reason;
    readonly detail: string;
  }[];
  /** Regions whose failed proof is made good: what was missed has been seen for long enough. */
  readonly provedAgain: readonly { readonly vip: string; readonly region: string; readonly detail: string }[];
  /** vip -> region -> fused verdict with what it rests on. */
  readonly verdicts: Readonly<Record<string, Readonly<Record<string, FusedVerdict>>>>;
  /** When to look again at the latest without any news, epoch ms. */
  readonly nextLookMs: number;
}

export interface FusedVerdict {
  readonly verdict: Verdict;
  /** Since when, as far as the evidence tells (receiver's clock). */
  readonly sinceMs: number;
  /** What the verdict rests on: the region's own agents, other sources, or their silence. */
  readonly basis: 'agent' | 'external' | 'silence';
  /** What it would be if a forced move did not make it count for nothing; `verdict` is unknown then. */
  readonly ignored?: Verdict;
  readonly sources: readonly {
    readonly source: string;
    readonly says: Verdict | 'absent';
    readonly ageMs: number | null;
    readonly detail?: string;
  }[];
}

/** One region's row of one vip changes: exactly one UPDATE (or withdrawal) per NVA of that region. */
export interface Action {
  readonly vip: string;
  readonly region: string;
  readonly kind:
    | 'takeover'
    | 'failback'
    | 'move'
    | 'drain'
    | 'withhold'
    | 'undrain'
    | 'recentre'
    | 'survivor'
    | 'role'
    | 'adopt';
  readonly before: { readonly role: Role; readonly rung: number; readonly state: RouteState };
  readonly after: { readonly role: Role; readonly rung: number; readonly state: RouteState };
  readonly reason: Reason;
  readonly detail: string;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly intent?: string;
}

export interface VipReason {
  readonly vip: string;
  readonly reason: Reason;
  readonly detail: string;
}

export interface Blocked {
  readonly vip: string;
  readonly wanted: { readonly kind: Action['kind']; readonly region: string; readonly rung?: number };
  readonly guard: Guard;
  readonly detail: string;
  /** When the guard would let it pass by itself, if that is known. */
  readonly untilMs?: number;
  readonly intent?: string;
}

export interface IntentOutcome {
  readonly intent: string;
  readonly vip?: string;
  readonly outcome: 'carried-out' | 'already-so' | 'refused' | 'expired' | 'waiting';
  readonly reasons: readonly { readonly code: string; readonly detail: string }[];
}

/** Acknowledgement state of the group: which sequence every NVA has. Derived, never stored. */
export type Acknowledged = Readonly<Record<string, Sequence>>;
