// What the ledger remembers: penalties, budgets, windows of the week, members, and policies rebuilt from agents.
import { describe, expect, test } from '@jest/globals';
import { budgetUntilMs, countMove } from '../../../functions/engine/budget.ts';
import { decide } from '../../../functions/engine/decide.ts';
import { explainVip, formatDuration } from '../../../functions/engine/explain.ts';
import { adoptPolicy, firstPolicy } from '../../../functions/engine/first-policy.ts';
import { addMove, NO_PENALTY, penaltyAt, suppressedUntilMs } from '../../../functions/engine/penalty.ts';
import { isInWindow, nextWindowMs } from '../../../functions/engine/windows.ts';
import { allWell, amend, deployment, nvaName, START_MS, saying } from '../../support/engine-world.ts';

const nowMs = START_MS;
const config = deployment();

describe('flap penalty', () => {
  const settings = config.guards.flapPenalty;
  const halfLifeMs = settings.halfLifeSeconds * 1000;

  test('halves every half-life, is capped, and suppresses from the third move on', () => {
    const one = addMove(NO_PENALTY, settings, nowMs);
    expect([one.value, penaltyAt(one, settings, nowMs + halfLifeMs)]).toEqual([1000, 500]);
    const three = addMove(addMove(one, settings, nowMs), settings, nowMs);
    expect([one.suppressed, three.suppressed]).toEqual([undefined, true]);
    expect(suppressedUntilMs(three, settings, nowMs)).toBe(nowMs + 2 * halfLifeMs);
    expect(suppressedUntilMs(three, settings, nowMs + 2 * halfLifeMs)).toBeUndefined();
    const many = Array.from({ length: 50 }).reduce<typeof one>((penalty) => addMove(penalty, settings, nowMs), one);
    expect(many.value).toBe(settings.max);
  });

  test('a move while suppressed stays suppressed, below `suppress` too', () => {
    const decayed = { value: 3000, atMs: nowMs - 1.5 * halfLifeMs, suppressed: true };
    const again = addMove(decayed, { ...settings, perMove: 100 }, nowMs);
    expect([again.value < settings.suppress, again.suppressed]).toEqual([true, true]);
  });
});

describe('budget', () => {
  test('one cause within a route-change window is one; a later one counts anew', () => {
    const moves = countMove([], 'a/lost', config, nowMs);
    expect(countMove(moves, 'a/lost', config, nowMs + 30_000)).toBe(moves);
    expect(countMove(moves, 'a/lost', config, nowMs + 30_001)).toHaveLength(2);
    expect(countMove(moves, 'b/lost', config, nowMs)).toHaveLength(2);
    expect(countMove(moves, 'b/lost', config, nowMs + 600_000)).toHaveLength(1);
  });

  test('allows again when the oldest of the counted leaves the window', () => {
    const moves = [0, 10_000, 20_000].map((n) => ({ atMs: nowMs + n, cause: `c${n}` }));
    expect(budgetUntilMs(moves, 'x', config, nowMs + 20_000)).toBe(nowMs + 600_000);
    expect(budgetUntilMs(moves, 'c20000', config, nowMs + 20_000)).toBeUndefined();
    expect(budgetUntilMs(moves, 'x', config, nowMs + 600_000)).toBeUndefined();
  });
});

describe('windows', () => {
  const at = (days: number, hours: number, minutes = 0) => ((days * 24 + hours) * 60 + minutes) * 60_000;

  test('none means always', () => expect(isInWindow([], 0)).toBe(true));

  test('epoch day zero was a Thursday; a window may pass midnight and the week', () => {
    const thursday = [{ days: ['thu' as const], from: '22:00', to: '04:00' }];
    expect([at(0, 21, 59), at(0, 22), at(1, 3, 59), at(1, 4)].map((t) => isInWindow(thursday, t))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    const sunday = [{ days: ['sun' as const], from: '23:00', to: '01:00' }];
    expect([at(3, 23), at(4, 0), at(4, 1)].map((t) => isInWindow(sunday, t))).toEqual([true, true, false]);
    expect(nextWindowMs(thursday, at(1, 4, 30))).toBe(at(7, 22));
    expect(nextWindowMs([{ from: '10:00', to: '11:00' }], at(2, 12) + 1)).toBe(at(3, 10));
  });
});

describe('rebuilt policy', () => {
  const first = firstPolicy(config, 0);

  test('takes the rungs the agents carry, the lowest acts, and is untrusted', () => {
    const carrying = (rung: number, nva: string, snapshot = allWell(first, config, nowMs)) =>
      amend(snapshot, nva, (report) => ({
        ...report,
        vips: report.vips.map((v) => ({ ...v, announced: v.announced && { ...v.announced, rung } })),
      }));
    const adopted = adoptPolicy(carrying(3, nvaName('b')).nvas, config, nowMs, 50);
    expect(adopted).toMatchObject({ trusted: false, vips: { orders: { acting: 'b' } } });
    expect(adopted.vips.orders?.regions).toMatchObject({
      a: { role: 'backup', rung: 4, generation: 50, maybe: [] },
      b: { role: 'primary', rung: 3, generation: 50, maybe: [] },
    });
  });

  test('a region nobody tells of may be on any rung, and comes back above the acting one', () => {
    const { [nvaName('a')]: _silent, ...nvas } = allWell(first, config, nowMs).nvas;
    const adopted = adoptPolicy(nvas, config, nowMs, 50);
    expect(adopted.vips.orders?.acting).toBe('b');
    expect(adopted.vips.orders?.regions.a).toMatchObject({ rung: 6, maybe: [{ rung: 0 }] });
    expect(adoptPolicy({}, config, nowMs, 50).vips.orders?.regions.a).toMatchObject({ rung: 4, maybe: [{ rung: 0 }] });
  });
});

describe('members', () => {
  const three = deployment({ regions: ['a', 'b', 'c'] });

  test('a new vip rests, a new region takes nothing from the acting one', () => {
    const more = deployment({ vips: [{}, {}] });
    const policy = firstPolicy(config, 0);
    const decision = decide(allWell(firstPolicy(more, 0), more, nowMs), policy, more, nowMs);
    expect(decision.policy.vips['vip-1']?.regions).toMatchObject({ a: { rung: 4 }, b: { rung: 5 } });
    const moved = decide(
      saying(allWell(policy, config, nowMs), nvaName('a'), 'unhealthy', nowMs),
      policy,
      config,
      nowMs,
    );
    const grown = decide(allWell(moved.policy, three, nowMs), moved.policy, three, nowMs);
    expect(grown.policy.vips.orders?.regions.c).toMatchObject({ role: 'backup', rung: 6, state: 'announced' });
  });

  test('a region that left the topology is moved away from, then withheld', () => {
    const fewer = deployment({ regions: ['a', 'b', 'c'], vips: [{ regions: ['b', 'c'] }] });
    let policy = firstPolicy(three, nowMs - 3_600_000);
    for (let i = 0; i < 20; i += 1) {
      const atMs = nowMs + i * 31_000;
      policy = decide(allWell(policy, fewer, atMs), policy, fewer, atMs).policy;
    }
    expect(policy.vips.orders?.acting).toBe('b');
    expect(policy.vips.orders?.regions.a).toMatchObject({ role: 'out', state: 'withheld' });
  });

  test('a vip that left the topology leaves the policy', () => {
    const more = deployment({ vips: [{}, {}] });
    const policy = firstPolicy(more, 0);
    const decision = decide(allWell(policy, more, nowMs), policy, config, nowMs);
    expect([Object.keys(decision.policy.vips), decision.changed]).toEqual([['orders'], true]);
  });
});

describe('explanations', () => {
  test.each([
    [0, '0s'],
    [5000, '5s'],
    [150_000, '2m30s'],
    [9 * 86_400_000 + 4 * 3_600_000 + 59_000, '9d4h'],
    [3_600_000, '1h'],
  ])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test('answer who, why, on what evidence, what is on the wire, what if, what next', () => {
    const policy = firstPolicy(config, nowMs - 3_600_000);
    const decision = decide(allWell(policy, config, nowMs), policy, config, nowMs);
    expect(explainVip(decision.policy, decision, config, 'orders', nowMs)).toEqual([
      'orders 192.0.2.1/32   a acts for 1h, rung 4 ×12',
      'why     steady: a is healthy',
      'proof   a ● healthy for 1h: a-nva-1 healthy 0s ago; route-server healthy 0s ago (2 of 2 instances hold the route)',
      '        b ● healthy for 1h: b-nva-1 healthy 0s ago; route-server healthy 0s ago (2 of 2 instances hold the route)',
      'wire    a primary, rung 4 ×12',
      '        b backup, rung 5 ×15',
      'if      a died now: b would take over on rung 3 ×9',
      'next    nothing to do',
      '        looks again within 3s',
    ]);
    expect(explainVip(policy, decision, config, 'nothing', nowMs)).toEqual(['nothing is no vip of group default']);
  });
});
