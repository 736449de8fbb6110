// Builds the reports of an agent, one per group, from its state. Values in, values out.
import type { Report, ReportSession, ReportVip } from '../../shared/report.ts';
import type { LocalVerdict } from '../../shared/vocabulary.ts';
import { type AgentPlan, type AgentState, sequenceOf, type VipPlan, type VipState } from '../agent.ts';
import { reportedPenalty, type VipHealth } from '../health/vip-health.ts';
import { MARKS_MAX } from '../health/window.ts';

export interface ReportMoment {
  readonly bootId: string;
  readonly seq: number;
  readonly atMs: number;
  readonly transition: boolean;
  readonly sessions: readonly ReportSession[];
}

/** Longest detail of a failing probe that travels. */
const DETAIL_LENGTH_MAX = 500;

/** Names of the groups this NVA has vips in. */
export const groupsOfPlan = (plan: AgentPlan): string[] => [...new Set(plan.vips.map((vip) => vip.group))];

/** The report of one group: its order, its vips, and of every session only the routes of these vips. */
export function buildReport(state: AgentState, plan: AgentPlan, group: string, moment: ReportMoment): Report {
  const vips = plan.vips.filter((vip) => vip.group === group);
  const prefixes = new Set(vips.map((vip) => vip.prefix));
  return {
    v: 1,
    nva: plan.nva,
    group,
    bootId: moment.bootId,
    seq: moment.seq,
    atMs: Math.round(moment.atMs),
    order: sequenceOf(state, group),
    sessions: moment.sessions.map((session) => ({
      ...session,
      routes: session.routes.filter((route) => prefixes.has(route.prefix)),
    })),
    vips: vips.flatMap((vip) => {
      const held = state.vips.get(vip.vip);
      return held === undefined ? [] : [reportVip(vip, held, moment.atMs)];
    }),
    transition: moment.transition,
    stopping: state.phase !== 'running',
  };
}

/** One vip as reports and the status document show it. */
export function reportVip(plan: VipPlan, held: VipState, nowMs: number): ReportVip {
  const { health, announced } = held;
  const detail = detailOf(plan, held, nowMs);
  return {
    vip: plan.vip,
    local: {
      verdict: verdictOf(held),
      sinceMs: Math.round(health.sinceMs),
      window: health.window.marks.slice(-plan.health.window.of),
      latencyMs: health.latencyMs,
      ...(detail === undefined ? {} : { detail: detail.slice(0, DETAIL_LENGTH_MAX) }),
      ...(held.parts === undefined ? {} : { probes: held.parts.map((part, i) => reportProbe(plan, part, i)) }),
    },
    announced:
      announced === null
        ? null
        : {
            rung: announced.rung,
            prepend: announced.prepend,
            lastResort: announced.lastResort,
            sinceMs: Math.round(held.announcedSinceMs),
          },
    flapPenalty: reportedPenalty(health, plan.health, nowMs),
  };
}

function reportProbe(
  { joint }: VipPlan,
  part: VipHealth,
  index: number,
): NonNullable<ReportVip['local']['probes']>[number] {
  const { verdict, window, latencyMs, detail } = part;
  return {
    name: joint?.names[index] ?? `probe ${index + 1}`,
    verdict,
    window: window.marks.slice(-(joint?.rules[index]?.window.of ?? MARKS_MAX)),
    latencyMs,
    ...(detail === undefined ? {} : { detail: detail.slice(0, DETAIL_LENGTH_MAX) }),
  };
}

/** Without a data plane an application that answers serves nobody; while it is being set up nothing is known yet. */
function verdictOf({ health, obstacle }: VipState): LocalVerdict {
  if (obstacle === undefined) return health.verdict;
  return obstacle.reason === 'data-plane-pending' ? 'unknown' : 'unhealthy';
}

/** Why the vip is not announced, why the last probe failed, or why an application that answers is not taken back yet. */
function detailOf(plan: VipPlan, { health, obstacle }: VipState, nowMs: number): string | undefined {
  if (obstacle !== undefined) return `${obstacle.reason}: ${obstacle.detail}`;
  if (health.detail !== undefined) return health.detail;
  if (health.standing !== 'down' || !health.penalty.isSuppressed) return undefined;
  const { reuse } = plan.health.flap;
  return `answers, but held back: flap penalty ${reportedPenalty(health, plan.health, nowMs)} must fall below ${reuse}`;
}
