// A simulated application and clock around stepHealth: probes take time, answers come by chance, nothing sleeps.
import {
  type HealthEvent,
  type HealthRule,
  newHealth,
  stepHealth,
  type VipHealth,
} from '../../../nva-agent/health/vip-health.ts';
import type { ProbeOutcome } from '../../../nva-agent/health/window.ts';

export const RULE: HealthRule = {
  window: { fail: 3, of: 5, recover: 5 },
  intervalMs: 1000,
  sentinel: true,
  confirmationsInFlight: 7,
  flap: { perMove: 1000, suppress: 2500, reuse: 750, max: 12_000, halfLifeSeconds: 900 },
};

/** What one probe started now would answer, and how long that takes. */
export interface SimulatedAnswer {
  readonly type: ProbeOutcome['type'];
  readonly afterMs: number;
}

export interface Change {
  readonly atMs: number;
  readonly standing: VipHealth['standing'];
}

export interface Run {
  readonly changes: readonly Change[];
  readonly health: VipHealth;
  readonly probes: number;
}

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Runs the health of one vip for so long, with sentinel events as given; returns every change of standing. */
export function simulate(options: {
  readonly rule?: HealthRule;
  readonly untilMs: number;
  readonly answer: (nowMs: number, index: number) => SimulatedAnswer;
  readonly sentinel?: readonly { readonly atMs: number; readonly type: 'sentinel-up' | 'sentinel-lost' }[];
}): Run {
  const rule = options.rule ?? RULE;
  const pending: { atMs: number; event: HealthEvent }[] = (options.sentinel ?? []).map(({ atMs, type }) => ({
    atMs,
    event: { type },
  }));
  const changes: Change[] = [];
  let health = newHealth(0, 0);
  let probes = 0;
  let nowMs = 0;
  while (nowMs <= options.untilMs) {
    const next = pending.reduce(
      (best, entry, i) => (entry.atMs < (pending[best]?.atMs ?? Number.POSITIVE_INFINITY) ? i : best),
      0,
    );
    const isEvent = (pending[next]?.atMs ?? Number.POSITIVE_INFINITY) <= health.nextProbeMs;
    const entry = isEvent ? pending.splice(next, 1)[0] : undefined;
    nowMs = Math.max(nowMs, entry?.atMs ?? health.nextProbeMs);
    if (nowMs > options.untilMs) break;
    const step = stepHealth(health, rule, entry?.event ?? { type: 'tick' }, nowMs);
    if (step.health.standing !== health.standing) changes.push({ atMs: nowMs, standing: step.health.standing });
    health = step.health;
    for (let i = 0; i < step.probes; i += 1) {
      const { type, afterMs } = options.answer(nowMs, probes);
      probes += 1;
      const outcome: ProbeOutcome =
        type === 'pass'
          ? { type, latencyMs: afterMs }
          : type === 'fail'
            ? { type, latencyMs: afterMs, detail: 'simulated' }
            : { type, detail: 'simulated' };
      pending.push({ atMs: nowMs + afterMs, event: { type: 'probed', outcome } });
    }
  }
  return { changes, health, probes };
}
