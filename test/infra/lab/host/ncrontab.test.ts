// NCRONTAB expressions: the next time of each, and what is refused.
import { describe, expect, test } from '@jest/globals';
import { nextOccurrenceMs, parseNcrontab } from '../../../../infra/lab/host/ncrontab.ts';

function next(expression: string, after: string): string | undefined {
  const parsed = parseNcrontab(expression);
  if (parsed.type === 'invalid') throw new Error(parsed.problems.join());
  const ms = nextOccurrenceMs(parsed.schedule, Date.parse(after));
  return ms === undefined ? undefined : new Date(ms).toISOString().replace('.000Z', '');
}

describe('ncrontab', () => {
  test.each([
    ['*/5 * * * * *', '2026-11-01T00:00:00Z', '2026-11-01T00:00:05'],
    ['*/5 * * * * *', '2026-11-01T00:00:04.999Z', '2026-11-01T00:00:05'],
    ['*/5 * * * * *', '2026-11-01T00:00:55Z', '2026-11-01T00:01:00'],
    ['0 */1 * * * *', '2026-11-01T00:00:00.001Z', '2026-11-01T00:01:00'],
    ['0 0 * * * *', '2026-11-01T23:59:59Z', '2026-11-02T00:00:00'],
    ['30 15 10 * * *', '2026-11-01T10:15:30Z', '2026-11-02T10:15:30'],
    ['0 0 9-17 * * Mon-Fri', '2026-11-06T17:00:00Z', '2026-11-09T09:00:00'],
    ['0 30 9 * Jan,Dec 1', '2026-11-01T00:00:00Z', '2026-12-07T09:30:00'],
    ['0 0 0 29 2 *', '2096-03-01T00:00:00Z', '2104-02-29T00:00:00'],
    ['0 0 0 13 * Fri', '2026-11-01T00:00:00Z', '2026-11-13T00:00:00'],
    ['5/20 * * * * *', '2026-11-01T00:00:25Z', '2026-11-01T00:00:45'],
    ['10-20/5 * * * * *', '2026-11-01T00:00:15Z', '2026-11-01T00:00:20'],
    ['0 0 0 31 12 *', '2026-12-31T00:00:00Z', '2027-12-31T00:00:00'],
    ['0 0 0 30 2 *', '2026-11-01T00:00:00Z', undefined],
  ])('%s after %s is %s', (expression, after, expected) => {
    expect(next(expression, after)).toBe(expected);
  });

  test.each([
    ['* * * * *', ["expected six fields, found 5: '* * * * *'"]],
    ['60 * * * * *', ["seconds: '60' is outside 0-59"]],
    ['x * 24 * * 7', ["seconds: 'x' is outside 0-59", "hours: '24' is outside 0-23", "weekdays: '7' is outside 0-6"]],
    ['*/0 * * * * *', ["seconds: '*/0' matches nothing"]],
    ['5-1 * * * * *', ["seconds: '5-1' matches nothing"]],
    ['1, * * * * *', ["seconds: '' is not a value, a range or a step"]],
  ])('%s is refused with every problem', (expression, problems) => {
    expect(parseNcrontab(expression)).toEqual({ type: 'invalid', problems });
  });
});
