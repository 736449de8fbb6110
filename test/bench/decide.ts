// How fast the engine decides: one vip at a time as a small deployment does, and a whole large fleet at once.
import { decide } from '../../functions/engine/decide.ts';
import { firstPolicy } from '../../functions/engine/first-policy.ts';
import { compileOrders } from '../../functions/engine/orders.ts';
import { allWell, deployment, nvaName, START_MS, saying } from '../support/engine-world.ts';
import type { BenchResult } from './result.ts';

const FLEET_VIPS = 10_000;
const FLEET_REGIONS = ['a', 'b', 'c', 'd'];
const ROUNDS = 5;

/** Steady evaluation, a region's failure for the whole fleet, and the orders that follow. */
export function benchDecide(): BenchResult[] {
  const vips = Array.from({ length: FLEET_VIPS }, () => ({}));
  const config = deployment({ regions: FLEET_REGIONS, vips, headroom: 4 });
  const first = firstPolicy(config, START_MS - 3_600_000);
  const well = allWell(first, config, START_MS);
  const policy = decide(well, first, config, START_MS).policy;
  const failed = saying(well, nvaName('a'), 'unhealthy', START_MS);
  const steadyMs = best(() => decide(well, policy, config, START_MS));
  const takeoverMs = best(() => decide(failed, policy, config, START_MS));
  const moved = decide(failed, policy, config, START_MS);
  if (moved.actions.length < FLEET_VIPS) throw new Error('the failed region kept vips');
  const ordersMs = best(() => compileOrders(moved.policy, config, { epoch: 1, generation: 2 }, START_MS));
  return [
    { name: 'decide, 10,000 vips x 4 regions, steady', value: steadyMs, unit: 'ms' },
    { name: 'decide, 10,000 vips x 4 regions, region fails', value: takeoverMs, unit: 'ms' },
    { name: 'decide, vip evaluations', value: Math.round((FLEET_VIPS / steadyMs) * 1000), unit: '1/s' },
    { name: 'compile orders, 10,000 vips x 4 regions', value: ordersMs, unit: 'ms' },
  ];
}

function best(run: () => unknown): number {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i += 1) {
    const startMs = performance.now();
    run();
    bestMs = Math.min(bestMs, performance.now() - startMs);
  }
  return Math.round(bestMs * 10) / 10;
}
