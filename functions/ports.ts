// What the control plane needs from outside, in its own nouns. Adapters implement these; nothing else knows an SDK.
// Every port throws OperatingError when the other side fails; a refusal that is an answer is a value.

import type { ApiRole } from '../shared/api.ts';
import type { AuditRecord } from '../shared/audit.ts';
import type { Order } from '../shared/order.ts';
import type { ObserverReport, Report } from '../shared/report.ts';
import type { Nva, ProbeConfig, Region, Veto } from '../shared/topology-schema.ts';
import type { Proof, Sequence } from '../shared/vocabulary.ts';
import type { Dashboard } from './dashboard/assets.ts';
import type {
  LearnedEvidence,
  PeerStatus,
  SeatApps,
  SeatView,
  SignalEvidence,
  SignalVerdict,
  VetoEvidence,
} from './engine/types.ts';

export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
}

// ---------------------------------------------------------------- ledger

export type StoredLedger =
  | { readonly type: 'absent' }
  | { readonly type: 'found'; readonly text: string; readonly etag: string };
export type CommitOutcome = 'committed' | 'conflict' | 'lease-lost';

/** What a seat writes beside the ledger: whom it heard, and, if it leads, when it last decided. */
export interface StoredSeatView extends SeatView {
  readonly leads: boolean;
  readonly decidedAtMs: number | null;
}

/** One leased document per group of vips. The lease says who may write, the ETag says on top of what. */
export interface LedgerStore {
  read(group: string): Promise<StoredLedger>;
  /** Creates it; false when somebody else was first. */
  create(group: string, text: string): Promise<boolean>;
  /** Takes or renews the lease in this seat's name. `taken`: another seat has it. `absent`: nothing to lease yet. */
  hold(group: string, leaseId: string): Promise<'held' | 'taken' | 'absent'>;
  commit(group: string, text: string, on: { etag: string; leaseId: string }): Promise<CommitOutcome>;
  writeView(group: string, view: StoredSeatView): Promise<void>;
  /** Views of all seats but `except`; unreadable ones are left out. */
  readViews(group: string, except?: string): Promise<StoredSeatView[]>;
}

// ---------------------------------------------------------------- evidence

export interface StoredProbe {
  readonly atMs: number;
  readonly outcome: 'answered' | 'failed';
}

export interface StoredEvidence {
  readonly reports: Readonly<Record<string, { readonly receivedAtMs: number; readonly report: Report }>>;
  readonly observers: Readonly<Record<string, { readonly receivedAtMs: number; readonly report: ObserverReport }>>;
  readonly probes: Readonly<Record<string, StoredProbe>>;
  readonly signals: Readonly<Record<string, Readonly<Record<string, SignalEvidence>>>>;
  /** Newest refusal of a veto webhook, by vip. */
  readonly vetoes: Readonly<Record<string, VetoEvidence>>;
}

/** What this seat heard. One seat never sees another's rows, so its view stays its own. */
export interface ReportStore {
  putReport(group: string, receivedAtMs: number, report: Report): Promise<void>;
  putObserverReport(group: string, receivedAtMs: number, report: ObserverReport): Promise<void>;
  putProbe(group: string, nva: string, probe: StoredProbe): Promise<void>;
  putSignals(group: string, vip: string, signals: Readonly<Record<string, SignalEvidence>>): Promise<void>;
  putVeto(group: string, vip: string, veto: VetoEvidence): Promise<void>;
  read(group: string): Promise<StoredEvidence>;
  /** When each NVA of the group was last heard, without reading the reports. */
  heard(group: string): Promise<Readonly<Record<string, number>>>;
}

export interface ProofStep {
  readonly proof: Proof;
  readonly detail: string;
  readonly atMs: number;
}
export const PROOF_STEPS = ['agent', 'routeServer', 'circuit', 'observer'] as const;
export type ProofStepName = (typeof PROOF_STEPS)[number];

/** The newest proof of one vip in one region. */
export interface RegionProof {
  readonly vip: string;
  readonly region: string;
  readonly decisionId: string;
  readonly steps: Readonly<Record<ProofStepName, ProofStep>>;
}

export interface StoredProofs {
  readonly proofs: readonly RegionProof[];
  /** By NVA name. */
  readonly learned: Readonly<Record<string, LearnedEvidence>>;
  /** By region. */
  readonly peerStatus: Readonly<Record<string, PeerStatus>>;
  /** By seat: what applications answered it. */
  readonly apps?: Readonly<Record<string, SeatApps>>;
}

/** What the network was last seen to hold, and what that proved. Shared by all seats. */
export interface ProofStore {
  putProof(group: string, proof: RegionProof): Promise<void>;
  putLearned(group: string, nva: string, learned: LearnedEvidence): Promise<void>;
  putPeerStatus(group: string, region: string, status: PeerStatus): Promise<void>;
  putApps(group: string, seat: string, apps: SeatApps): Promise<void>;
  read(group: string): Promise<StoredProofs>;
}

// ---------------------------------------------------------------- audit

export interface AuditQuery {
  readonly group: string;
  readonly vip?: string;
  readonly kind?: string;
  /** EventId after which to read on. */
  readonly after?: string;
  readonly limit: number;
}

/** Audit records on their way to Log Analytics, kept for a while after they arrived. */
export interface Outbox {
  /** Confirmed when it returns. The same record twice is one record. */
  append(group: string, records: readonly AuditRecord[]): Promise<void>;
  has(group: string, record: AuditRecord): Promise<boolean>;
  /** Oldest first. */
  unshipped(group: string, limit: number): Promise<AuditRecord[]>;
  markShipped(group: string, records: readonly AuditRecord[], atMs: number): Promise<void>;
  /** A record the service refuses for what it is: shipping goes on without it, and it stays findable. */
  setAside(group: string, record: AuditRecord, why: string): Promise<void>;
  /** Records not shipped yet, counted up to a bound. */
  depth(group: string): Promise<number>;
  page(query: AuditQuery): Promise<{ records: AuditRecord[]; next: string | null }>;
  /** Deletes records shipped before the given time; returns how many. */
  purge(group: string, shippedBeforeMs: number): Promise<number>;
}

export interface UploadRefusal {
  readonly record: AuditRecord;
  readonly detail: string;
  /** True: the record itself is at fault, and trying again will not help. */
  readonly permanent: boolean;
}

export interface AuditSink {
  /** Records that were not accepted; an empty list means all arrived. */
  upload(records: readonly AuditRecord[]): Promise<readonly UploadRefusal[]>;
}

// ---------------------------------------------------------------- agents and network

export type DeliverOutcome =
  | { readonly type: 'acknowledged'; readonly sequence: Sequence }
  | { readonly type: 'refused'; readonly code: string; readonly detail: string };

export interface OrderChannel {
  deliver(nva: Nva, signedOrder: string): Promise<DeliverOutcome>;
}

export interface AgentProbe {
  /** Asks the agent directly whether it lives; never throws. */
  probe(nva: Nva): Promise<'answered' | 'failed'>;
}

export interface CircuitRoute {
  readonly prefix: string;
  /** Before private AS numbers are removed. */
  readonly asPath: readonly number[];
  readonly device: 'primary' | 'secondary';
}

export interface AppProbe {
  /** Asks an application as its vip's probe would, in the time given; never throws: no answer is unknown. */
  ask(probe: ProbeConfig, timeoutMs: number): Promise<{ readonly verdict: SignalVerdict; readonly detail: string }>;
}

export interface RouteReader {
  /** What each Route Server instance holds from this NVA: peer -> prefix -> AS path. */
  learned(region: Region, nva: Nva): Promise<LearnedEvidence['peers']>;
  /** What the circuit's edge holds; undefined when the topology names no circuit. */
  circuit(region: Region): Promise<readonly CircuitRoute[] | undefined>;
}

export interface PeerStatusReader {
  read(region: Region): Promise<PeerStatus['peers']>;
}

export interface SignalSource {
  /** Rows (region, healthy) of the query's newest state. */
  query(kql: string): Promise<readonly { readonly region: string; readonly isHealthy: boolean }[]>;
}

/** What a veto webhook is told of a move that automation is about to make. */
export interface VetoQuestion {
  readonly deployment: string;
  readonly group: string;
  readonly vip: string;
  readonly prefix: string;
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly reason: string;
  readonly detail: string;
  /** The acting region is unhealthy or lost. */
  readonly isNecessary: boolean;
  readonly decisionId: string;
  readonly atMs: number;
}

export interface VetoSource {
  /** Answers within the veto's own time, or throws OperatingError. */
  ask(veto: Veto, question: VetoQuestion): Promise<{ readonly isAllowed: boolean; readonly detail: string }>;
}

// ---------------------------------------------------------------- identity

export interface Principal {
  /** Object id. */
  readonly id: string;
  readonly name: string;
  readonly isApplication: boolean;
  readonly roles: readonly ApiRole[];
}

export type TokenOutcome =
  | { readonly type: 'verified'; readonly principal: Principal }
  | { readonly type: 'refused'; readonly code: string; readonly detail: string };

export interface TokenVerifier {
  verify(token: string): Promise<TokenOutcome>;
}

export type CertificateOutcome =
  /** SHA-256 in lower-case hexadecimal, without colons. */
  | { readonly type: 'read'; readonly thumbprint: string }
  | { readonly type: 'refused'; readonly code: string; readonly detail: string };

export interface CertificateReader {
  /** What stands in the header in which the platform passes the certificate it verified, at this time. */
  read(header: string, nowMs: number): CertificateOutcome;
}

export interface OrderSigner {
  sign(order: Order): Promise<string>;
}

/** Everything the control plane is built from. */
export interface Ports {
  readonly clock: Clock;
  readonly ledger: LedgerStore;
  readonly reports: ReportStore;
  readonly proofs: ProofStore;
  readonly outbox: Outbox;
  readonly orders: OrderChannel;
  readonly probe: AgentProbe;
  readonly tokens: TokenVerifier;
  readonly signer: OrderSigner;
  /** Absent: nothing in front proves who holds a certificate, so none counts. */
  readonly certificates?: CertificateReader;
  /** Absent: routes are not checked. */
  readonly routes?: RouteReader;
  /** Absent: Route Server's metric is not read. */
  readonly peerStatus?: PeerStatusReader;
  /** Absent: records stay in the outbox. */
  readonly sink?: AuditSink;
  /** Absent: seats ask no application themselves. */
  readonly apps?: AppProbe;
  /** Absent: signals are unknown. */
  readonly signals?: SignalSource;
  /** Absent: configured vetoes count as not answering. */
  readonly vetoes?: VetoSource;
  /** Absent: no page is served. */
  readonly dashboard?: Dashboard;
}
