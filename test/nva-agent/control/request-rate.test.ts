// The bucket of each caller, under a simulated clock.
import { expect, test } from '@jest/globals';
import {
  ADDRESSES_MAX,
  createRequestRate,
  REQUESTS_BURST,
  REQUESTS_PER_SECOND,
} from '../../../nva-agent/control/request-rate.ts';

const admitted = (rate: ReturnType<typeof createRequestRate>, address: string, nowMs: number, count: number) =>
  Array.from({ length: count }, () => rate.admit(address, nowMs)).filter(Boolean).length;

test('a burst passes, the rest is refused, and the bucket refills evenly up to its brim', () => {
  const rate = createRequestRate();
  expect(admitted(rate, 'a', 0, REQUESTS_BURST + 50)).toBe(REQUESTS_BURST);
  expect(admitted(rate, 'a', 500, 1000)).toBe(REQUESTS_PER_SECOND / 2);
  expect(admitted(rate, 'a', 3_600_000, 1000)).toBe(REQUESTS_BURST);
});

test('a flood from one address leaves another alone, and a clock that went back gives nothing away', () => {
  const rate = createRequestRate();
  admitted(rate, 'a', 1000, 1000);
  expect(rate.admit('b', 1000)).toBe(true);
  expect(rate.admit('a', 0)).toBe(false);
});

test('addresses without number forget the one not heard for longest, not the one that floods', () => {
  const rate = createRequestRate();
  for (let i = 0; i < ADDRESSES_MAX * 2; i += 1) {
    admitted(rate, 'flood', 0, i === 0 ? REQUESTS_BURST : 1);
    rate.admit(`10.0.${i >> 8}.${i & 255}`, 0);
  }
  expect(rate.admit('flood', 0)).toBe(false);
});
