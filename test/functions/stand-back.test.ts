// When a seat doubts its own ears, case by case.
import { expect, test } from '@jest/globals';
import type { StoredSeatView } from '../../functions/ports.ts';
import { findBetterEar } from '../../functions/stand-back.ts';

const NOW_MS = 1_000_000;
const view = (seat: string, ageMs: number, heardAgesMs: readonly number[]): StoredSeatView => ({
  ...{ seat, region: 'r', atMs: NOW_MS - ageMs, leads: false, decidedAtMs: null },
  heardAtMs: Object.fromEntries(heardAgesMs.map((age, i) => [`nva-${i}`, NOW_MS - ageMs - age])),
});
const better = (heardAgesMs: readonly number[], views: readonly StoredSeatView[]) =>
  findBetterEar({
    ...{ seat: 'a', views, reportMs: 1000, nowMs: NOW_MS },
    heardAtMs: heardAgesMs.map((age) => NOW_MS - age),
  });

test.each([
  ['deaf, another hears', [5001, 9000], [view('b', 2000, [500])], 'b'],
  ['never heard anybody, another hears', [], [view('b', 2000, [500])], 'b'],
  ['one NVA still heard', [5000, 9000], [view('b', 2000, [500])], undefined],
  ['nobody else', [9000], [], undefined],
  ["its own view is nobody else's", [9000], [view('a', 2000, [500])], undefined],
  ['another is as deaf', [9000], [view('b', 2000, [3001])], undefined],
  ['what another says is old', [9000], [view('b', 15_001, [500])], undefined],
  ['of two others one hears', [9000], [view('b', 2000, []), view('c', 2000, [3000])], 'c'],
])('%s', (_what, heard, views, expected) => {
  expect(better(heard, views)).toBe(expected);
});
