// The route change window: what is said once more, and when.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { paceChange, paceResend, UNPACED } from '../../../nva-agent/route/pacing.ts';

const WINDOW_MS = 30_000;

describe('the route change window', () => {
  test('a first change opens a window and is not repeated', () => {
    expect(paceChange(UNPACED, WINDOW_MS, 1000)).toEqual({ windowEndsMs: 31_000, resendAtMs: undefined });
  });

  test('a change within the window is repeated when it closes; further ones do not move that', () => {
    const first = paceChange(UNPACED, WINDOW_MS, 1000);
    const second = paceChange(first, WINDOW_MS, 11_000);
    expect(second).toEqual({ windowEndsMs: 31_000, resendAtMs: 31_000 });
    expect(paceChange(second, WINDOW_MS, 25_000)).toEqual(second);
  });

  test('a change after the window opens a new one', () => {
    const first = paceChange(UNPACED, WINDOW_MS, 1000);
    expect(paceChange(first, WINDOW_MS, 31_000)).toEqual({ windowEndsMs: 61_000, resendAtMs: undefined });
  });

  test('the repetition opens a window of its own, so that what follows it is repeated too', () => {
    const repeated = paceResend(WINDOW_MS, 31_000);
    expect(paceChange(repeated, WINDOW_MS, 40_000).resendAtMs).toBe(61_000);
  });

  test('without a window nothing is ever repeated', () => {
    expect(paceChange(paceChange(UNPACED, 0, 1), 0, 2)).toEqual(UNPACED);
  });

  test('the last change of any sequence is either the first of its window or repeated at its end', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }), (gaps) => {
        let pacing = UNPACED;
        let nowMs = 0;
        for (const gap of gaps) {
          nowMs += gap;
          if (pacing.resendAtMs !== undefined && pacing.resendAtMs <= nowMs)
            pacing = paceResend(WINDOW_MS, pacing.resendAtMs);
          const isFirst = nowMs >= pacing.windowEndsMs;
          pacing = paceChange(pacing, WINDOW_MS, nowMs);
          expect(pacing.resendAtMs === undefined).toBe(isFirst);
          expect(pacing.windowEndsMs - nowMs).toBeLessThanOrEqual(WINDOW_MS);
        }
      }),
    );
  });
});
