// Every guard both ways: what it stops, that it lets pass what it should, and the harm that comes without it.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { GUARDS, type Guard, SAFETY_GUARDS } from '../../../functions/engine/reasons.ts';
import type {
  Decision,
  EngineConfig,
  Hold,
  Policy,
  RegionPolicy,
  Snapshot,
  VipPolicy,
} from '../../../functions/engine/types.ts';
import { allWell, amend, deployment, intentOf, nvaName, START_MS, saying, silent } from '../../support/engine-world.ts';

const nowMs = START_MS;
const longAgoMs = nowMs - 3_600_000;

interface Case {
  readonly config?: EngineConfig;
  readonly policy?: (policy: Policy) => Policy;
  readonly snapshot?: (snapshot: Snapshot) => Snapshot;
}

/** What the engine says of a deployment at rest that was changed so. */
function decideCase({ config = deployment(), policy = (p) => p, snapshot = (s) => s }: Case): Decision {
  const known = policy(firstPolicy(config, longAgoMs));
  return decide(snapshot(allWell(known, config, nowMs)), known, config, nowMs);
}

const stops = (decision: Decision): Guard[] => decision.blocked.map((blocked) => blocked.guard);
const acting = (decision: Decision) => decision.policy.vips.orders?.acting;

const vipOf =
  (change: (vip: VipPolicy) => VipPolicy) =>
  (policy: Policy): Policy => {
    const vip = policy.vips.orders;
    if (vip === undefined) throw new Error('no vip');
    return { ...policy, vips: { ...policy.vips, orders: change(vip) } };
  };
const rowOf = (region: string, change: Partial<RegionPolicy>) =>
  vipOf((vip) => {
    const row = vip.regions[region];
    if (row === undefined) throw new Error('no row');
    return { ...vip, regions: { ...vip.regions, [region]: { ...row, ...change } } };
  });
const seenHealthy = { seen: { verdict: 'healthy' as const, sinceMs: longAgoMs } };

/** b acts on rung 3, a has been healthy for an hour: a failback is due. */
const failbackDue = (policy: Policy): Policy =>
  rowOf('b', { role: 'primary', rung: 3, ...seenHealthy })(
    rowOf('a', { role: 'backup', ...seenHealthy })(vipOf((vip) => ({ ...vip, acting: 'b' }))(policy)),
  );
const aDies = (snapshot: Snapshot) => saying(snapshot, nvaName('a'), 'unhealthy', nowMs);
const hold = (full: boolean): Hold => ({
  id: 'h',
  actor: 'ops',
  actorType: 'human',
  reason: 'maintenance',
  createdAtMs: nowMs - 1000,
  expiresAtMs: nowMs + 60_000,
  full,
});

test('without any guard in the way a failback that is due happens', () => {
  expect(acting(decideCase({ policy: failbackDue }))).toBe('a');
});

describe('safety: bind everyone', () => {
  test('the list is what the engine treats so', () => {
    expect([...SAFETY_GUARDS].every((guard) => GUARDS.includes(guard))).toBe(true);
  });

  test('shadow: decides and records, does not act; in act mode the region would be left', () => {
    const shadow = decideCase({ config: deployment({ guards: { mode: 'shadow' } }), snapshot: aDies });
    expect([acting(shadow), stops(shadow), shadow.actions]).toEqual(['a', ['shadow'], []]);
    expect(acting(decideCase({ snapshot: aDies }))).toBe('b');
  });

  test('untrusted-ledger: stops takeovers and people until somebody trusts it', () => {
    const untrusted = (policy: Policy): Policy => ({ ...policy, trusted: false, intents: [intentOf({ region: 'b' })] });
    const decision = decideCase({ policy: untrusted });
    expect(decision.intents).toMatchObject([{ outcome: 'refused', reasons: [{ code: 'untrusted-ledger' }] }]);
    const trusting = (policy: Policy): Policy => ({
      ...policy,
      trusted: false,
      intents: [intentOf({ id: 't', type: 'trust-ledger' }), intentOf({ region: 'b' })],
    });
    expect(acting(decideCase({ policy: trusting }))).toBe('b');
  });

  test('stale-target: nobody moves to a region of which nothing fresh is known', () => {
    const stale = (snapshot: Snapshot): Snapshot => {
      const { probe: _unasked, ...evidence } =
        silent(aDies(snapshot), nvaName('b'), nowMs, 10_000).nvas[nvaName('b')] ?? {};
      return { ...aDies(snapshot), nvas: { ...aDies(snapshot).nvas, [nvaName('b')]: evidence } };
    };
    const decision = decideCase({ snapshot: stale });
    expect([acting(decision), stops(decision)]).toEqual(['a', ['stale-target']]);
  });

  test('target-unhealthy: a person needs to name it', () => {
    const wish = (force: string[]) =>
      decideCase({
        policy: (p) => ({ ...p, intents: [intentOf({ region: 'b', force })] }),
        snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', longAgoMs),
      });
    expect([acting(wish([])), stops(wish([]))]).toEqual(['a', ['target-unhealthy']]);
    expect(acting(wish(['target-unhealthy']))).toBe('b');
  });

  test('unproven-target: a failed proof, no session, one session by choice, health that is too young', () => {
    const failed = decideCase({ policy: rowOf('b', { unprovenSinceMs: nowMs - 1 }), snapshot: aDies });
    expect([acting(failed), stops(failed)]).toEqual(['a', ['unproven-target']]);
    const one = decideCase({ policy: failbackDue, snapshot: (s) => amend(s, nvaName('a'), oneSession) });
    expect([acting(one), stops(one)]).toEqual(['b', ['unproven-target']]);
    const takeover = decideCase({ snapshot: (s) => aDies(amend(s, nvaName('b'), oneSession)) });
    expect(acting(takeover)).toBe('b');
    const config = deployment({ vips: [{ failback: { mode: 'auto', afterSeconds: 0 } }] });
    const young = decideCase({
      config,
      policy: failbackDue,
      snapshot: (s) => saying(s, nvaName('a'), 'healthy', nowMs - 5000),
    });
    expect([acting(young), stops(young), young.blocked[0]?.untilMs]).toEqual(['b', ['unproven-target'], nowMs + 5000]);
  });

  test('headroom: a move by choice leaves two free rungs; a takeover takes what there is', () => {
    const low = (policy: Policy) => rowOf('b', { rung: 2 })(failbackDue(policy));
    const decision = decideCase({ policy: low });
    expect([acting(decision), stops(decision)]).toEqual(['b', ['headroom']]);
    const dying = decideCase({ policy: low, snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs) });
    expect([acting(dying), dying.policy.vips.orders?.regions.a?.rung]).toEqual(['a', 1]);
  });

  test('pacing: a move by choice waits for the route-change window; a takeover does not', () => {
    const recent = (policy: Policy) => rowOf('a', { changedAtMs: nowMs - 10_000 })(failbackDue(policy));
    const decision = decideCase({ policy: recent });
    expect([acting(decision), stops(decision), decision.blocked[0]?.untilMs]).toEqual([
      'b',
      ['pacing'],
      nowMs + 20_000,
    ]);
    const dying = decideCase({ policy: recent, snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs) });
    expect(acting(dying)).toBe('a');
  });

  test('last-announcer: the last route is never drained', () => {
    const decision = decideCase({
      policy: (p) => ({ ...p, intents: [intentOf({ type: 'drain', region: 'a' })] }),
      snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', longAgoMs),
    });
    expect([stops(decision), decision.actions]).toEqual([['last-announcer'], []]);
  });
});

describe('automation only', () => {
  test('hold: stops moves by choice, lets a dead region be left unless it is full', () => {
    const held =
      (full: boolean) =>
      (policy: Policy): Policy => ({ ...failbackDue(policy), holds: [hold(full)] });
    expect(stops(decideCase({ policy: held(false) }))).toEqual(['hold']);
    const dying = (full: boolean) =>
      decideCase({ policy: held(full), snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs) });
    expect(acting(dying(false))).toBe('a');
    expect([acting(dying(true)), stops(dying(true))]).toEqual(['b', ['hold']]);
  });

  test('warm-up: a new leader waits, one that followed with a fresh view does not', () => {
    const led = (followedFresh: boolean) =>
      decideCase({
        snapshot: (s) => ({ ...aDies(s), seat: { ...s.seat, leaderSinceMs: nowMs - 1000, followedFresh } }),
      });
    expect([acting(led(false)), stops(led(false)), led(false).nextLookMs]).toEqual([
      'a',
      ['warm-up'],
      expect.any(Number),
    ]);
    expect(acting(led(true))).toBe('b');
  });

  test('mass-failure: two of three at once are kept, one of two is not, and failures apart in time are not one', () => {
    const config = deployment({ regions: ['a', 'b', 'c'] });
    const both = (apartMs: number) =>
      decideCase({ config, snapshot: (s) => saying(aDies(s), nvaName('b'), 'unhealthy', nowMs - apartMs) });
    expect([acting(both(0)), stops(both(0)), both(0).alerts[0]?.reason]).toEqual([
      'a',
      ['mass-failure'],
      'correlated-failure',
    ]);
    expect(acting(both(60_000))).toBe('c');
    expect(acting(decideCase({ snapshot: aDies }))).toBe('b');
    const tolerant = deployment({ regions: ['a', 'b', 'c'], guards: { massFailureShare: 0.9 } });
    const allowed = decideCase({
      config: tolerant,
      snapshot: (s) => saying(aDies(s), nvaName('b'), 'unhealthy', nowMs),
    });
    expect(acting(allowed)).toBe('c');
  });

  test('move-budget: counts causes, stops moves by choice only', () => {
    const spent = (policy: Policy): Policy => ({
      ...failbackDue(policy),
      moves: [1, 2, 3].map((n) => ({ atMs: nowMs - n * 100_000, cause: `x${n}/lost` })),
    });
    const decision = decideCase({ policy: spent });
    expect([acting(decision), stops(decision), decision.blocked[0]?.untilMs]).toEqual([
      'b',
      ['move-budget'],
      nowMs + 300_000,
    ]);
    const dying = decideCase({ policy: spent, snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs) });
    expect(acting(dying)).toBe('a');
  });

  test('move-budget: one region lost with a hundred vips is one cause', () => {
    const config = deployment({ vips: Array.from({ length: 100 }, () => ({})) });
    const decision = decideCase({ config, snapshot: (s) => silent(s, nvaName('a'), nowMs, 4000) });
    expect(decision.policy.moves).toEqual([{ atMs: nowMs, cause: 'a/lost' }]);
    expect(Object.values(decision.policy.vips).every((vip) => vip.acting === 'b')).toBe(true);
  });

  test('dwell: a region that acts for a short time keeps acting while it works', () => {
    const config = deployment({ vips: [{ failback: { mode: 'auto', afterSeconds: 0 } }] });
    const fresh = (policy: Policy) => vipOf((vip) => ({ ...vip, actingSinceMs: nowMs - 10_000 }))(failbackDue(policy));
    const decision = decideCase({ config, policy: fresh });
    expect([acting(decision), stops(decision), decision.blocked[0]?.untilMs]).toEqual(['b', ['dwell'], nowMs + 50_000]);
    const dying = decideCase({ config, policy: fresh, snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs) });
    expect(acting(dying)).toBe('a');
  });

  test('flap-penalty: suppressed above `suppress` until below `reuse`, never for a dead region', () => {
    const penalised = (value: number, suppressed: boolean) => (policy: Policy) =>
      vipOf((vip) => ({ ...vip, flapPenalty: { value, atMs: nowMs, suppressed } }))(failbackDue(policy));
    expect(stops(decideCase({ policy: penalised(3000, true) }))).toEqual(['flap-penalty']);
    expect(decideCase({ policy: penalised(3000, true) }).blocked[0]?.untilMs).toBe(nowMs + 1_800_000);
    expect(acting(decideCase({ policy: penalised(700, true) }))).toBe('a');
    expect(acting(decideCase({ policy: penalised(2000, false) }))).toBe('a');
    const dying = decideCase({
      policy: penalised(3000, true),
      snapshot: (s) => saying(s, nvaName('b'), 'unhealthy', nowMs),
    });
    expect(acting(dying)).toBe('a');
  });

  test('veto: counts for a minute', () => {
    const vetoed = (ageMs: number) =>
      decideCase({ snapshot: (s) => ({ ...aDies(s), vetoes: { orders: { atMs: nowMs - ageMs, detail: 'freeze' } } }) });
    expect([acting(vetoed(0)), stops(vetoed(0))]).toEqual(['a', ['veto']]);
    expect(acting(vetoed(61_000))).toBe('b');
  });

  test('window: failback only in allowed times, takeover always', () => {
    // START_MS is 1970-01-12 13:46:40 UTC, a Monday.
    const config = (from: string, to: string) =>
      deployment({ guards: { failbackWindows: [{ days: ['mon'], from, to }] } });
    const closed = decideCase({ config: config('14:00', '15:00'), policy: failbackDue });
    expect([acting(closed), stops(closed), closed.blocked[0]?.untilMs]).toEqual(['b', ['window'], nowMs + 800_000]);
    expect(acting(decideCase({ config: config('13:00', '14:00'), policy: failbackDue }))).toBe('a');
    expect(acting(decideCase({ config: config('14:00', '15:00'), snapshot: aDies }))).toBe('b');
  });

  test('people are not held by what holds automation', () => {
    const decision = decideCase({
      policy: (p) => ({ ...p, holds: [hold(true)], intents: [intentOf({ region: 'b' })] }),
      snapshot: (s) => ({ ...s, vetoes: { orders: { atMs: nowMs, detail: 'freeze' } } }),
    });
    expect(acting(decision)).toBe('b');
  });
});

function oneSession(report: Parameters<Parameters<typeof amend>[2]>[0]) {
  return { ...report, sessions: report.sessions.map((s, i) => (i === 0 ? s : { ...s, state: 'Idle' as const })) };
}
