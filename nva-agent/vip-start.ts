// How a vip begins: its first state, and what it keeps of the old one when the configuration changes.
// It must never know sockets, files, timers or clocks.
import type { AgentPlan, VipPlan, VipState } from './agent.ts';
import { newJointHealth } from './health/joint-health.ts';
import type { VipHealth } from './health/vip-health.ts';
import { UNPACED } from './route/pacing.ts';

/** Why a vip must not be announced whatever its application says: its data plane would not carry the traffic. */
export interface Obstacle {
  readonly reason: 'data-plane-pending' | 'data-plane-not-applied';
  readonly detail: string;
}

export const PENDING: Obstacle = { reason: 'data-plane-pending', detail: 'the data plane is being set up' };

/** Probes of many vips start spread over at most this long. */
export const SPLAY_MS_MAX = 1000;

/** The state of a vip nothing is known of yet; `index` is its place among the plan's vips. */
export function newVip(plan: AgentPlan, vip: VipPlan, index: number, nowMs: number): VipState {
  const splayMs = Math.floor((Math.min(SPLAY_MS_MAX, vip.health.intervalMs) * index) / plan.vips.length);
  const { whole, parts } = newJointHealth(vip.joint?.rules.length ?? 1, nowMs, splayMs);
  return {
    prefix: vip.prefix,
    health: whole,
    ...(vip.joint === undefined ? {} : { parts }),
    obstacle: vip.hasDataPlane === true ? PENDING : undefined,
    announced: null,
    announcedSinceMs: nowMs,
    pacing: UNPACED,
  };
}

/** What a vip keeps over a reload; one whose traffic is somebody else's from now on has nothing to wait for. */
export function keptVip(held: VipState | undefined, plan: VipPlan): VipState | undefined {
  if (held === undefined) return undefined;
  const kept = withProbes(held, plan.joint?.rules.length);
  return plan.hasDataPlane === true ? kept : { ...kept, obstacle: undefined };
}

/** A probe that is new begins with what was known of the vip, so that a reload by itself moves no route. */
function withProbes(held: VipState, count: number | undefined): VipState {
  if ((held.parts?.length ?? 1) === (count ?? 1)) return held;
  const fresh: VipHealth = { ...held.health, inFlight: 0, doubt: 0 };
  const { parts: before = [], ...rest } = { ...held, health: fresh };
  if (count === undefined) return rest;
  return { ...rest, parts: Array.from({ length: count }, (_, i) => before[i] ?? fresh) };
}
