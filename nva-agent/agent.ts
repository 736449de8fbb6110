// The agent as one pure step: an event in, the next state and what to do about it out.
// It must never know sockets, files, timers or clocks: those are runtime.ts.
import type { Order, OrderVip } from '../shared/order.ts';
import type { LocalVerdict, Sequence } from '../shared/vocabulary.ts';
import { type JointRule, soleRule, stepJoint } from './health/joint-health.ts';
import { type HealthEvent, type HealthRule, nextHealthMs, type VipHealth } from './health/vip-health.ts';
import type { ProbeOutcome } from './health/window.ts';
import { reloadVips, type Windows } from './reload.ts';
import {
  type Announcement,
  type OverrideAction,
  sameAnnouncement,
  sameOnWire,
  type VipDefaults,
  wantedRoute,
} from './route/announcement.ts';
import { type Pacing, paceChange, paceResend } from './route/pacing.ts';
import { SplitMap } from './split-map.ts';
import { newVip, type Obstacle } from './vip-start.ts';

/** One vip as this NVA has to look after it. */
export interface VipPlan {
  readonly vip: string;
  readonly group: string;
  readonly prefix: string;
  /** The rule of its first probe, which is the only one unless `joint` says more. */
  readonly health: HealthRule;
  /** Several probes, and how many of them must be well. */
  readonly joint?: JointRule;
  readonly defaults: VipDefaults;
  /** This agent carries the vip's traffic itself: nothing is announced before its data plane stands. */
  readonly hasDataPlane?: boolean;
}

/** What the agent was told to be, by agent.yaml and the topology. */
export interface AgentPlan {
  readonly nva: string;
  readonly vips: readonly VipPlan[];
  readonly routeChangeMs: number;
  /** How long a stopping agent rests on last resort, and how long it waits after withdrawing. */
  readonly stopLastResortMs: number;
  readonly stopWithdrawMs: number;
}

export interface Override {
  readonly vip: string;
  readonly action: OverrideAction;
  readonly reason: string;
  readonly setAtMs: number;
  readonly expiresAtMs: number;
}

export interface VipState {
  readonly prefix: string;
  readonly health: VipHealth;
  /** Where the vip has several probes: the health each of them sees. */
  readonly parts?: readonly VipHealth[];
  readonly obstacle: Obstacle | undefined;
  readonly announced: Announcement | null;
  /** When the present announcement (or its absence) began. */
  readonly announcedSinceMs: number;
  readonly pacing: Pacing;
}

export type StopPhase = 'running' | 'last-resort' | 'withdrawn' | 'gone';

export interface AgentState {
  readonly phase: StopPhase;
  readonly phaseEndsMs: number;
  readonly vips: ReadonlyMap<string, VipState>;
  /** Newest accepted order of each group. */
  readonly orders: ReadonlyMap<string, Order>;
  readonly overrides: ReadonlyMap<string, Override>;
  /** Prefixes that a reload took out, as long as their window is open. */
  readonly gone: Windows;
}

export type AgentEvent =
  | { readonly type: 'probed'; readonly vip: string; readonly outcome: ProbeOutcome; readonly probe?: number }
  | { readonly type: 'sentinel-up' | 'sentinel-lost'; readonly vip: string; readonly probe?: number }
  | { readonly type: 'data-plane'; readonly vip: string; readonly obstacle: Obstacle | undefined }
  /** `later`: vips whose routes wait for the next `start`, because their connections are being provided for. */
  | { readonly type: 'order'; readonly order: Order; readonly later?: readonly string[] }
  | { readonly type: 'override'; readonly override: Override }
  | { readonly type: 'override-ended'; readonly vip: string }
  | { readonly type: 'session'; readonly peer: string }
  | { readonly type: 'start' }
  | { readonly type: 'reload'; readonly plan: AgentPlan }
  | { readonly type: 'stop' }
  | { readonly type: 'tick' };

export type AgentEffect =
  /** The whole desired set has changed: hand it to every session. */
  | { readonly type: 'advertise' }
  /** Say these prefixes once more, unchanged. */
  | { readonly type: 'resend'; readonly prefixes: readonly string[] }
  /** `probe`: which of the vip's probes, from 0. */
  | { readonly type: 'probe'; readonly vip: string; readonly count: number; readonly probe: number }
  /** Something changed that every seat should hear of now. */
  | { readonly type: 'report' }
  | {
      readonly type: 'verdict';
      readonly vip: string;
      readonly from: LocalVerdict;
      readonly to: LocalVerdict;
      readonly detail: string | undefined;
    }
  | {
      readonly type: 'route';
      readonly vip: string;
      readonly from: Announcement | null;
      readonly to: Announcement | null;
    }
  | { readonly type: 'override-expired'; readonly vip: string }
  /** End every session with a CEASE, then leave. */
  | { readonly type: 'leave' };

export interface AgentStep {
  readonly state: AgentState;
  readonly effects: readonly AgentEffect[];
}

export function newAgent(
  plan: AgentPlan,
  orders: readonly Order[],
  overrides: readonly Override[],
  nowMs: number,
): AgentState {
  return {
    phase: 'running',
    phaseEndsMs: 0,
    vips: new Map(plan.vips.map((vip, i) => [vip.vip, newVip(plan, vip, i, nowMs)])),
    orders: new Map(orders.map((order) => [order.group, order])),
    overrides: new Map(overrides.map((override) => [override.vip, override])),
    gone: new Map(),
  };
}

/** The door: every event of the agent's life enters here. */
export function step(state: AgentState, plan: AgentPlan, event: AgentEvent, nowMs: number): AgentStep {
  switch (event.type) {
    case 'probed':
      return stepVip(state, plan, event.vip, { type: 'probed', outcome: event.outcome }, nowMs, event.probe);
    case 'sentinel-up':
    case 'sentinel-lost':
      return stepVip(state, plan, event.vip, { type: event.type }, nowMs, event.probe);
    case 'data-plane':
      return stepDataPlane(state, plan, event.vip, event.obstacle, nowMs);
    case 'order':
      return stepOrder(state, plan, event, nowMs);
    case 'override':
      return stepOverride(state, plan, event.override, nowMs);
    case 'override-ended':
      return endOverrides(state, plan, [event.vip], nowMs);
    case 'session':
      return { state, effects: [{ type: 'report' }] };
    case 'start':
      return applyRoutes(state, plan, plan.vips, nowMs);
    case 'reload':
      return stepReload(state, event.plan, nowMs);
    case 'stop':
      return stepStop(state, plan, nowMs);
    case 'tick':
      return stepTick(state, plan, nowMs);
  }
}

function stepVip(
  state: AgentState,
  plan: AgentPlan,
  name: string,
  event: HealthEvent,
  nowMs: number,
  probe = 0,
): AgentStep {
  const vipPlan = plan.vips.find((vip) => vip.vip === name);
  const before = state.vips.get(name);
  // A probe may end after a reload removed its vip.
  if (vipPlan === undefined || before === undefined) return { state, effects: [] };
  const held = { whole: before.health, parts: before.parts ?? [before.health] };
  const {
    whole: health,
    parts,
    probes,
  } = stepJoint(held, vipPlan.joint ?? soleRule(vipPlan.health), event, probe, nowMs);
  const heard = withVip(state, name, { ...before, health, ...(before.parts === undefined ? {} : { parts }) });
  const effects: AgentEffect[] = [];
  const changed = health.standing !== before.health.standing;
  const routed = changed ? applyRoutes(heard, plan, [vipPlan], nowMs) : { state: heard, effects: [] };
  // The route first: everything else can wait a millisecond.
  effects.push(...routed.effects);
  if (health.verdict !== before.health.verdict) {
    effects.push({
      type: 'verdict',
      vip: name,
      from: before.health.verdict,
      to: health.verdict,
      detail: health.detail,
    });
    effects.push({ type: 'report' });
  }
  if (state.phase === 'running') {
    probes.forEach((count, i) => {
      if (count > 0) effects.push({ type: 'probe', vip: name, count, probe: i });
    });
  }
  return { state: routed.state, effects };
}

/** The data plane of one vip stands, or does not: its route comes and goes with it, and every seat hears why. */
function stepDataPlane(
  state: AgentState,
  plan: AgentPlan,
  name: string,
  obstacle: Obstacle | undefined,
  nowMs: number,
): AgentStep {
  const vipPlan = plan.vips.find((vip) => vip.vip === name);
  const before = state.vips.get(name);
  const isSame = before?.obstacle?.reason === obstacle?.reason && before?.obstacle?.detail === obstacle?.detail;
  if (vipPlan === undefined || before === undefined || isSame) return { state, effects: [] };
  const routed = applyRoutes(withVip(state, name, { ...before, obstacle }), plan, [vipPlan], nowMs);
  return { state: routed.state, effects: [...routed.effects, { type: 'report' }] };
}

function withVip(state: AgentState, name: string, vip: VipState): AgentState {
  return { ...state, vips: SplitMap.of(state.vips).with(name, vip) };
}

/** An order already verified, fenced and persisted. */
function stepOrder(
  state: AgentState,
  plan: AgentPlan,
  { order, later = [] }: Extract<AgentEvent, { type: 'order' }>,
  nowMs: number,
): AgentStep {
  const orders = new Map(state.orders);
  orders.set(order.group, order);
  const vips = plan.vips.filter((vip) => vip.group === order.group && !later.includes(vip.vip));
  const routed = applyRoutes({ ...state, orders }, plan, vips, nowMs);
  // Every generation is acknowledged, also one that changes nothing.
  return { state: routed.state, effects: [...routed.effects, { type: 'report' }] };
}

function stepOverride(state: AgentState, plan: AgentPlan, override: Override, nowMs: number): AgentStep {
  const overrides = new Map(state.overrides);
  overrides.set(override.vip, override);
  const vips = plan.vips.filter((vip) => vip.vip === override.vip);
  const routed = applyRoutes({ ...state, overrides }, plan, vips, nowMs);
  return { state: routed.state, effects: [...routed.effects, { type: 'report' }] };
}

function endOverrides(state: AgentState, plan: AgentPlan, names: readonly string[], nowMs: number): AgentStep {
  const overrides = new Map(state.overrides);
  for (const name of names) overrides.delete(name);
  const vips = plan.vips.filter((vip) => names.includes(vip.vip));
  const routed = applyRoutes({ ...state, overrides }, plan, vips, nowMs);
  return { state: routed.state, effects: [...routed.effects, { type: 'report' }] };
}

/** A new configuration: what stays keeps its health and its route, what is new starts unborn, what is gone is withdrawn. */
function stepReload(state: AgentState, plan: AgentPlan, nowMs: number): AgentStep {
  const { isChangedOnWire, ...kept } = reloadVips(state, plan, nowMs);
  const routed = applyRoutes({ ...state, ...kept }, plan, plan.vips, nowMs);
  const isAdvertised = routed.effects.some((e) => e.type === 'advertise');
  const advertise: AgentEffect[] = isChangedOnWire && !isAdvertised ? [{ type: 'advertise' }] : [];
  return { state: routed.state, effects: [...routed.effects, ...advertise, { type: 'report' }] };
}

/** First last resort, then withdrawal, then CEASE. A second stop leaves at once. */
function stepStop(state: AgentState, plan: AgentPlan, nowMs: number): AgentStep {
  if (state.phase !== 'running') return leave(state);
  return enterPhase(state, plan, 'last-resort', plan.stopLastResortMs, nowMs);
}

function enterPhase(state: AgentState, plan: AgentPlan, phase: StopPhase, waitMs: number, nowMs: number): AgentStep {
  // Nothing on the wire: nothing to wait for.
  const isSilent = [...state.vips.values()].every((vip) => vip.announced === null);
  if (phase === 'gone' || isSilent) return leave(state);
  const routed = applyRoutes({ ...state, phase, phaseEndsMs: nowMs + waitMs }, plan, plan.vips, nowMs);
  return { state: routed.state, effects: [...routed.effects, { type: 'report' }] };
}

const leave = (state: AgentState): AgentStep => ({
  state: { ...state, phase: 'gone' },
  effects: state.phase === 'gone' ? [] : [{ type: 'leave' }],
});

function stepTick(state: AgentState, plan: AgentPlan, nowMs: number): AgentStep {
  let now: AgentState = state;
  const effects: AgentEffect[] = [];
  const run = (result: AgentStep) => {
    now = result.state;
    effects.push(...result.effects);
  };
  if (now.phase === 'running') {
    for (const { vip } of plan.vips) {
      const held = now.vips.get(vip);
      if (held !== undefined && nextHealthMs(held.health) <= nowMs)
        run(stepVip(now, plan, vip, { type: 'tick' }, nowMs));
    }
    const expired = [...now.overrides.values()]
      .filter((override) => override.expiresAtMs <= nowMs)
      .map(({ vip }) => vip);
    if (expired.length > 0) {
      run(endOverrides(now, plan, expired, nowMs));
      effects.push(...expired.map((vip): AgentEffect => ({ type: 'override-expired', vip })));
    }
  } else if (now.phase !== 'gone' && nowMs >= now.phaseEndsMs) {
    run(now.phase === 'last-resort' ? enterPhase(now, plan, 'withdrawn', plan.stopWithdrawMs, nowMs) : leave(now));
  }
  run(resendDue(now, plan, nowMs));
  return { state: now, effects };
}

/** The same UPDATE once more for every prefix whose window has closed over an unheard change. */
function resendDue(state: AgentState, plan: AgentPlan, nowMs: number): AgentStep {
  const isDue = (pacing: Pacing | undefined) => (pacing?.resendAtMs ?? Number.POSITIVE_INFINITY) <= nowMs;
  const due = plan.vips.filter(({ vip }) => isDue(state.vips.get(vip)?.pacing));
  const left = [...state.gone.keys()].filter((prefix) => isDue(state.gone.get(prefix)));
  if (due.length + left.length === 0) return { state, effects: [] };
  const pacing = paceResend(plan.routeChangeMs, nowMs);
  const vips = new Map(state.vips);
  for (const { vip } of due) {
    const held = vips.get(vip);
    if (held !== undefined) vips.set(vip, { ...held, pacing });
  }
  const gone = new Map([...state.gone, ...left.map((prefix) => [prefix, pacing] as const)]);
  const prefixes = [...due.map(({ prefix }) => prefix), ...left];
  return { state: { ...state, vips, gone }, effects: [{ type: 'resend', prefixes }] };
}

/** Brings the announcements of these vips to what is wanted now: at most one `advertise` for all of them. */
function applyRoutes(state: AgentState, plan: AgentPlan, plans: readonly VipPlan[], nowMs: number): AgentStep {
  const vips = new Map(state.vips);
  const effects: AgentEffect[] = [];
  let isChangedOnWire = false;
  for (const vipPlan of plans) {
    const held = vips.get(vipPlan.vip);
    if (held === undefined) continue;
    const wanted = wantedOf(state, vipPlan, held);
    if (sameAnnouncement(held.announced, wanted)) continue;
    const isOnWire = !sameOnWire(held.announced, wanted);
    isChangedOnWire ||= isOnWire;
    vips.set(vipPlan.vip, {
      ...held,
      announced: wanted,
      announcedSinceMs: nowMs,
      pacing: isOnWire ? paceChange(held.pacing, plan.routeChangeMs, nowMs) : held.pacing,
    });
    effects.push({ type: 'route', vip: vipPlan.vip, from: held.announced, to: wanted });
  }
  if (effects.length === 0) return { state, effects: [] };
  const first: AgentEffect[] = isChangedOnWire ? [{ type: 'advertise' }] : [];
  return { state: { ...state, vips }, effects: [...first, ...effects, { type: 'report' }] };
}

function wantedOf(state: AgentState, vipPlan: VipPlan, held: VipState): Announcement | null {
  const { phase } = state;
  // A person's word at this machine goes first, here as everywhere.
  const override = state.overrides.get(vipPlan.vip)?.action;
  const isCarried = held.obstacle === undefined || override === 'announce';
  // What breaks once it was carried is a local failure like any other: no common cause takes the prefix away everywhere.
  if (!isCarried && held.announced === null) return null;
  return wantedRoute({
    defaults: vipPlan.defaults,
    row: rowOf(state, vipPlan),
    standing: isCarried ? held.health.standing : 'down',
    wasUp: held.health.wasUp,
    override,
    phase: phase === 'gone' ? 'withdrawn' : phase,
    isAnnounced: held.announced !== null,
  });
}

/** The vip's row of the newest order, which is the whole desired set of its group: a missing row withholds. */
export function rowOf(state: AgentState, vipPlan: VipPlan): OrderVip | 'not-ordered' | undefined {
  const order = state.orders.get(vipPlan.group);
  if (order === undefined) return undefined;
  return order.vips.find((row) => row.vip === vipPlan.vip) ?? 'not-ordered';
}

/** Newest accepted order of a group; zeros when there never was one. */
export function sequenceOf(state: AgentState, group: string): Sequence {
  const order = state.orders.get(group);
  return { epoch: order?.epoch ?? 0, generation: order?.generation ?? 0 };
}
