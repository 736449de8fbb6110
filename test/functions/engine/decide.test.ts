// The rows of the plan table (functions/engine/plan.ts), each by name.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import type { Decision, Policy, Snapshot } from '../../../functions/engine/types.ts';
import {
  allWell,
  amend,
  deployment,
  intentOf,
  nvaName,
  observing,
  START_MS,
  saying,
  silent,
} from '../../support/engine-world.ts';

const config = deployment();
const nowMs = START_MS;
const rest = firstPolicy(config, nowMs - 3_600_000);
const well = allWell(rest, config, nowMs);

const run = (snapshot: Snapshot, policy: Policy = rest, atMs = nowMs): Decision =>
  decide(snapshot, policy, config, atMs);
const acting = (decision: Decision) => decision.policy.vips.orders?.acting;
const rungs = (decision: Decision) =>
  Object.fromEntries(Object.entries(decision.policy.vips.orders?.regions ?? {}).map(([name, row]) => [name, row.rung]));
const reason = (decision: Decision) => decision.reasons[0]?.reason;
const guards = (decision: Decision) => decision.blocked.map((blocked) => blocked.guard);

/** The policy after a's application has died, and what all look like once b acts. */
const moved = run(saying(well, nvaName('a'), 'unhealthy', nowMs)).policy;

describe('plan table', () => {
  test('acting healthy: keep', () => {
    expect(run(well).actions).toEqual([]);
    expect(reason(run(well))).toBe('steady');
  });

  test('acting unhealthy, other healthy: takeover to one rung below everything the acting region may have', () => {
    const decision = run(saying(well, nvaName('a'), 'unhealthy', nowMs));
    expect([acting(decision), rungs(decision), reason(decision)]).toEqual(['b', { a: 4, b: 3 }, 'app-unhealthy']);
    expect(decision.policy.vips.orders?.regions.a?.role).toBe('backup');
    expect(decision.policy.vips.orders?.regions.a?.leftOn).toBe('agent');
  });

  test('a takeover changes the wire of the target only', () => {
    const decision = run(saying(well, nvaName('a'), 'unhealthy', nowMs));
    const onWire = decision.actions.filter((a) => a.before.rung !== a.after.rung || a.before.state !== a.after.state);
    expect(onWire.map((action) => action.region)).toEqual(['b']);
    expect(decision.policy.vips.orders?.regions.a?.generation).toBe(rest.vips.orders?.regions.a?.generation);
  });

  test('acting lost, other healthy: takeover', () => {
    const decision = run(silent(well, nvaName('a'), nowMs, 4000));
    expect([acting(decision), reason(decision)]).toEqual(['b', 'nva-lost']);
  });

  test('acting unhealthy, other degraded at best: takeover, a slow answer beats none', () => {
    const snapshot = saying(saying(well, nvaName('a'), 'unhealthy', nowMs), nvaName('b'), 'degraded', nowMs);
    expect(acting(run(snapshot))).toBe('b');
  });

  test('acting unhealthy, none healthy: keep and alert', () => {
    const decision = run(saying(saying(well, nvaName('a'), 'unhealthy', nowMs), nvaName('b'), 'unhealthy', nowMs));
    expect([acting(decision), reason(decision)]).toEqual(['a', 'none-healthy']);
    expect(decision.alerts.map((alert) => alert.reason)).toContain('none-healthy');
    expect(guards(decision)).toContain('target-unhealthy');
  });

  test('acting degraded: keep until it has lasted, then move as planned', () => {
    const first = run(saying(well, nvaName('a'), 'degraded', nowMs));
    expect([acting(first), reason(first)]).toEqual(['a', 'brown-out']);
    expect(first.nextLookMs).toBeLessThanOrEqual(nowMs + 30_000);
    const laterMs = nowMs + 30_000;
    const later = saying(allWell(first.policy, config, laterMs), nvaName('a'), 'degraded', nowMs);
    expect(acting(run(later, first.policy, laterMs))).toBe('b');
  });

  test('acting degraded for long, other not healthy: keep', () => {
    const first = run(saying(well, nvaName('a'), 'degraded', nowMs)).policy;
    const laterMs = nowMs + 60_000;
    const both = saying(
      saying(allWell(first, config, laterMs), nvaName('a'), 'degraded', nowMs),
      nvaName('b'),
      'degraded',
      nowMs,
    );
    expect(acting(run(both, first, laterMs))).toBe('a');
  });

  test('acting unknown: keep, alert after graceSeconds', () => {
    const unknown = saying(well, nvaName('a'), 'unknown', nowMs);
    expect([acting(run(unknown)), reason(run(unknown)), run(unknown).alerts]).toEqual(['a', 'evidence-unknown', []]);
    const long = run(saying(well, nvaName('a'), 'unknown', nowMs - 60_000));
    expect(long.alerts.map((alert) => alert.reason)).toEqual(['evidence-unknown']);
  });

  test('one Route Server session down: keep', () => {
    const decision = run(amend(well, nvaName('a'), withSessions(1)));
    expect([acting(decision), reason(decision)]).toEqual(['a', 'steady']);
  });

  test('no Route Server session: lost only when it lasts and no observer is answered', () => {
    const first = run(amend(well, nvaName('a'), withSessions(0)));
    expect([acting(first), reason(first)]).toEqual(['a', 'evidence-unknown']);
    const laterMs = nowMs + 6000;
    const later = amend(allWell(first.policy, config, laterMs), nvaName('a'), withSessions(0));
    const decision = run(later, first.policy, laterMs);
    expect([acting(decision), reason(decision)]).toEqual(['b', 'isolated']);
    expect(acting(run(observing(later, 'hq', 'a', laterMs), first.policy, laterMs))).toBe('a');
  });

  test('acting drained: move', () => {
    const row = rest.vips.orders?.regions.a;
    if (row === undefined || rest.vips.orders === undefined) throw new Error('no row');
    const regions = { ...rest.vips.orders.regions, a: { ...row, role: 'drained' as const } };
    const policy = { ...rest, vips: { orders: { ...rest.vips.orders, regions } } };
    const settled = run(allWell(policy, config, nowMs - 20_000), policy, nowMs - 20_000).policy;
    const decision = run(allWell(settled, config, nowMs), settled);
    expect([acting(decision), decision.policy.vips.orders?.regions.a?.role]).toEqual(['b', 'drained']);
  });
});

describe('fail back', () => {
  const back = run(allWell(moved, config, nowMs + 5000), moved, nowMs + 5000).policy;
  const dueMs = nowMs + 5000 + 600_000;

  test('after afterSeconds of unbroken health, and looks again just then', () => {
    const waiting = run(allWell(back, config, dueMs - 1), back, dueMs - 1);
    expect([acting(waiting), reason(waiting), waiting.nextLookMs]).toEqual(['b', 'waiting-for-failback', dueMs]);
    const decision = run(allWell(back, config, dueMs), back, dueMs);
    expect([acting(decision), rungs(decision), reason(decision)]).toEqual(['a', { a: 2, b: 3 }, 'failback-due']);
  });

  test('a relapse starts the wait anew', () => {
    const relapsed = run(
      saying(allWell(back, config, dueMs - 10), nvaName('a'), 'unhealthy', dueMs - 10),
      back,
      dueMs - 10,
    );
    const again = run(allWell(relapsed.policy, config, dueMs), relapsed.policy, dueMs);
    expect([acting(again), reason(again)]).toEqual(['b', 'waiting-for-failback']);
  });

  test('mode manual waits for a person', () => {
    const manual = deployment({ vips: [{ failback: { mode: 'manual' } }] });
    const decision = decide(allWell(back, manual, dueMs), back, manual, dueMs);
    expect([acting(decision), reason(decision)]).toEqual(['b', 'manual-failback']);
  });

  test('a region left on external evidence returns only when that speaks for it', () => {
    const row = back.vips.orders?.regions.a;
    if (row === undefined || back.vips.orders === undefined) throw new Error('no row');
    const regions = { ...back.vips.orders.regions, a: { ...row, leftOn: 'external' as const } };
    const policy = { ...back, vips: { orders: { ...back.vips.orders, regions } } };
    const snapshot = allWell(policy, config, dueMs);
    expect(acting(run(snapshot, policy, dueMs))).toBe('b');
    const speaking = { ...snapshot, signals: { orders: { a: { atMs: dueMs, verdict: 'healthy' as const } } } };
    expect(acting(run(speaking, policy, dueMs))).toBe('a');
  });
});

describe('intents', () => {
  const wish = (overrides: Parameters<typeof intentOf>[0], snapshot: Snapshot = well, policy: Policy = rest) =>
    run(snapshot, { ...policy, intents: [intentOf(overrides)] });

  test('to a healthy region: move now, and hold automation off without spending its budget', () => {
    const decision = wish({ region: 'b' });
    expect(decision.intents).toEqual([{ intent: 'i-1', vip: 'orders', outcome: 'carried-out', reasons: [] }]);
    expect([acting(decision), rungs(decision)]).toEqual(['b', { a: 4, b: 3 }]);
    expect(decision.policy.holds).toMatchObject([
      { id: 'h-i-1', vip: 'orders', full: false, expiresAtMs: nowMs + 3_600_000 },
    ]);
    expect([decision.policy.moves, decision.policy.intents]).toEqual([[], []]);
    expect(decision.policy.vips.orders?.flapPenalty.value).toBe(0);
  });

  test('without a region: to the best other one', () => expect(acting(wish({}))).toBe('b'));

  test('to an unhealthy region: refused with the guard, nothing changed', () => {
    const decision = wish({ region: 'b' }, saying(well, nvaName('b'), 'unhealthy', nowMs - 60_000));
    expect(decision.intents).toMatchObject([{ outcome: 'refused', reasons: [{ code: 'target-unhealthy' }] }]);
    expect(acting(decision)).toBe('a');
  });

  test('forced by name: moves, and the target ignores its own probes for a while', () => {
    const unhealthy = saying(well, nvaName('b'), 'unhealthy', nowMs - 60_000);
    const decision = wish({ region: 'b', force: ['target-unhealthy'] }, unhealthy);
    expect([acting(decision), decision.policy.vips.orders?.regions.b?.ignoreUntilMs]).toEqual(['b', nowMs + 1_800_000]);
    const next = run(unhealthy, decision.policy);
    expect([acting(next), next.actions, reason(next), next.alerts]).toEqual(['b', [], 'intent', []]);
  });

  test.each(['last-announcer', 'shadow', 'untrusted-ledger'])('%s cannot be forced', (guard) => {
    const decision = wish({ region: 'b', force: [guard] });
    expect(decision.intents).toMatchObject([{ outcome: 'refused', reasons: [{ code: guard }] }]);
    expect(acting(decision)).toBe('a');
  });

  test('past its deadline: expired', () => {
    const decision = wish({ region: 'b', deadlineMs: nowMs });
    expect(decision.intents).toMatchObject([{ outcome: 'expired' }]);
    expect([acting(decision), decision.policy.intents]).toEqual(['a', []]);
  });

  test('to what already is: already so', () => {
    expect(wish({ region: 'a' }).intents).toMatchObject([{ outcome: 'already-so' }]);
    expect(wish({ type: 'failback' }).intents).toMatchObject([{ outcome: 'already-so' }]);
    expect(wish({ type: 'undrain', region: 'a' }).intents).toMatchObject([{ outcome: 'already-so' }]);
    expect(wish({ type: 'trust-ledger' }).intents).toMatchObject([{ outcome: 'already-so' }]);
    expect(wish({ type: 'recentre' }).intents).toMatchObject([{ outcome: 'already-so' }]);
  });

  test('inside the route-change window: waits, and stays in the policy', () => {
    const recent = run(amendSince(allWell(moved, config, nowMs + 1000), 'a', nowMs), moved, nowMs + 1000).policy;
    const policy = { ...recent, intents: [intentOf({ type: 'failback' })] };
    const decision = run(amendSince(allWell(policy, config, nowMs + 2000), 'a', nowMs), policy, nowMs + 2000);
    expect(decision.intents).toMatchObject([{ outcome: 'waiting', reasons: [{ code: 'pacing' }] }]);
    expect(decision.policy.intents).toHaveLength(1);
    expect(decision.nextLookMs).toBeLessThanOrEqual(nowMs + 30_000);
  });

  test('unknown vip or region: refused', () => {
    expect(wish({ vip: 'nothing', region: 'b' }).intents).toMatchObject([{ reasons: [{ code: 'no-such-vip' }] }]);
    expect(wish({ region: 'nowhere' }).intents).toMatchObject([{ reasons: [{ code: 'no-such-region' }] }]);
  });

  test('a drain that would leave nobody answering moves nobody', () => {
    const snapshot = saying(well, nvaName('b'), 'unhealthy', nowMs - 60_000);
    const decision = wish({ type: 'drain', region: 'a', force: ['target-unhealthy'] }, snapshot);
    expect(decision.intents).toMatchObject([{ outcome: 'refused', reasons: [{ code: 'last-announcer' }] }]);
    expect(decision.actions).toEqual([]);
  });

  test('a held vip still leaves a dead region', () => {
    const policy = wish({ region: 'b' }).policy;
    const decision = run(saying(allWell(policy, config, nowMs), nvaName('b'), 'unhealthy', nowMs), policy);
    expect(acting(decision)).toBe('a');
  });
});

function withSessions(up: number) {
  return (report: Parameters<Parameters<typeof amend>[2]>[0]) => ({
    ...report,
    sessions: report.sessions.map((session, i) => (i < up ? session : { ...session, state: 'Idle' as const })),
  });
}

/** a's wire changed at that time, by its agent's own reflex. */
function amendSince(snapshot: Snapshot, region: string, sinceMs: number): Snapshot {
  return amend(snapshot, nvaName(region), (report) => ({
    ...report,
    vips: report.vips.map((row) => ({ ...row, announced: row.announced && { ...row.announced, sinceMs } })),
  }));
}
