// The window: N of M, what confirms it, brown-outs, degradation.
import { describe, expect, test } from '@jest/globals';
import {
  clearingRun,
  confirmingRun,
  EMPTY_WINDOW,
  forgetFailures,
  type HealthWindow,
  isBrownOut,
  isDegraded,
  isFlapping,
  isSuspected,
  isUnhealthy,
  MARKS_MAX,
  pushOutcome,
  spanOf,
  type WindowRule,
} from '../../../nva-agent/health/window.ts';

const RULE: WindowRule = { fail: 3, of: 5, recover: 5 };

/** Oldest first: 1 passed, 0 failed, ? told nothing. */
const windowOf = (marks: string, rule: WindowRule = RULE, latencyMs = 10): HealthWindow =>
  [...marks].reduce((window, mark) => {
    if (mark === '?') return pushOutcome(window, rule, { type: 'unknown', detail: 'EMFILE' });
    if (mark === '1') return pushOutcome(window, rule, { type: 'pass', latencyMs });
    return pushOutcome(window, rule, { type: 'fail', latencyMs, detail: 'HTTP 500' });
  }, EMPTY_WINDOW);

const CLEAN = '1'.repeat(24);
const ALTERNATING = '10'.repeat(12);

describe('the window of 3 of 5', () => {
  test.each([
    // marks, suspected, sentinel lost, unhealthy
    ['', false, true, false],
    ['00', false, true, false],
    ['000', true, true, true],
    ['000', true, false, false],
    ['00000000', true, false, true],
    ['0000000', true, false, false],
    [`${CLEAN}10101`, false, true, false],
    [`${CLEAN}01010`, true, false, false],
    [`${CLEAN}01010`, true, true, false],
    [`${CLEAN}0?0?0`, true, true, true],
    [`${CLEAN}000???`, true, true, true],
    [`${CLEAN}000111`, false, true, false],
    [`${ALTERNATING}0`, true, false, true],
    [`${CLEAN}??????`, false, true, false],
  ])('%s: suspected %s; with sentinel lost %s: unhealthy %s', (marks, suspected, sentinelLost, unhealthy) => {
    const window = windowOf(marks);
    expect(isSuspected(window, RULE)).toBe(suspected);
    expect(isUnhealthy(window, RULE, sentinelLost)).toBe(unhealthy);
  });

  test('a brown-out needs a full span and 12 failures of 24', () => {
    expect(spanOf(RULE)).toBe(24);
    expect(isBrownOut(windowOf('0'.repeat(23)), RULE)).toBe(false);
    expect(isBrownOut(windowOf(`${'1'.repeat(13)}${'0'.repeat(11)}`), RULE)).toBe(false);
    expect(isBrownOut(windowOf(`${'1'.repeat(12)}${'0'.repeat(12)}`), RULE)).toBe(true);
  });

  test('a crash is no flapping, four turns from pass to fail are', () => {
    expect(isFlapping(windowOf(`${CLEAN}000000`), RULE)).toBe(false);
    expect(isFlapping(windowOf(`${CLEAN}0111101111000000`), RULE)).toBe(false);
    expect(isFlapping(windowOf(`${CLEAN}01110111011000000`), RULE)).toBe(true);
    expect(isFlapping(windowOf(ALTERNATING), RULE)).toBe(true);
  });

  test('marks and what is decided stay bounded', () => {
    const window = windowOf('01?'.repeat(200));
    expect(window.marks).toHaveLength(MARKS_MAX);
    expect(window.decided).toHaveLength(spanOf(RULE));
    expect(window.latenciesMs).toHaveLength(RULE.of);
  });

  test('a recovery forgets what lies before it', () => {
    expect(forgetFailures(windowOf('0000011111')).decided).toBe('11111');
    expect(forgetFailures(windowOf('11111')).decided).toBe('11111');
  });
});

describe('other rules', () => {
  test.each([
    [{ fail: 1, of: 1, recover: 1 }, 4, 1, 24],
    [{ fail: 3, of: 5, recover: 5 }, 8, 3, 24],
    [{ fail: 5, of: 10, recover: 3 }, 12, 6, 40],
    [{ fail: 25, of: 50, recover: 50 }, 52, 26, 64],
  ])('%o confirms after %i in a row, clears after %i, spans %i', (rule, confirming, clearing, span) => {
    expect([confirmingRun(rule), clearingRun(rule), spanOf(rule)]).toEqual([confirming, clearing, span]);
  });
});

describe('degraded', () => {
  test('a quarter of the span failing', () => {
    expect(isDegraded(windowOf(`1111${'11110'.repeat(4)}`), RULE)).toBe(false);
    expect(isDegraded(windowOf('1110'.repeat(6)), RULE)).toBe(true);
  });

  test('most of the latest passes slower than the limit, and only where one is set', () => {
    const slow = windowOf('11111', RULE, 300);
    expect(isDegraded(slow, RULE)).toBe(false);
    expect(isDegraded(slow, { ...RULE, degradedLatencyMs: 250 })).toBe(true);
    expect(isDegraded(windowOf('1111', RULE, 300), { ...RULE, degradedLatencyMs: 250 })).toBe(false);
  });
});
