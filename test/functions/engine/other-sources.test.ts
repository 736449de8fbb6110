// What seats that ask applications and Route Server weigh: alone little, together with others enough; silence nothing.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decide } from '../../../functions/engine/decide.ts';
import { explainVip } from '../../../functions/engine/explain.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { LEARNED_FRESH_MS, PEER_STATUS_FRESH_MS } from '../../../functions/engine/other-sources.ts';
import type { AppEvidence, Decision, Policy, SignalVerdict, Snapshot } from '../../../functions/engine/types.ts';
import { allWell, deployment, nvaName, observing, START_MS, saying, silent } from '../../support/engine-world.ts';

const nowMs = START_MS;
const longAgoMs = nowMs - 3_600_000;
const config = deployment({ regions: ['a', 'b', 'c'] });
const tickMs = config.topology.timing.tickSeconds * 1000;
const policy = firstPolicy(config, longAgoMs);
const well = allWell(policy, config, nowMs);

const fused = (snapshot: Snapshot, region = 'a') => decide(snapshot, policy, config, nowMs).verdicts.orders?.[region];
const verdict = (snapshot: Snapshot, region = 'a') => fused(snapshot, region)?.verdict;
const says = (snapshot: Snapshot, source: string, region = 'a') =>
  fused(snapshot, region)?.sources.find((one) => one.source === source)?.says;

const app = (verdictOfApp: SignalVerdict, ageMs = 0): AppEvidence => ({
  atMs: nowMs - ageMs,
  verdict: verdictOfApp,
  detail: 'answered',
});
/** What seats were answered by region a (or another). */
const asked = (bySeat: Readonly<Record<string, AppEvidence>>, region = 'a', snapshot = well): Snapshot => ({
  ...snapshot,
  apps: Object.fromEntries(Object.entries(bySeat).map(([seat, seen]) => [seat, { orders: { [region]: seen } }])),
});
const signal = (snapshot: Snapshot, verdictOfQuery: SignalVerdict): Snapshot => ({
  ...snapshot,
  signals: { orders: { a: { atMs: nowMs, verdict: verdictOfQuery } } },
});

describe('seats that ask the application', () => {
  test('a bad answer is one other source: degraded; with a second one unhealthy', () => {
    const bad = asked({ 'seat-w': app('unhealthy') });
    expect(verdict(bad)).toBe('degraded');
    expect(verdict(signal(bad, 'unhealthy'))).toBe('unhealthy');
    expect(verdict(observing(bad, 'hq', null, nowMs))).toBe('unhealthy');
    expect(fused(signal(bad, 'unhealthy'))?.basis).toBe('external');
  });

  test('no answer is unknown and changes nothing, and neither does an old one', () => {
    expect(verdict(asked({ 'seat-w': app('unknown') }))).toBe('healthy');
    expect(says(asked({ 'seat-w': app('unknown') }), 'application from seat-w')).toBe('unknown');
    expect(verdict(asked({ 'seat-w': app('unhealthy', 3 * tickMs) }))).toBe('degraded');
    expect(verdict(asked({ 'seat-w': app('unhealthy', 3 * tickMs + 1) }))).toBe('healthy');
    expect(says(asked({ 'seat-w': app('unhealthy', 3 * tickMs + 1) }), 'application from seat-w')).toBe('absent');
  });

  test('all seats are one source, and one good answer outweighs bad ones', () => {
    const two = deployment({ regions: ['a', 'b', 'c'] });
    const [seat] = two.topology.seats;
    if (seat === undefined) throw new Error('no seat');
    const both = { ...two, topology: { ...two.topology, seats: [seat, { ...seat, name: 'seat-x' }] } };
    const judged = (w: SignalVerdict, x: SignalVerdict) =>
      decide(asked({ 'seat-w': app(w), 'seat-x': app(x) }), policy, both, nowMs).verdicts.orders?.a?.verdict;
    expect(judged('unhealthy', 'unhealthy')).toBe('degraded');
    expect(judged('unhealthy', 'unknown')).toBe('degraded');
    expect(judged('unhealthy', 'healthy')).toBe('healthy');
  });

  test('a seat that the deployment does not have any more is not heard', () => {
    expect(verdict(asked({ 'seat-gone': app('unhealthy') }))).toBe('healthy');
  });

  test('a good answer does not contradict a lost NVA: users reach the application through it', () => {
    expect(verdict(asked({ 'seat-w': app('healthy') }, 'a', silent(well, nvaName('a'), nowMs, 4000)))).toBe('lost');
  });

  test('a region that left on outside evidence returns when seats are answered well again, not before', () => {
    const auto = deployment({ vips: [{ failback: { mode: 'auto', afterSeconds: 0 } }] });
    const first = firstPolicy(auto, longAgoMs);
    const vip = first.vips.orders;
    if (vip?.regions.a === undefined || vip.regions.b === undefined) throw new Error('no rows');
    const seen = { seen: { verdict: 'healthy' as const, sinceMs: longAgoMs } };
    const regions = {
      a: { ...vip.regions.a, ...seen, role: 'backup' as const, leftOn: 'external' as const },
      b: { ...vip.regions.b, ...seen, role: 'primary' as const, rung: 3 },
    };
    const away: Policy = { ...first, vips: { orders: { ...vip, acting: 'b', regions } } };
    const acting = (snapshot: Snapshot) => decide(snapshot, away, auto, nowMs).policy.vips.orders?.acting;
    const calm = allWell(away, auto, nowMs);
    expect(acting(calm)).toBe('b');
    expect(acting(asked({ 'seat-w': app('unknown') }, 'a', calm))).toBe('b');
    expect(acting(asked({ 'seat-w': app('healthy') }, 'a', calm))).toBe('a');
    // What a query drove away, a query must call back.
    expect(acting(signal(asked({ 'seat-w': app('healthy') }, 'a', calm), 'unknown'))).toBe('b');
  });
});

/** Route Server's metric of the given region's sessions. */
const metric = (isUp: boolean, ageMs: number, region = 'a', snapshot = well): Snapshot => {
  const nva = config.topology.regions.find((one) => one.name === region)?.nvas[0];
  const measured = { isUp, atMs: nowMs - ageMs };
  const peers = { [nva?.address ?? '']: { RouteServiceRole_IN_0: measured, RouteServiceRole_IN_1: measured } };
  return { ...snapshot, peerStatus: { ...snapshot.peerStatus, [region]: { atMs: nowMs, peers } } };
};
/** Route Server was read to hold nothing, or everything, of region a. */
const held = (snapshot: Snapshot, holds: boolean, ageMs = 0): Snapshot => {
  const known = snapshot.learned[nvaName('a')];
  const peers = holds ? (known?.peers ?? {}) : { '10.0.0.4': {}, '10.0.0.5': {} };
  return { ...snapshot, learned: { ...snapshot.learned, [nvaName('a')]: { atMs: nowMs - ageMs, peers } } };
};
const unread = (snapshot: Snapshot): Snapshot => ({ ...snapshot, learned: {} });

describe('Route Server', () => {
  test('alone it changes nothing, and a person hears of it', () => {
    for (const snapshot of [metric(false, 60_000, 'a', unread(well)), held(well, false)]) {
      const decision = decide(snapshot, policy, config, nowMs);
      expect([decision.verdicts.orders?.a?.verdict, decision.actions]).toEqual(['healthy', []]);
      expect(decision.alerts.map((alert) => alert.reason)).toEqual(['route-server-doubt']);
    }
  });

  test('it confirms what one other source says', () => {
    const bad = asked({ 'seat-w': app('unhealthy') });
    expect(verdict(metric(false, 60_000, 'a', unread(bad)))).toBe('unhealthy');
    expect(verdict(held(bad, false))).toBe('unhealthy');
    expect(verdict(held(bad, true))).toBe('degraded');
  });

  test('its routes count before its metric, which is older', () => {
    const bad = asked({ 'seat-w': app('unhealthy') });
    expect(verdict(metric(false, 60_000, 'a', held(bad, true)))).toBe('degraded');
    expect(verdict(metric(true, 60_000, 'a', held(bad, false)))).toBe('unhealthy');
  });

  test('what is old, or from before the session or the announcement, says nothing', () => {
    const bare = unread(well);
    expect(says(metric(false, PEER_STATUS_FRESH_MS, 'a', bare), 'route-server metric')).toBe('unhealthy');
    expect(says(metric(false, PEER_STATUS_FRESH_MS + 1, 'a', bare), 'route-server metric')).toBeUndefined();
    expect(says(metric(false, 3_700_000, 'a', bare), 'route-server metric')).toBeUndefined();
    expect(says(held(well, false, LEARNED_FRESH_MS), 'route-server')).toBe('unhealthy');
    expect(says(held(well, false, LEARNED_FRESH_MS + 1), 'route-server')).toBeUndefined();
    const reread = saying(well, nvaName('a'), 'healthy', longAgoMs);
    const justNow = nvaAnnouncedAt(reread, nowMs - 1000);
    expect(says(held(justNow, false), 'route-server')).toBeUndefined();
  });

  test('explain tabulates each source with its age', () => {
    const snapshot = metric(true, 240_000, 'a', asked({ 'seat-w': app('healthy', 2000) }));
    const decision = decide(snapshot, policy, config, nowMs);
    const line = explainVip(policy, decision, config, 'orders', nowMs).find((text) => text.startsWith('proof'));
    expect(line).toContain('application from seat-w healthy 2s ago (answered)');
    expect(line).toContain('route-server metric healthy 4m ago (2 of 2 sessions up by its metric)');
    expect(line).toContain('route-server healthy 0s ago (2 of 2 instances hold the route)');
  });
});

function nvaAnnouncedAt(snapshot: Snapshot, sinceMs: number): Snapshot {
  const evidence = snapshot.nvas[nvaName('a')];
  if (evidence?.report === undefined) throw new Error('no report');
  const { report } = evidence.report;
  const vips = report.vips.map((row) => ({ ...row, announced: row.announced && { ...row.announced, sinceMs } }));
  const changed = { ...evidence, report: { ...evidence.report, report: { ...report, vips } } };
  return { ...snapshot, nvas: { ...snapshot.nvas, [nvaName('a')]: changed } };
}

describe('whatever', () => {
  const conditions = fc.constantFrom('healthy', 'degraded', 'unhealthy', 'unknown', 'lost');
  const measured = fc.option(fc.record({ isUp: fc.boolean(), ageMs: fc.integer({ min: -600_000, max: 4_000_000 }) }));
  const worlds = fc.record({
    conditions: fc.tuple(conditions, conditions, conditions),
    metrics: fc.tuple(measured, measured, measured),
    acting: fc.constantFrom('a', 'b', 'c'),
  });
  const REGIONS = ['a', 'b', 'c'] as const;

  const worldOf = ({ conditions: given, acting }: { conditions: readonly string[]; acting: string }) => {
    const vip = policy.vips.orders;
    if (vip === undefined) throw new Error('no vip');
    const moved: Policy = { ...policy, vips: { orders: { ...vip, acting } } };
    let snapshot = allWell(moved, config, nowMs);
    for (const [i, region] of REGIONS.entries()) {
      const said = given[i];
      if (said === 'lost') snapshot = silent(snapshot, nvaName(region), nowMs, 5000);
      else snapshot = saying(snapshot, nvaName(region), said as 'healthy', nowMs - 60_000);
    }
    return { moved, snapshot };
  };

  /** What is done and what is not; in the reasons for it every source may be told. */
  const done = (decision: Decision | undefined) => ({
    policy: decision?.policy,
    actions: decision?.actions.map(({ detail: _told, ...action }) => action),
    blocked: decision?.blocked.map(({ detail: _told, ...blocked }) => blocked),
  });

  test('the metric says, it alone changes neither policy nor wire nor what is blocked', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { moved, snapshot } = worldOf(world);
        let told = snapshot;
        for (const [i, region] of REGIONS.entries()) {
          const value = world.metrics[i];
          if (value) told = metric(value.isUp, value.ageMs, region, told);
        }
        const [without, withIt] = [snapshot, told].map((one) => decide(one, moved, config, nowMs));
        expect(done(withIt)).toEqual(done(without));
      }),
      { numRuns: 300 },
    );
  });

  test('no seat is answered, it alone changes neither policy nor wire nor what is blocked', () => {
    fc.assert(
      fc.property(worlds, fc.integer({ min: 0, max: 30_000 }), (world, ageMs) => {
        const { moved, snapshot } = worldOf(world);
        const none = Object.fromEntries(REGIONS.map((region) => [region, app('unknown', ageMs)]));
        const told: Snapshot = { ...snapshot, apps: { 'seat-w': { orders: none } } };
        const [without, withIt] = [snapshot, told].map((one) => decide(one, moved, config, nowMs));
        expect(done(withIt)).toEqual(done(without));
      }),
      { numRuns: 200 },
    );
  });
});
