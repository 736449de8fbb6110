// What outlives a new configuration: the state of vips that stay, and the route change windows of prefixes that left.
// It must never know sockets, files, timers or clocks.
import type { AgentPlan, AgentState, VipPlan, VipState } from './agent.ts';
import { type Pacing, paceChange, UNPACED } from './route/pacing.ts';
import { keptVip, newVip } from './vip-start.ts';

/** Windows of prefixes that no vip of the plan has: their withdrawal is said once more, like any other change. */
export type Windows = ReadonlyMap<string, Pacing>;

/** More than a session may hold; the oldest are forgotten first. */
export const WINDOWS_MAX = 4000;

export interface Reloaded {
  readonly vips: ReadonlyMap<string, VipState>;
  readonly gone: Windows;
  /** A prefix is to leave the wire, or a route is to move to another prefix. */
  readonly isChangedOnWire: boolean;
}

/** The vips of a new plan over the state of the old one; what is new starts unborn. */
export function reloadVips(state: AgentState, plan: AgentPlan, nowMs: number): Reloaded {
  const prefixes = new Map(plan.vips.map(({ vip, prefix }) => [vip, prefix]));
  const leaving = [...state.vips].filter(([vip, held]) => prefixes.get(vip) !== held.prefix).map(([, held]) => held);
  const windows = windowsAfter(state.gone, leaving, plan.routeChangeMs, nowMs);
  const vips = plan.vips.map((vip, i) => [vip.vip, vipOf(state, plan, vip, i, windows, nowMs)] as const);
  const wanted = new Set(prefixes.values());
  return {
    vips: new Map(vips),
    gone: new Map([...windows].filter(([prefix]) => !wanted.has(prefix)).slice(-WINDOWS_MAX)),
    isChangedOnWire: leaving.some(({ announced }) => announced !== null),
  };
}

/** The window is the prefix's, whichever vip had it: Route Server knows no vips. */
function vipOf(
  state: AgentState,
  plan: AgentPlan,
  vip: VipPlan,
  index: number,
  windows: Windows,
  nowMs: number,
): VipState {
  const held = state.vips.get(vip.vip);
  const kept = keptVip(held, vip);
  if (kept !== undefined && held?.prefix === vip.prefix) return kept;
  const window = windows.get(vip.prefix) ?? UNPACED;
  if (kept === undefined) return { ...newVip(plan, vip, index, nowMs), pacing: window };
  const pacing = kept.announced === null ? window : paceChange(window, plan.routeChangeMs, nowMs);
  return { ...kept, prefix: vip.prefix, pacing };
}

function windowsAfter(before: Windows, leaving: readonly VipState[], windowMs: number, nowMs: number): Windows {
  const left = leaving.map(
    ({ prefix, announced, pacing }) =>
      [prefix, announced === null ? pacing : paceChange(pacing, windowMs, nowMs)] as const,
  );
  const isOpen = ({ windowEndsMs, resendAtMs }: Pacing) => resendAtMs !== undefined || nowMs < windowEndsMs;
  return new Map([...before, ...left].filter(([, pacing]) => isOpen(pacing)));
}
