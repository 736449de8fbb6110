// The answer to a Prometheus scrape: gauges that are a view of the state are set when somebody looks.
import type { Registry } from 'prom-client';
import { createDataPlaneMetrics } from '../data-plane-metrics.ts';
import type { DataPlaneView } from '../data-plane-view.ts';
import type { AgentMetrics } from './metrics.ts';
import type { AgentStatus } from './status.ts';

const dataPlaneSetters = new WeakMap<Registry, (view: DataPlaneView) => void>();

/** Metrics of the data plane appear with the first one there is, and stay. */
function setDataPlane(registry: Registry, view: DataPlaneView): void {
  const known = dataPlaneSetters.get(registry) ?? createDataPlaneMetrics(registry);
  dataPlaneSetters.set(registry, known);
  known(view);
}

export async function scrape(metrics: AgentMetrics, status: AgentStatus): Promise<string> {
  const { announced, prepend, flapPenalty, registry } = metrics;
  for (const gauge of [announced, prepend, flapPenalty]) gauge.reset();
  for (const vip of status.vips) {
    announced.set({ vip: vip.vip, prefix: vip.prefix }, vip.announced === null ? 0 : 1);
    if (vip.announced !== null) prepend.set({ vip: vip.vip }, vip.announced.prepend);
    flapPenalty.set({ vip: vip.vip }, vip.flapPenalty);
  }
  metrics.peersDiffer.set(status.bgp.differing.length);
  if (status.dataPlane !== null) setDataPlane(registry, status.dataPlane);
  return await registry.metrics();
}
