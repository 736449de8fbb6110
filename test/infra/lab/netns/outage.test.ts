// The outage a client lived through, computed from its samples.
import { describe, expect, test } from '@jest/globals';
import { firstAnswerBy, isServedBy, measureOutage, type Sample } from '../../../../infra/lab/netns/outage.ts';

const answered = (startMs: number, endMs: number, region = 'a'): Sample => ({ startMs, endMs, region });
const failed = (startMs: number, endMs: number): Sample => ({ startMs, endMs, region: null, failure: 'refused' });

describe('measureOutage', () => {
  test('is the time from the last answer before to the first answer after, in completion times', () => {
    const samples = [answered(0, 2), answered(10, 12), failed(20, 21), failed(30, 31), answered(40, 45, 'b')];
    expect(measureOutage(samples, 15, 100)).toEqual({ outageMs: 33, failedRequests: 2 });
  });

  test('without any failure it is about one period: never flattering', () => {
    const samples = [answered(0, 2), answered(10, 12), answered(20, 22, 'b'), answered(30, 32, 'b')];
    expect(measureOutage(samples, 15, 100)).toEqual({ outageMs: 10, failedRequests: 0 });
  });

  test('gaps that ended before the fault do not count, a gap that spans it does', () => {
    const samples = [answered(0, 2), answered(200, 202), answered(240, 250, 'b')];
    expect(measureOutage(samples, 210, 300)?.outageMs).toBe(48);
  });

  test('a request that timed out long after it began counts as failed, an answer of a later one ends the outage', () => {
    const samples = [answered(0, 2), failed(10, 1010), failed(20, 1020), answered(30, 33, 'b'), answered(40, 42, 'b')];
    expect(measureOutage(samples, 5, 2000)).toEqual({ outageMs: 31, failedRequests: 2 });
  });

  test('failures before the fault or begun after the end are somebody else’s', () => {
    const samples = [failed(0, 1), answered(2, 3), answered(10, 12, 'b'), failed(500, 501)];
    expect(measureOutage(samples, 5, 100)?.failedRequests).toBe(0);
  });

  test('without an answer after the fault there is no figure', () => {
    expect(measureOutage([answered(0, 2), failed(10, 11)], 5, 100)).toBeUndefined();
    expect(measureOutage([], 5, 100)).toBeUndefined();
  });

  test('answers arriving out of order are put in order', () => {
    const samples = [answered(0, 2), answered(20, 22), answered(10, 50)];
    expect(measureOutage(samples, 1, 100)?.outageMs).toBe(28);
  });
});

test('firstAnswerBy looks at requests begun after the fault only', () => {
  const samples = [answered(0, 30, 'b'), answered(20, 25, 'b'), answered(30, 31, 'b')];
  expect(firstAnswerBy(samples, 'b', 10)).toBe(25);
  expect(firstAnswerBy(samples, 'a', 10)).toBeUndefined();
});

test('isServedBy wants the latest requests, all of them, answered by the region', () => {
  const samples = [failed(0, 1), answered(10, 11, 'b'), answered(20, 21, 'b')];
  expect(isServedBy(samples, 'b', 2)).toBe(true);
  expect(isServedBy(samples, 'b', 3)).toBe(false);
  expect(isServedBy(samples, 'b', 4)).toBe(false);
  expect(isServedBy(samples, 'a', 1)).toBe(false);
});
