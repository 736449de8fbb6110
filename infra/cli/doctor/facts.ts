// What doctor gathers about a deployment before it judges: every fact known, failed, or not asked for and why.
import type { Health, Status } from '../../../shared/api.ts';
import type { Topology } from '../../../shared/topology-schema.ts';

export type Known<T> =
  | { readonly type: 'known'; readonly value: T }
  | { readonly type: 'failed'; readonly detail: string }
  | { readonly type: 'not asked'; readonly detail: string };

export interface SeatFacts {
  readonly name: string;
  readonly url: string;
  readonly health: Known<Health & { readonly httpStatus: number }>;
  /** The seat's clock less ours, by the Date header (whole seconds), halfway through the request. */
  readonly clockOffsetMs: number | null;
}

export interface AgentSession {
  readonly peer: string;
  readonly state: string;
  readonly routes: readonly { readonly prefix: string; readonly asPath: readonly number[] }[];
}

export interface AgentFacts {
  readonly nva: string;
  readonly region: string;
  readonly clockOffsetMs: number;
  readonly certificateEndsAtMs: number | null;
  readonly orders: Readonly<Record<string, { readonly epoch: number; readonly generation: number }>>;
  readonly sessions: readonly AgentSession[];
  readonly vips: readonly { readonly vip: string; readonly group: string; readonly prefix: string }[];
  readonly orderCounts: Readonly<Record<string, number>>;
  readonly reportCounts: Readonly<Record<string, number>>;
  readonly overrides: number;
}

export interface SubnetFacts {
  readonly id: string;
  readonly name: string;
  readonly prefixes: readonly string[];
  readonly routeTable: string | null;
  readonly securityGroup: string | null;
  /** Routes of its table; null: it has none. */
  readonly routes: readonly RouteFacts[] | null;
}

export interface RouteFacts {
  readonly name: string;
  readonly prefix: string;
  readonly nextHopType: string;
  readonly nextHop: string | null;
}

export interface ConnectionFacts {
  readonly name: string;
  readonly peerAsn: number | null;
  readonly peerIp: string | null;
  readonly state: string;
}

export interface RouteServerFacts {
  readonly branchToBranch: boolean;
  readonly asn: number | null;
  readonly addresses: readonly string[];
  readonly provisioning: string;
  readonly connections: readonly ConnectionFacts[];
  /** Subnets of its virtual network and of those peered with it. */
  readonly subnets: readonly SubnetFacts[];
}

/** By Route Server instance, then prefix: the AS path it holds from this NVA. */
export type LearnedFacts = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

export interface CircuitFacts {
  readonly rows: readonly { readonly prefix: string; readonly asPath: readonly number[]; readonly device: string }[];
}

export interface LogFacts {
  readonly columns: readonly string[];
}

export interface RuleFacts {
  readonly kind: string | null;
  readonly streams: readonly string[];
  readonly outputs: readonly string[];
}

export interface Facts {
  readonly topology: Topology;
  readonly nowMs: number;
  /** Roles in the caller's token; undefined: no token that can be read. */
  readonly roles: readonly string[] | undefined;
  readonly seats: readonly SeatFacts[];
  readonly status: Known<Status>;
  readonly agents: Readonly<Record<string, Known<AgentFacts>>>;
  /** By region. */
  readonly routeServers: Readonly<Record<string, Known<RouteServerFacts>>>;
  /** By NVA. */
  readonly learned: Readonly<Record<string, Known<LearnedFacts>>>;
  /** By region. */
  readonly circuits: Readonly<Record<string, Known<CircuitFacts>>>;
  readonly table: Known<LogFacts>;
  readonly rule: Known<RuleFacts>;
}

export interface Finding {
  /** Stable word for programs. */
  readonly code: string;
  readonly severity: 'problem' | 'warning';
  readonly where: string;
  readonly what: string;
  readonly fix: string;
}

/** Something that could not be looked at: never a problem by itself, never silently fine. */
export interface Unchecked {
  readonly where: string;
  readonly why: string;
}

export const known = <T>(fact: Known<T> | undefined): T | undefined =>
  fact?.type === 'known' ? fact.value : undefined;
