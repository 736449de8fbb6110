// Verdict fusion, source by source: stale is unknown, unknown is not unhealthy, and loss is contradicted easily.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { probesWanted } from '../../../functions/engine/evidence.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import type { Snapshot } from '../../../functions/engine/types.ts';
import {
  allWell,
  amend,
  deployment,
  nvaName,
  observing,
  START_MS,
  saying,
  silent,
} from '../../support/engine-world.ts';

const nowMs = START_MS;
const config = deployment({ regions: ['a', 'b', 'c'] });
const policy = firstPolicy(config, nowMs - 3_600_000);
const well = allWell(policy, config, nowMs);
const a = nvaName('a');

const fused = (snapshot: Snapshot, region = 'a') => decide(snapshot, policy, config, nowMs).verdicts.orders?.[region];
const verdict = (snapshot: Snapshot, region = 'a') => fused(snapshot, region)?.verdict;
const seat = (region: string) => ({ name: 'seat-x', region, leaderSinceMs: 0, followedFresh: true });
const view = (name: string, heard: readonly string[], atMs = nowMs) => ({
  seat: name,
  region: 'elsewhere',
  atMs,
  heardAtMs: Object.fromEntries(['a', 'b', 'c'].map((r) => [nvaName(r), heard.includes(r) ? nowMs : nowMs - 60_000])),
});
const aged = (snapshot: Snapshot, ageMs: number): Snapshot => {
  const { report } = silent(snapshot, a, nowMs, ageMs).nvas[a] ?? {};
  return { ...snapshot, nvas: { ...snapshot.nvas, [a]: report === undefined ? {} : { report } } };
};

describe('agent', () => {
  test.each(['healthy', 'degraded', 'unhealthy', 'unknown'] as const)('%s counts alone', (said) => {
    expect(verdict(saying(well, a, said, nowMs))).toBe(said);
  });

  test('older than three periods by our clock is unknown; the sender clock does not matter', () => {
    expect(verdict(aged(well, 6000))).toBe('healthy');
    expect(verdict(aged(well, 6001))).toBe('unknown');
    expect(verdict(amend(well, a, (report) => ({ ...report, atMs: report.atMs - 86_400_000 })))).toBe('healthy');
  });

  test('never heard, or a vip it does not mention: unknown', () => {
    const { [a]: _gone, ...others } = well.nvas;
    expect(verdict({ ...well, nvas: others })).toBe('unknown');
    expect(verdict(amend(well, a, (report) => ({ ...report, vips: [] })))).toBe('unknown');
  });

  test('an agent that is stopping is as good as unhealthy', () => {
    expect(verdict(amend(well, a, (report) => ({ ...report, stopping: true })))).toBe('unhealthy');
  });

  test('its since is told on our clock', () => {
    const skewed = amend(well, a, (report) => ({
      ...report,
      atMs: 5000,
      vips: report.vips.map((row) => ({ ...row, local: { ...row.local, sinceMs: 1000 } })),
    }));
    expect(fused(skewed)?.sinceMs).toBe(nowMs - 4000);
  });
});

describe('loss', () => {
  test('needs two periods of silence and a failed probe asked after the last report', () => {
    expect(verdict(silent(well, a, nowMs, 4000))).toBe('lost');
    expect(verdict(silent(well, a, nowMs, 3999))).toBe('healthy');
    expect(verdict(aged(well, 60_000))).toBe('unknown');
    const asked = silent(well, a, nowMs, 10_000);
    const evidence = asked.nvas[a] ?? {};
    const probed = (probe: NonNullable<typeof evidence.probe>) =>
      verdict({ ...asked, nvas: { ...asked.nvas, [a]: { ...evidence, probe } } });
    expect(probed({ atMs: nowMs - 1, outcome: 'answered' })).toBe('unknown');
    expect(probed({ atMs: nowMs - 10_000, outcome: 'failed' })).toBe('unknown');
  });

  test('is contradicted by a fresh view of another seat, not by an old one', () => {
    const lost = silent(well, a, nowMs, 10_000);
    expect(verdict({ ...lost, seatViews: [view('seat-y', ['a'])] })).toBe('unknown');
    expect(verdict({ ...lost, seatViews: [view('seat-y', ['a'], nowMs - 7000)] })).toBe('lost');
    expect(verdict({ ...lost, seatViews: [view('seat-w', ['a'])] })).toBe('lost');
  });

  test('is contradicted by an observer answered since, not by an answer from before', () => {
    const lost = silent(well, a, nowMs, 5000);
    expect(verdict(observing(lost, 'hq', 'a', nowMs))).not.toBe('lost');
    expect(verdict(observing(lost, 'hq', 'a', nowMs - 4000))).toBe('lost');
    expect(verdict(observing(lost, 'hq', 'b', nowMs))).toBe('lost');
    expect(verdict(observing(lost, 'hq', null, nowMs))).toBe('lost');
  });

  test('of its own region makes a seat doubt itself until another seat agrees', () => {
    const own = { ...silent(well, a, nowMs, 10_000), seat: seat('a') };
    expect(verdict(own)).toBe('unknown');
    expect(verdict({ ...own, seatViews: [view('seat-y', ['b', 'c'])] })).toBe('lost');
    expect(verdict({ ...own, seatViews: [view('seat-y', [])] })).toBe('unknown');
  });

  test('of two regions at once makes a seat doubt itself, one after the other does not', () => {
    const both = (apartMs: number) => silent(silent(well, a, nowMs, 10_000), nvaName('b'), nowMs, 10_000 + apartMs);
    expect([verdict(both(0)), verdict(both(0), 'b')]).toEqual(['unknown', 'unknown']);
    expect([verdict(both(60_000)), verdict(both(60_000), 'b')]).toEqual(['lost', 'lost']);
  });

  test('of one of several NVAs is no loss of the region', () => {
    const pair = deployment({ nvasPerRegion: 2 });
    const first = firstPolicy(pair, 0);
    const decision = decide(silent(allWell(first, pair, nowMs), a, nowMs, 5000), first, pair, nowMs);
    expect(decision.verdicts.orders?.a?.verdict).toBe('healthy');
    expect(decision.policy.vips.orders?.regions.a?.survivors).toEqual({ nvas: [nvaName('a', 2)], minus: 1 });
    expect(decision.policy.vips.orders?.acting).toBe('a');
  });
});

describe('other sources', () => {
  const signal = (said: 'healthy' | 'unhealthy', ageMs = 0) => ({
    signals: { orders: { a: { atMs: nowMs - ageMs, verdict: said } } },
  });

  test('one alone degrades, two independent ones make unhealthy, stale ones say nothing', () => {
    expect(verdict({ ...well, ...signal('unhealthy') })).toBe('degraded');
    expect(verdict(observing(well, 'hq', null, nowMs))).toBe('degraded');
    expect(verdict({ ...observing(well, 'hq', null, nowMs), ...signal('unhealthy') })).toBe('unhealthy');
    expect(verdict({ ...well, ...signal('unhealthy', 180_001) })).toBe('healthy');
    expect(verdict(observing(well, 'hq', null, nowMs - 6001))).toBe('healthy');
  });

  test('all observers together are one source, and one that is answered clears the region', () => {
    const two = observing(observing(well, 'hq', null, nowMs), 'plant', null, nowMs);
    expect(verdict(two)).toBe('degraded');
    expect(verdict(observing(observing(well, 'hq', null, nowMs), 'plant', 'a', nowMs))).toBe('healthy');
  });

  test('observers say nothing of a region that does not act', () => {
    expect(verdict(observing(well, 'hq', null, nowMs), 'b')).toBe('healthy');
  });

  test('do not make an unknown agent healthy or degraded', () => {
    expect(verdict({ ...saying(well, a, 'unknown', nowMs), ...signal('healthy') })).toBe('unknown');
    expect(verdict({ ...saying(well, a, 'unknown', nowMs), ...signal('unhealthy') })).toBe('unknown');
  });
});

describe('probes', () => {
  test('are wanted one and a half periods after a report, once a period, never of an agent never heard', () => {
    expect(probesWanted(aged(well, 2999), config, nowMs)).toEqual([]);
    expect(probesWanted(aged(well, 3000), config, nowMs)).toEqual([a]);
    const asked = silent(well, a, nowMs, 5000);
    expect(probesWanted(asked, config, nowMs)).toEqual([]);
    expect(probesWanted(asked, config, nowMs + 1999)).toContain(a);
    expect(probesWanted({ ...well, nvas: {} }, config, nowMs)).toEqual([]);
  });

  test('the engine looks again when a report is due for one, for loss, and for staleness', () => {
    const look = (ageMs: number) => decide(aged(well, ageMs), policy, config, nowMs).nextLookMs - nowMs;
    expect([look(1999), look(3000), look(4000)]).toEqual([1001, 1000, 2001]);
  });
});
