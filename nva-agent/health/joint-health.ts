// The health of a vip that several probes look at: each has a window of its own, and so many of them must be well.
// It must never know how a probe is made, nor what a verdict does to a route.
import type { LocalVerdict } from '../../shared/vocabulary.ts';
import { penaltyAt } from './flap-penalty.ts';
import {
  type HealthEvent,
  type HealthRule,
  newHealth,
  type Standing,
  stepHealth,
  type VipHealth,
} from './vip-health.ts';

export interface JointRule {
  /** One per probe. */
  readonly rules: readonly HealthRule[];
  /** What people call each probe. */
  readonly names: readonly string[];
  /** So many of them must be up. */
  readonly required: number;
}

export interface JointHealth {
  /** What the vip's route follows. */
  readonly whole: VipHealth;
  /** One per probe, in the order of the rule. */
  readonly parts: readonly VipHealth[];
}

export interface JointStep extends JointHealth {
  /** Probes to start now, by probe. */
  readonly probes: readonly number[];
}

/** The rule of a vip with one probe. */
export const soleRule = (rule: HealthRule): JointRule => ({ rules: [rule], names: ['probe'], required: 1 });

/** Before the first probes, which are due after the splay. */
export function newJointHealth(count: number, nowMs: number, splayMs: number): JointHealth {
  const whole = newHealth(nowMs, splayMs);
  return { whole, parts: Array.from({ length: count }, () => whole) };
}

/** One event in: of one probe, or a tick for all that are due. */
export function stepJoint(
  before: JointHealth,
  rule: JointRule,
  event: HealthEvent,
  probe: number,
  nowMs: number,
): JointStep {
  const steps = before.parts.map((part, i) => {
    const own = rule.rules[i];
    const isMeant = event.type === 'tick' ? part.nextProbeMs <= nowMs : i === probe;
    return own === undefined || !isMeant ? { health: part, probes: 0 } : stepHealth(part, own, event, nowMs);
  });
  const parts = steps.map((step) => step.health);
  return { parts, whole: join(before.whole, parts, rule, nowMs), probes: steps.map((step) => step.probes) };
}

function join(before: VipHealth, parts: readonly VipHealth[], rule: JointRule, nowMs: number): VipHealth {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first ?? before;
  const standing = standingOf(parts, rule);
  const verdict = verdictOf(parts, rule);
  const worst = parts.find((part) => part.standing === 'down') ?? parts.find((part) => part.detail !== undefined);
  const latencies = parts.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [latencyMs]));
  return {
    ...(worst ?? first),
    standing,
    wasUp: before.wasUp || standing === 'up',
    verdict,
    sinceMs: verdict === before.verdict ? before.sinceMs : nowMs,
    penalty: heaviest(parts, rule, nowMs),
    nextProbeMs: Math.min(...parts.map((part) => part.nextProbeMs)),
    latencyMs: latencies.length === 0 ? null : Math.max(...latencies),
    detail: explain(parts, rule),
  };
}

/** Enough are up; or too many are down for that; until either is sure, nothing was decided. */
function standingOf(parts: readonly VipHealth[], { required }: JointRule): Standing {
  const count = (standing: Standing) => parts.filter((part) => part.standing === standing).length;
  if (count('up') >= required) return 'up';
  return parts.length - count('down') < required ? 'down' : 'unborn';
}

function verdictOf(parts: readonly VipHealth[], { required }: JointRule): LocalVerdict {
  const count = (verdict: LocalVerdict) => parts.filter((part) => part.verdict === verdict).length;
  if (count('healthy') >= required) return 'healthy';
  if (count('healthy') + count('degraded') >= required) return 'degraded';
  return parts.length - count('unhealthy') < required ? 'unhealthy' : 'unknown';
}

function heaviest(parts: readonly VipHealth[], { rules }: JointRule, nowMs: number): VipHealth['penalty'] {
  const weightOf = (part: VipHealth, i: number) => {
    const flap = rules[i]?.flap;
    return flap === undefined ? 0 : penaltyAt(part.penalty, flap, nowMs);
  };
  const weights = parts.map(weightOf);
  const most = parts[weights.indexOf(Math.max(...weights))];
  const isSuppressed = parts.some((part) => part.penalty.isSuppressed);
  return { ...(most ?? { penalty: { value: 0, atMs: nowMs } }).penalty, isSuppressed };
}

/** Which probes are not well and how many may be, or undefined when all are. */
function explain(parts: readonly VipHealth[], { names, required }: JointRule): string | undefined {
  const troubled = parts.flatMap((part, i) =>
    part.detail === undefined && part.standing !== 'down' ? [] : [`${names[i]}: ${part.detail ?? part.verdict}`],
  );
  if (troubled.length === 0) return undefined;
  const up = parts.filter((part) => part.standing === 'up').length;
  return `${up} of ${parts.length} probes up, ${required} must be; ${troubled.join('; ')}`;
}
