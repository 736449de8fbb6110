// What may still be on the wire, and by which evidence an earlier rung is gone.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { highestPossible, lowestPossible, possible } from '../../../functions/engine/possible.ts';
import type { EngineConfig, RegionPolicy, Snapshot } from '../../../functions/engine/types.ts';
import { allWell, amend, deployment, nvaName, START_MS } from '../../support/engine-world.ts';

const nowMs = START_MS;
const config = deployment();
const b = nvaName('b');
const row = (overrides: Partial<RegionPolicy>): RegionPolicy => ({
  role: 'backup',
  rung: 4,
  state: 'announced',
  changedAtMs: nowMs - 3_600_000,
  generation: 7,
  maybe: [],
  ...overrides,
});

test('the current rung and every earlier one', () => {
  const earlier = [
    { rung: 2, generation: 5, atMs: 0 },
    { rung: 5, generation: 6, atMs: 0 },
  ];
  expect(possible(row({ maybe: earlier }))).toEqual([4, 2, 5]);
  expect([lowestPossible(row({ maybe: earlier }), 3), highestPossible(row({ maybe: earlier }))]).toEqual([2, 5]);
});

test('survivors reach below their rung only where a prepend is a rung', () => {
  const survivors = { nvas: ['x'], minus: 1 };
  expect(lowestPossible(row({ survivors }), 1)).toBe(3);
  expect(lowestPossible(row({ survivors }), 5)).toBe(4);
  expect(lowestPossible(row({ maybe: [{ rung: 3, generation: 1, atMs: 0, minus: 2 }] }), 1)).toBe(1);
});

describe('an earlier rung is forgotten', () => {
  const first = firstPolicy(config, nowMs - 3_600_000);
  const vip = first.vips.orders;
  if (vip === undefined) throw new Error('no vip');
  const changed = (changedAtMs: number) => {
    const moved = row({ rung: 5, generation: 7, changedAtMs, maybe: [{ rung: 3, generation: 5, atMs: 0 }] });
    return { ...first, vips: { orders: { ...vip, regions: { ...vip.regions, b: moved } } } };
  };
  const policy = changed(nowMs - 3_600_000);
  const acked = (generation: number, snapshot: Snapshot = allWell(policy, config, nowMs)) =>
    amend(snapshot, b, (report) => ({ ...report, order: { epoch: 1, generation } }));
  const left = (snapshot: Snapshot, from = policy, by: EngineConfig = config) =>
    decide(snapshot, from, by, nowMs).policy.vips.orders?.regions.b?.maybe.length;
  const unread = (snapshot: Snapshot): Snapshot => ({ ...snapshot, learned: {} });
  const learning = (prepends: readonly number[], atMs = nowMs): Snapshot => ({
    ...acked(7),
    learned: {
      [b]: { atMs, peers: Object.fromEntries(prepends.map((n, i) => [`p${i}`, { '192.0.2.1/32': path(n) }])) },
    },
  });
  const path = (prepends: number) => [65002, ...new Array<number>(prepends).fill(64500)];

  test('when acknowledged, announced and read on both instances', () => {
    expect(left(acked(7))).toBe(0);
    expect(left(learning([15, 15]))).toBe(0);
  });

  test('not when an NVA has an older order, announces something else, or is not heard of', () => {
    expect(left(acked(6))).toBe(1);
    const other = amend(acked(7), b, (report) => ({
      ...report,
      vips: report.vips.map((v) => ({ ...v, announced: v.announced && { ...v.announced, rung: 3, prepend: 9 } })),
    }));
    expect(left(other)).toBe(1);
    expect(left({ ...acked(7), nvas: {} })).toBe(1);
  });

  test('not when one instance shows something else, one was not read, or the reading is older than the announcement', () => {
    expect(left(learning([15, 9]))).toBe(1);
    expect(left(learning([15]))).toBe(1);
    const recent = changed(nowMs - 60_000);
    expect(left({ ...acked(7), ...{ learned: learning([15, 15], nowMs - 30_000).learned } }, recent)).toBe(1);
  });

  test('without any reading only after hold time and two windows with both sessions up', () => {
    expect(left(unread(acked(7)))).toBe(0);
    expect(left(unread(acked(7)), changed(nowMs - 240_000))).toBe(0);
    expect(left(unread(acked(7)), changed(nowMs - 239_999))).toBe(1);
    const flapped = amend(acked(7), b, (report) => ({
      ...report,
      sessions: report.sessions.map((session, i) => (i === 0 ? { ...session, sinceMs: nowMs - 1000 } : session)),
    }));
    expect(left(unread(flapped))).toBe(1);
  });

  test('when the agent fell to last resort and both instances show that', () => {
    const fallen = (prepend: number) =>
      amend(learning([18, prepend]), b, (report) => ({
        ...report,
        vips: report.vips.map((v) => ({
          ...v,
          announced: { rung: 6, prepend: 18, lastResort: true, sinceMs: nowMs - 100_000 },
        })),
      }));
    expect([left(fallen(18)), left(fallen(9))]).toEqual([0, 1]);
  });
});
