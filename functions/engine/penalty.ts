// The flap penalty of a vip's automatic moves: added per move, halved every half-life (RFC 2439 4.2).
import type { Guards } from '../../shared/topology-schema.ts';
import type { FlapPenalty } from './types.ts';

type Settings = Guards['flapPenalty'];

export const NO_PENALTY: FlapPenalty = { value: 0, atMs: 0 };

/** The penalty as it has decayed until then. */
export function penaltyAt(penalty: FlapPenalty, settings: Settings, nowMs: number): number {
  const elapsedMs = Math.max(0, nowMs - penalty.atMs);
  return penalty.value * 2 ** (-elapsedMs / (settings.halfLifeSeconds * 1000));
}

/** When a suppressed penalty has decayed to `reuse`, or undefined when it does not suppress now. */
export function suppressedUntilMs(penalty: FlapPenalty, settings: Settings, nowMs: number): number | undefined {
  if (penalty.suppressed !== true) return undefined;
  if (penaltyAt(penalty, settings, nowMs) <= settings.reuse) return undefined;
  const halfLives = Math.log2(penalty.value / settings.reuse);
  return Math.ceil(penalty.atMs + halfLives * settings.halfLifeSeconds * 1000);
}

export function addMove(penalty: FlapPenalty, settings: Settings, nowMs: number): FlapPenalty {
  const value = Math.min(settings.max, penaltyAt(penalty, settings, nowMs) + settings.perMove);
  const suppressed = value >= settings.suppress || suppressedUntilMs(penalty, settings, nowMs) !== undefined;
  return { value, atMs: nowMs, ...(suppressed ? { suppressed } : {}) };
}
