// Figures of one run take the place of their elders by name, and only theirs.
import { expect, test } from '@jest/globals';
import { mergeResults, summarise } from './result.ts';

const DAY = '2026-11-22';

test('a figure measured again replaces its elder, the others stay as they were measured', () => {
  const before = [
    { name: 'codec', value: 1, unit: 'ms', date: '2026-11-01' },
    { name: 'decide', value: 2, unit: 'ms', date: '2026-11-01' },
  ];
  expect(mergeResults(before, [{ name: 'decide', value: 3, unit: 'ms' }], DAY)).toEqual([
    before[0],
    { name: 'decide', value: 3, unit: 'ms', date: DAY },
  ]);
});

test('ours over the peer is computed anew, whichever of the two was measured again', () => {
  const peer = { name: 'order [BIRD]', value: 8, unit: 'ms', peer: 'BIRD', ratio: 99, date: '2026-11-01' };
  const merged = mergeResults([peer], [{ name: 'order', value: 2, unit: 'ms' }], DAY);
  expect(merged.find(({ name }) => name === peer.name)?.ratio).toBe(0.25);
  const again = mergeResults(merged, [{ ...peer, value: 4 }], DAY);
  expect(again.find(({ name }) => name === peer.name)).toMatchObject({ value: 4, ratio: 0.5, date: DAY });
});

test('a peer without a figure of ours, or at zero, has no ratio', () => {
  const alone = { name: 'order [FRR]', value: 8, unit: 'ms', peer: 'FRR', ratio: 99 };
  expect(mergeResults([alone], [], DAY)[0]).not.toHaveProperty('ratio');
  const zero = { ...alone, value: 0 };
  expect(mergeResults([zero], [{ name: 'order', value: 2, unit: 'ms' }], DAY)[0]).not.toHaveProperty('ratio');
});

test('samples are summed up whatever their order', () => {
  const values = summarise('x', [5, 1, 3, 2, 4], 'ms').map(({ value }) => value);
  expect(values).toEqual([1, 3, 5]);
});
