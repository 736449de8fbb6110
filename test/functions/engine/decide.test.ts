// The rows of the plan table (functions/engine/plan.ts), each by name.
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import type { Intent, Policy } from '../../../functions/engine/types.ts';
import { allWell, deployment, nvaName, START_MS, saying, silent } from '../../support/engine-world.ts';

const config = deployment();
const rest = firstPolicy(config, START_MS - 3_600_000);
const nowMs = START_MS;

const rungs = (policy: Policy) =>
  Object.fromEntries(Object.entries(policy.vips.orders?.regions ?? {}).map(([name, row]) => [name, row.rung]));

const intent = (overrides: Partial<Intent>): Intent => ({
  id: 'i-1',
  type: 'failover',
  vip: 'orders',
  actor: 'ops',
  actorType: 'human',
  reason: 'CHG0042',
  force: [],
  createdAtMs: nowMs,
  deadlineMs: nowMs + 120_000,
  operation: 'op-1',
  ...overrides,
});

describe('plan table', () => {
  test('acting healthy: keep', () => {
    const decision = decide(allWell(rest, config, nowMs), rest, config, nowMs);
    expect(decision.actions).toEqual([]);
    expect(decision.reasons[0]?.reason).toBe('steady');
  });

  test('acting unhealthy, other healthy: takeover to one rung below everything the acting region may have', () => {
    const decision = decide(
      saying(allWell(rest, config, nowMs), nvaName('a'), 'unhealthy', nowMs),
      rest,
      config,
      nowMs,
    );
    expect(decision.policy.vips.orders?.acting).toBe('b');
    expect(rungs(decision.policy)).toEqual({ a: 4, b: 3 });
    expect(decision.reasons[0]?.reason).toBe('app-unhealthy');
  });

  test('acting lost, other healthy: takeover', () => {
    const decision = decide(silent(allWell(rest, config, nowMs), nvaName('a'), nowMs, 4000), rest, config, nowMs);
    expect(decision.policy.vips.orders?.acting).toBe('b');
    expect(decision.reasons[0]?.reason).toBe('nva-lost');
  });

  test('intent to a healthy region: move now, and hold automation off', () => {
    const policy = { ...rest, intents: [intent({ region: 'b' })] };
    const decision = decide(allWell(policy, config, nowMs), policy, config, nowMs);
    expect(decision.intents).toEqual([{ intent: 'i-1', vip: 'orders', outcome: 'carried-out', reasons: [] }]);
    expect(decision.policy.vips.orders?.acting).toBe('b');
    expect(decision.policy.holds.map((hold) => hold.id)).toEqual(['h-i-1']);
  });

  test('fail back after afterSeconds of unbroken health', () => {
    const moved = decide(
      saying(allWell(rest, config, nowMs), nvaName('a'), 'unhealthy', nowMs),
      rest,
      config,
      nowMs,
    ).policy;
    const back = decide(allWell(moved, config, nowMs + 5000), moved, config, nowMs + 5000).policy;
    expect(back.vips.orders?.acting).toBe('b');
    const dueMs = nowMs + 5000 + 600_000;
    expect(decide(allWell(back, config, dueMs - 1), back, config, dueMs - 1).policy.vips.orders?.acting).toBe('b');
    const decision = decide(allWell(back, config, dueMs), back, config, dueMs);
    expect(decision.policy.vips.orders?.acting).toBe('a');
    expect(rungs(decision.policy)).toEqual({ a: 2, b: 3 });
  });
});
