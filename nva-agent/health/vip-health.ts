// The health of one vip's application as this NVA sees it: when to probe, when it has fallen, when it is back.
// It must never know how a probe is made, nor what its verdict does to a route.
import type { LocalVerdict } from '../../shared/vocabulary.ts';
import { addPenalty, type FlapPenalty, type FlapRule, NO_PENALTY, penaltyAt, settlePenalty } from './flap-penalty.ts';
import {
  clearingRun,
  confirmingRun,
  EMPTY_WINDOW,
  forgetFailures,
  type HealthWindow,
  isDegraded,
  isFlapping,
  isUnhealthy,
  type ProbeOutcome,
  pushOutcome,
  type WindowRule,
} from './window.ts';

export interface HealthRule {
  readonly window: WindowRule;
  readonly intervalMs: number;
  /** A sentinel connection is kept for this vip. */
  readonly sentinel: boolean;
  /** Confirmation probes that may run beside each other; 1 for probes that may disturb each other (exec). */
  readonly confirmationsInFlight: number;
  readonly flap: FlapRule;
}

/** `unborn`: nothing was decided since the agent started. It is neither up nor down. */
export type Standing = 'unborn' | 'up' | 'down';

export interface VipHealth {
  readonly standing: Standing;
  /** It was up at least once since the agent started. */
  readonly wasUp: boolean;
  readonly verdict: LocalVerdict;
  readonly sinceMs: number;
  readonly window: HealthWindow;
  readonly penalty: FlapPenalty;
  readonly sentinelIsLost: boolean;
  readonly inFlight: number;
  readonly nextProbeMs: number;
  /** Since it fell, it has answered and failed again: the way back asks for more. */
  readonly brokeRecovery: boolean;
  /** Confirmation probes left in the present doubt; 0 without one. */
  readonly doubt: number;
  readonly latencyMs: number | null;
  /** Why the last failing probe failed. */
  readonly detail: string | undefined;
}

export type HealthEvent =
  | { readonly type: 'probed'; readonly outcome: ProbeOutcome }
  | { readonly type: 'sentinel-up' }
  | { readonly type: 'sentinel-lost' }
  | { readonly type: 'tick' };

export interface HealthStep {
  readonly health: VipHealth;
  /** Probes to start now. */
  readonly probes: number;
}

/** Confirmation probes of one doubt: afterwards the next regular failure opens a new one. */
export const CONFIRMATIONS_MAX = 20;
/** Probes of one vip that may run at the same time, regular ones included. */
export const IN_FLIGHT_MAX = 8;
/** A first pass after a fall is followed up this soon, so that the way back is short. */
export const RECOVERY_GAP_MS = 200;
/** After a broken recovery the next one takes this many times `recover` passes in a row. */
const BROKEN_RECOVERY_FACTOR = 2;
/** Probes of many vips start together this often: a wake-up costs more than the probe it makes. */
export const SLOT_MS_MAX = 100;
/** An interval has at least so many slots, so that a slot moves a probe by a tenth of it at most. */
const SLOTS_MIN = 10;
/** Epoch milliseconds in slots are no whole numbers to the last bit. */
const SLOT_ROUNDING = 1e-3;
/** A fall out of a mixed window weighs as much as this many crashes. */
const FLAPPING_FALL_WEIGHT = 3;

/** Before the first probe, which is due after the splay. Nothing is known, so doubt is open from the start. */
export const newHealth = (nowMs: number, splayMs: number): VipHealth => ({
  standing: 'unborn',
  wasUp: false,
  verdict: 'unknown',
  sinceMs: nowMs,
  window: EMPTY_WINDOW,
  penalty: NO_PENALTY,
  sentinelIsLost: false,
  inFlight: 0,
  nextProbeMs: nowMs + splayMs,
  brokeRecovery: false,
  doubt: 0,
  latencyMs: null,
  detail: undefined,
});

/** One event in, the next health and the probes to start out. */
export function stepHealth(health: VipHealth, rule: HealthRule, event: HealthEvent, nowMs: number): HealthStep {
  const heard = hear(health, rule, event, nowMs);
  const settled = settle(heard, rule, nowMs);
  return schedule(settled, rule, nowMs);
}

function hear(health: VipHealth, rule: HealthRule, event: HealthEvent, nowMs: number): VipHealth {
  switch (event.type) {
    case 'probed':
      return hearProbe(health, rule, event.outcome, nowMs);
    case 'sentinel-lost':
      return { ...health, sentinelIsLost: true, doubt: health.standing === 'down' ? 0 : CONFIRMATIONS_MAX };
    case 'sentinel-up':
      // The application accepts connections again: look now rather than at the next interval.
      return {
        ...health,
        sentinelIsLost: false,
        nextProbeMs: health.standing === 'down' && !health.penalty.isSuppressed ? nowMs : health.nextProbeMs,
      };
    case 'tick':
      return health;
  }
}

function hearProbe(health: VipHealth, rule: HealthRule, outcome: ProbeOutcome, nowMs: number): VipHealth {
  const window = pushOutcome(health.window, rule.window, outcome);
  const next = { ...health, window, inFlight: Math.max(0, health.inFlight - 1) };
  switch (outcome.type) {
    case 'unknown':
      // Asking faster would only wear out what already lacks something.
      return { ...next, doubt: 0, detail: outcome.detail };
    case 'pass':
      return passed(next, rule, outcome.latencyMs, nowMs);
    case 'fail':
      return failed(next, health.window.passRun, rule, outcome.detail, nowMs);
  }
}

function passed(health: VipHealth, rule: HealthRule, latencyMs: number, nowMs: number): VipHealth {
  const next = { ...health, latencyMs, detail: undefined };
  if (health.standing === 'down') {
    const soonMs = nowMs + Math.min(RECOVERY_GAP_MS, rule.intervalMs);
    return health.penalty.isSuppressed ? next : { ...next, nextProbeMs: Math.min(health.nextProbeMs, soonMs) };
  }
  if (health.standing === 'unborn') return { ...next, doubt: health.doubt === 0 ? CONFIRMATIONS_MAX : health.doubt };
  return health.window.passRun >= clearingRun(rule.window) ? { ...next, doubt: 0 } : next;
}

function failed(health: VipHealth, passRunBefore: number, rule: HealthRule, detail: string, nowMs: number): VipHealth {
  const next = { ...health, detail };
  if (health.standing !== 'down') return { ...next, doubt: health.doubt === 0 ? CONFIRMATIONS_MAX : health.doubt };
  if (passRunBefore === 0) return next;
  // A recovery that breaks is a flap, though no route has moved.
  return { ...next, brokeRecovery: true, penalty: addPenalty(health.penalty, rule.flap, rule.flap.perMove, nowMs) };
}

/** Where the application stands after what was heard. */
function settle(health: VipHealth, rule: HealthRule, nowMs: number): VipHealth {
  const penalty = settlePenalty(health.penalty, rule.flap, nowMs);
  const standing = standingAfter({ ...health, penalty }, rule);
  const changed: VipHealth =
    standing === health.standing
      ? { ...health, penalty }
      : {
          ...health,
          standing,
          wasUp: health.wasUp || standing === 'up',
          doubt: 0,
          // A fall out of a mixed window has broken its recovery before it began.
          brokeRecovery: standing === 'down' && isFlapping(health.window, rule.window),
          // What lies before a recovery is settled; the penalty remembers it.
          window: standing === 'up' ? forgetFailures(health.window) : health.window,
          penalty: standing === 'down' ? addFall(health, penalty, rule, nowMs) : penalty,
        };
  const verdict = verdictOf(changed, rule);
  return verdict === health.verdict ? changed : { ...changed, verdict, sinceMs: nowMs };
}

function standingAfter(health: VipHealth, rule: HealthRule): Standing {
  const { window } = health;
  if (health.standing === 'down') {
    const passes = rule.window.recover * (health.brokeRecovery ? BROKEN_RECOVERY_FACTOR : 1);
    return window.passRun >= passes && !health.penalty.isSuppressed ? 'up' : 'down';
  }
  if (isUnhealthy(window, rule.window, rule.sentinel && health.sentinelIsLost)) return 'down';
  if (health.standing === 'unborn') return window.passRun >= clearingRun(rule.window) ? 'up' : 'unborn';
  return 'up';
}

function addFall(health: VipHealth, penalty: FlapPenalty, rule: HealthRule, nowMs: number): FlapPenalty {
  // An application found dead at the agent's own start did not fall before our eyes.
  if (health.standing === 'unborn') return penalty;
  const weight = isFlapping(health.window, rule.window) ? FLAPPING_FALL_WEIGHT : 1;
  return addPenalty(penalty, rule.flap, rule.flap.perMove * weight, nowMs);
}

function verdictOf(health: VipHealth, rule: HealthRule): LocalVerdict {
  if (health.standing === 'unborn' || health.window.unknownRun >= rule.window.of) return 'unknown';
  if (health.standing === 'down') return 'unhealthy';
  return isDegraded(health.window, rule.window) ? 'degraded' : 'healthy';
}

/** Which probes are due: the regular one, and in doubt as many as could decide it. */
function schedule(health: VipHealth, rule: HealthRule, nowMs: number): HealthStep {
  const confirming = Math.min(wantedConfirmations(health, rule) - health.inFlight, health.doubt);
  const isDue = nowMs >= health.nextProbeMs;
  const room = IN_FLIGHT_MAX - health.inFlight;
  const confirmations = Math.max(0, Math.min(confirming, room));
  const regular = isDue && confirmations === 0 && room > 0 ? 1 : 0;
  const probes = confirmations + regular;
  if (probes === 0 && !isDue) return { health, probes: 0 };
  return {
    health: {
      ...health,
      inFlight: health.inFlight + probes,
      doubt: health.doubt - confirmations,
      nextProbeMs: isDue ? nextOnGrid(health.nextProbeMs, rule.intervalMs, nowMs) : health.nextProbeMs,
    },
    probes,
  };
}

function wantedConfirmations(health: VipHealth, rule: HealthRule): number {
  if (health.doubt === 0) return 0;
  // An unborn application is asked one probe after the other: there is nothing to save by hurrying.
  if (health.standing === 'unborn') return 1;
  const run = health.sentinelIsLost ? rule.window.fail : confirmingRun(rule.window);
  return Math.min(rule.confirmationsInFlight, Math.max(1, run - health.window.failRun));
}

/**
 * The next point of the vip's own grid that lies ahead: a late tick neither shifts the grid nor makes up for lost probes.
 * Grids meet in slots that all vips of an interval share, so that many probes cost one wake-up of the processor.
 */
function nextOnGrid(dueMs: number, intervalMs: number, nowMs: number): number {
  const nextMs = dueMs + intervalMs * (Math.floor((nowMs - dueMs) / intervalMs) + 1);
  // A whole number of slots makes an interval: a grid that has met its slot stays on it.
  const slotMs = intervalMs / Math.max(SLOTS_MIN, Math.ceil(intervalMs / SLOT_MS_MAX));
  return Math.ceil(nextMs / slotMs - SLOT_ROUNDING) * slotMs;
}

/** When this vip wants a tick at the latest. */
export const nextHealthMs = (health: VipHealth): number => health.nextProbeMs;

/** The penalty as reported. */
export const reportedPenalty = (health: VipHealth, rule: HealthRule, nowMs: number): number =>
  Math.round(penaltyAt(health.penalty, rule.flap, nowMs));
