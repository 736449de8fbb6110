// Many instances at once in random orders: every result right, every history legal.
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { DEFAULT_SETTINGS } from '../../../../infra/lab/host/host-settings.ts';
import { entityState } from '../../../../infra/lab/host/management.ts';
import { checkHistory } from './check-history.ts';
import { type Harness, startHarness } from './harness.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(60_000);

const INSTANCES = 60;

/** A small generator of repeatable random numbers (mulberry32), so that a failing order can be run again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe('sixty parallel instances with retries, races, children and an entity, in random order', () => {
  let h: Harness | undefined;
  afterAll(() => h?.host.stop());

  test.each([1, 2, 3])('seed %i', async (seed) => {
    await h?.host.stop();
    const settings = { ...DEFAULT_SETTINGS, activitiesMax: 7, orchestratorsMax: 5, entitiesMax: 2 };
    h = await startHarness({ loadApp: () => import('./fixtures/durable-app.ts'), pick: createRandom(seed), settings });
    const names = Array.from({ length: INSTANCES }, (_, i) => `s${seed}-${i}`);
    const ids = names.map((name, i) => h?.start('busy', { name, failures: i % 4 }, name) ?? '');
    await h.advance(5_000);
    for (const [i, id] of ids.entries()) {
      expect(await h.output(id)).toEqual({ flaky: `${id} after ${i % 4}`, slow: id, children: [1, 2] });
      checkHistory(h.history(id));
    }
    expect(entityState(h.engine, 'Counter', 'stress')).toBe(String(INSTANCES));
  });
});
