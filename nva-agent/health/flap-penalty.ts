// The decaying penalty of a flapping application: it delays the way back, never the fall (the idea of RFC 2439, at the source).
// It must never know a clock: the time is an argument.

export interface FlapRule {
  /** Added by one fall. */
  readonly perMove: number;
  /** Above this a recovery is held back ... */
  readonly suppress: number;
  /** ... until the penalty has decayed below this. */
  readonly reuse: number;
  readonly max: number;
  readonly halfLifeSeconds: number;
}

export interface FlapPenalty {
  /** Value at `atMs`. */
  readonly value: number;
  readonly atMs: number;
  readonly isSuppressed: boolean;
}

export const NO_PENALTY: FlapPenalty = { value: 0, atMs: 0, isSuppressed: false };

/** The penalty's value at a later time. */
export function penaltyAt(penalty: FlapPenalty, rule: FlapRule, nowMs: number): number {
  if (penalty.value === 0) return 0;
  const halfLives = Math.max(0, nowMs - penalty.atMs) / (rule.halfLifeSeconds * 1000);
  return penalty.value * 0.5 ** halfLives;
}

export function addPenalty(penalty: FlapPenalty, rule: FlapRule, amount: number, nowMs: number): FlapPenalty {
  const value = Math.min(rule.max, penaltyAt(penalty, rule, nowMs) + amount);
  return { value, atMs: nowMs, isSuppressed: penalty.isSuppressed || value > rule.suppress };
}

/** The same penalty with suppression lifted when it has decayed far enough. */
export function settlePenalty(penalty: FlapPenalty, rule: FlapRule, nowMs: number): FlapPenalty {
  return penalty.isSuppressed && penaltyAt(penalty, rule, nowMs) < rule.reuse
    ? { ...penalty, isSuppressed: false }
    : penalty;
}
