// The back-fill benchmark tells a loss: a figure of records that did not all arrive would be worth nothing.
import { expect, test } from '@jest/globals';
import { arrivalProblems, backfill, recordsOf } from './backfill.ts';

test('records of an outage all arrive, in as many runs as they need', async () => {
  const { runs, tookMs } = await backfill(1200);
  expect(runs).toBe(1);
  expect(tookMs).toBeGreaterThan(0);
});

test('a record that the endpoint refuses fails the benchmark instead of being left out of it', async () => {
  await expect(backfill(20, (id) => id === 'default-1-7')).rejects.toThrow('default-1-7 was set aside');
});

test('lost, doubled, swapped and changed records are named', () => {
  const sent = recordsOf(6);
  expect(arrivalProblems(sent, sent)).toEqual([]);
  expect(arrivalProblems(sent, sent.slice(0, 5))).toEqual(['default-1-5 did not arrive']);
  expect(arrivalProblems(sent, [...sent, ...sent.slice(5)])).toEqual(
    expect.arrayContaining(['default-1-5 arrived 2 times']),
  );
  const [a, b, ...rest] = sent as [(typeof sent)[0], (typeof sent)[0], ...typeof sent];
  expect(arrivalProblems(sent, [b, a, ...rest])).not.toEqual([]);
  expect(arrivalProblems(sent, [{ ...a, Reason: 'other' }, b, ...rest])).toContain('default-1-0 was changed');
});
