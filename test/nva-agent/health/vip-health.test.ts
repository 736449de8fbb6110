// Health of a vip under a simulated clock: crashes, hangs, chance over many hours.
import { describe, expect, test } from '@jest/globals';
import {
  CONFIRMATIONS_MAX,
  IN_FLIGHT_MAX,
  newHealth,
  RECOVERY_GAP_MS,
  SLOT_MS_MAX,
  stepHealth,
  type VipHealth,
} from '../../../nva-agent/health/vip-health.ts';
import { RULE, type SimulatedAnswer, seeded, simulate } from './probe-world.ts';

const OK: SimulatedAnswer = { type: 'pass', afterMs: 1 };
const REFUSED: SimulatedAnswer = { type: 'fail', afterMs: 1 };
const HANG: SimulatedAnswer = { type: 'fail', afterMs: 800 };
const HOUR_MS = 3_600_000;

/** Changes after the birth of the vip. */
const later = (run: ReturnType<typeof simulate>) => run.changes.slice(1);

describe('birth', () => {
  test('nothing is known before the first probes; three passes, one after the other, make it healthy within milliseconds', () => {
    expect(newHealth(0, 0)).toMatchObject({ standing: 'unborn', verdict: 'unknown' });
    const run = simulate({ untilMs: 500, answer: () => OK });
    expect(run.changes).toEqual([{ atMs: 3, standing: 'up' }]);
    expect(run.health.verdict).toBe('healthy');
  });

  test('an application that is dead at the start is found unhealthy, without a penalty', () => {
    const run = simulate({ untilMs: 500, answer: () => REFUSED, sentinel: [{ atMs: 0, type: 'sentinel-lost' }] });
    expect(run.changes).toEqual([{ atMs: 3, standing: 'down' }]);
    expect(run.health.penalty.value).toBe(0);
  });

  test('failures of our own making decide nothing, for however long', () => {
    const run = simulate({ untilMs: 60_000, answer: () => ({ type: 'unknown', afterMs: 1 }) });
    expect(run.changes).toEqual([]);
    expect(run.health.verdict).toBe('unknown');
    // One probe per interval: what is exhausted is not asked faster.
    expect(run.probes).toBeLessThanOrEqual(62);
  });

  test('the splay delays the first probe', () => {
    expect(stepHealth(newHealth(0, 300), RULE, { type: 'tick' }, 299).probes).toBe(0);
    expect(stepHealth(newHealth(0, 300), RULE, { type: 'tick' }, 300).probes).toBe(1);
  });
});

describe('slots', () => {
  /** When the next twenty probes start, for a vip whose first is due at `firstMs` of a clock that began at `originMs`. */
  function starts(firstMs: number, originMs: number, intervalMs: number): number[] {
    let health = newHealth(originMs, firstMs);
    return Array.from({ length: 20 }, () => {
      const atMs = health.nextProbeMs;
      const passed = { type: 'probed', outcome: { type: 'pass', latencyMs: 1 } } as const;
      const rule = { ...RULE, intervalMs };
      health = stepHealth(stepHealth(health, rule, { type: 'tick' }, atMs).health, rule, passed, atMs).health;
      return atMs;
    });
  }

  test.each([100, 250, 1000, 1010, 5010, 300_000])(
    'vips probed every %i ms start in common slots and keep the interval',
    (intervalMs) => {
      const slotMs = intervalMs / Math.max(10, Math.ceil(intervalMs / SLOT_MS_MAX));
      const originMs = 1_795_330_000_123.456;
      for (const firstMs of [0, 1, intervalMs / 3, intervalMs - 1]) {
        const [first = 0, ...later] = starts(firstMs, originMs, intervalMs);
        const moved = (later[0] ?? 0) - first - intervalMs;
        expect(moved).toBeGreaterThan(-slotMs / 100);
        expect(moved).toBeLessThanOrEqual(slotMs);
        later.forEach((atMs, i) => {
          expect(Math.abs(atMs - (later[0] ?? 0) - i * intervalMs)).toBeLessThan(1);
          expect(Math.abs(atMs / slotMs - Math.round(atMs / slotMs))).toBeLessThan(0.01);
        });
      }
    },
  );
});

describe('the fall', () => {
  test('a crash: sentinel lost, three refused probes, down within a few milliseconds', () => {
    const run = simulate({
      untilMs: 20_000,
      answer: (nowMs) => (nowMs < 10_000 ? OK : REFUSED),
      sentinel: [{ atMs: 10_000, type: 'sentinel-lost' }],
    });
    expect(later(run)).toEqual([{ atMs: 10_001, standing: 'down' }]);
    expect(run.health.verdict).toBe('unhealthy');
  });

  test('a crash without a sentinel: found by the next probe and six refusals', () => {
    const rule = { ...RULE, sentinel: false };
    const run = simulate({ rule, untilMs: 20_000, answer: (nowMs) => (nowMs < 9_500 ? OK : REFUSED) });
    expect(later(run)).toEqual([{ atMs: 10_002, standing: 'down' }]);
  });

  test.each([0, 1, 250, 500, 999])('a hang that begins %i ms into an interval is acted on within 3 s', (phaseMs) => {
    const hangsMs = 10_000 + phaseMs;
    const run = simulate({ untilMs: 30_000, answer: (nowMs) => (nowMs < hangsMs ? OK : HANG) });
    const [fall] = later(run);
    expect(fall?.standing).toBe('down');
    expect((fall?.atMs ?? 0) - hangsMs).toBeLessThanOrEqual(3000);
  });

  test('a lost sentinel alone, with the application answering, changes nothing', () => {
    const run = simulate({ untilMs: 20_000, answer: () => OK, sentinel: [{ atMs: 10_000, type: 'sentinel-lost' }] });
    expect(later(run)).toEqual([]);
  });

  test('unknown in between neither counts nor resets', () => {
    const run = simulate({
      untilMs: 20_000,
      answer: (nowMs, index) => (nowMs < 10_000 ? OK : index % 2 === 0 ? { type: 'unknown', afterMs: 1 } : REFUSED),
      sentinel: [{ atMs: 10_000, type: 'sentinel-lost' }],
    });
    expect(later(run).map((change) => change.standing)).toEqual(['down']);
  });

  test('our own failures after health keep the standing and turn the verdict unknown', () => {
    const run = simulate({
      untilMs: 30_000,
      answer: (nowMs) => (nowMs < 10_000 ? OK : { type: 'unknown', afterMs: 1 }),
    });
    expect(later(run)).toEqual([]);
    expect(run.health).toMatchObject({ standing: 'up', verdict: 'unknown' });
  });
});

describe('the way back', () => {
  test('takes `recover` passes in a row, quickly after the first, within two seconds of the return', () => {
    const run = simulate({
      untilMs: 40_000,
      answer: (nowMs) => (nowMs < 10_000 || nowMs >= 20_100 ? OK : REFUSED),
      sentinel: [
        { atMs: 10_000, type: 'sentinel-lost' },
        { atMs: 20_100, type: 'sentinel-up' },
      ],
    });
    const [, recovery] = later(run);
    expect(recovery?.standing).toBe('up');
    expect((recovery?.atMs ?? 0) - 20_100).toBeLessThanOrEqual(5 * RECOVERY_GAP_MS);
    expect(run.health.verdict).toBe('healthy');
  });

  test('is held back for an application that keeps falling, never the fall', () => {
    const isUp = (nowMs: number) => Math.floor(nowMs / 30_000) % 2 === 0;
    const run = simulate({ untilMs: HOUR_MS, answer: (nowMs) => (isUp(nowMs) ? OK : REFUSED) });
    const falls = run.changes.filter((change) => change.standing === 'down');
    expect(falls).toHaveLength(3);
    expect(run.health.penalty.isSuppressed).toBe(true);
  });

  test('comes by itself once the penalty has decayed', () => {
    const run = simulate({
      untilMs: 3 * HOUR_MS,
      answer: (nowMs) => (nowMs < 150_000 && Math.floor(nowMs / 30_000) % 2 === 1 ? REFUSED : OK),
    });
    expect(run.changes.at(-1)?.standing).toBe('up');
    expect(run.health.penalty.isSuppressed).toBe(false);
  });
});

describe('a broken recovery', () => {
  test('makes the way back twice as long', () => {
    const answer = (nowMs: number): SimulatedAnswer => {
      if (nowMs < 10_000) return OK;
      if (nowMs < 20_000) return REFUSED;
      // Back at 20 s, failing once more at the third answer.
      return nowMs > 20_300 && nowMs < 21_000 ? REFUSED : OK;
    };
    const run = simulate({ untilMs: 40_000, answer, sentinel: [{ atMs: 10_000, type: 'sentinel-lost' }] });
    const [, recovery] = later(run);
    expect(recovery?.standing).toBe('up');
    expect(recovery?.atMs).toBeGreaterThanOrEqual(21_000 + 9 * RECOVERY_GAP_MS);
  });
});

describe('doubt', () => {
  test('is bounded: probes in flight and confirmations both', () => {
    let inFlightMost = 0;
    let health: VipHealth = { ...newHealth(0, 0), standing: 'up', verdict: 'healthy', wasUp: true };
    let started = 0;
    for (let i = 0; i < 200; i += 1) {
      const step = stepHealth(health, RULE, { type: 'sentinel-lost' }, 1);
      started += step.probes;
      health = step.health;
      inFlightMost = Math.max(inFlightMost, health.inFlight);
    }
    expect(inFlightMost).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    expect(started).toBeLessThanOrEqual(IN_FLIGHT_MAX);
  });

  test('a single lost probe costs a few confirmations and no more', () => {
    const run = simulate({ untilMs: 60_000, answer: (_nowMs, index) => (index === 20 ? REFUSED : OK) });
    expect(later(run)).toEqual([]);
    expect(run.probes).toBeLessThan(62 + CONFIRMATIONS_MAX);
  });

  test('programs are confirmed one at a time', () => {
    const rule = { ...RULE, sentinel: false, confirmationsInFlight: 1 };
    let health: VipHealth = { ...newHealth(0, 0), standing: 'up', verdict: 'healthy', wasUp: true };
    health = stepHealth(health, rule, { type: 'tick' }, 0).health;
    const failed = stepHealth(
      health,
      rule,
      { type: 'probed', outcome: { type: 'fail', latencyMs: 5, detail: 'exit 1' } },
      5,
    );
    expect(failed.probes).toBe(1);
  });
});

describe('chance', () => {
  const lossy = (share: number, seed: number) => {
    const random = seeded(seed);
    return (): SimulatedAnswer => (random() < share ? { type: 'fail', afterMs: 800 } : { type: 'pass', afterMs: 5 });
  };

  test.each([1, 7])('5 %% lost probes change no route in 40 hours (seed %i)', (seed) => {
    const run = simulate({ untilMs: 40 * HOUR_MS, answer: lossy(0.05, seed) });
    expect(later(run)).toEqual([]);
  });

  test.each([1, 2, 3, 4, 5, 6])('50 %% is acted on within 30 s, with at most two changes an hour (seed %i)', (seed) => {
    const from = 60_000;
    const answer = lossy(0.5, seed);
    const run = simulate({ untilMs: 3 * HOUR_MS, answer: (nowMs) => (nowMs < from ? OK : answer()) });
    const [fall] = later(run);
    expect((fall?.atMs ?? Number.POSITIVE_INFINITY) - from).toBeLessThanOrEqual(30_000);
    const perHour = new Map<number, number>();
    for (const { atMs } of later(run))
      perHour.set(Math.floor(atMs / HOUR_MS), (perHour.get(Math.floor(atMs / HOUR_MS)) ?? 0) + 1);
    expect(Math.max(...perHour.values())).toBeLessThanOrEqual(2);
  });

  test('strictly alternating answers trip within 30 s and stay tripped', () => {
    const run = simulate({
      untilMs: 2 * HOUR_MS,
      answer: (nowMs, index) => (nowMs < 10_000 || index % 2 === 0 ? OK : REFUSED),
    });
    const changes = later(run);
    expect(changes.map((change) => change.standing)).toEqual(['down']);
    expect((changes[0]?.atMs ?? 0) - 10_000).toBeLessThanOrEqual(30_000);
  });

  test('strictly alternating with slow failures trips within 30 s too', () => {
    const run = simulate({
      untilMs: HOUR_MS,
      answer: (nowMs, index) => (nowMs < 10_000 || index % 2 === 0 ? OK : HANG),
    });
    const changes = later(run);
    expect(changes.map((change) => change.standing)).toEqual(['down']);
    expect((changes[0]?.atMs ?? 0) - 10_000).toBeLessThanOrEqual(30_000);
  });
});
