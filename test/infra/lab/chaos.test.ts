// What `npm run chaos` may be asked for: a wrong number must not end as a run of no rounds in which nothing was broken.
import { describe, expect, test } from '@jest/globals';
import { readChaosArguments } from '../../../infra/lab/chaos.ts';

describe('arguments of chaos', () => {
  test('ten minutes when nobody says; kills are counted, not timed', () => {
    expect(readChaosArguments(['--seed', '7'])).toMatchObject({ minutes: 10, seed: 7, patience: 1, everyFault: false });
    expect(readChaosArguments(['--kills', '3'])).toMatchObject({ kills: 3, minutes: Number.POSITIVE_INFINITY });
  });
  test.each([
    [['--minutes', 'abc'], '--minutes abc: a number above 0 is wanted'],
    [['--minutes', '0'], '--minutes 0: a number above 0 is wanted'],
    [['--kills=-1'], '--kills -1: a number above 0 is wanted'],
    [['--hours', '1'], "Unknown option '--hours'"],
  ])('%j is refused', (args, message) => {
    expect(() => readChaosArguments(args)).toThrow(message);
  });
});
