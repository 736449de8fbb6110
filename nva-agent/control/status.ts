// The status document of an agent: what `GET /v1/status` and the status verb show. Values in, values out.
import type { ReportSession, ReportVip } from '../../shared/report.ts';
import type { AgentPlan, AgentState, Override } from '../agent.ts';
import type { DataPlaneView } from '../data-plane-view.ts';
import { AGENT_VERSION } from '../version.ts';
import { reportVip } from './reports.ts';
import { type SessionSummary, summariseSessions } from './session-summary.ts';

export interface AgentStatus {
  readonly v: 1;
  readonly nva: string;
  readonly region: string;
  readonly mode: 'agent';
  readonly version: string;
  readonly bootId: string;
  readonly startedAtMs: number;
  readonly atMs: number;
  readonly phase: AgentState['phase'];
  /** By group: the newest accepted order. */
  readonly orders: Readonly<
    Record<string, { readonly epoch: number; readonly generation: number; readonly issuedAtMs: number }>
  >;
  readonly sessions: readonly ReportSession[];
  /** All sessions together, and prefixes that the peers were told differently. */
  readonly bgp: SessionSummary;
  /** Why routes are not with the peers though they should be; null while nothing is known to be wrong. */
  readonly trouble: string | null;
  readonly vips: readonly (ReportVip & { readonly group: string; readonly prefix: string })[];
  readonly overrides: readonly Override[];
  /** Null while the traffic of all vips is somebody else's. */
  readonly dataPlane: DataPlaneView | null;
  readonly counters: {
    readonly orders: Readonly<Record<string, number>>;
    readonly probes: number;
    readonly reports: Readonly<Record<string, number>>;
  };
}

export interface StatusMoment {
  readonly region: string;
  readonly bootId: string;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly sessions: readonly ReportSession[];
  readonly trouble: string | null;
  readonly counters: AgentStatus['counters'];
  readonly dataPlane: DataPlaneView | null;
}

export function buildStatus(state: AgentState, plan: AgentPlan, moment: StatusMoment): AgentStatus {
  const { nowMs, region, bootId, startedAtMs, sessions, trouble, counters } = moment;
  return {
    v: 1,
    nva: plan.nva,
    region,
    mode: 'agent',
    version: AGENT_VERSION,
    bootId,
    startedAtMs: Math.round(startedAtMs),
    atMs: Math.round(nowMs),
    phase: state.phase,
    orders: Object.fromEntries(
      [...state.orders].map(([group, { epoch, generation, issuedAtMs }]) => [group, { epoch, generation, issuedAtMs }]),
    ),
    sessions,
    bgp: summariseSessions(sessions),
    trouble,
    vips: plan.vips.flatMap((vip) => {
      const held = state.vips.get(vip.vip);
      return held === undefined ? [] : [{ ...reportVip(vip, held, nowMs), group: vip.group, prefix: vip.prefix }];
    }),
    overrides: [...state.overrides.values()],
    dataPlane: moment.dataPlane,
    counters,
  };
}
