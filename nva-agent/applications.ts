// Watches the applications of an NVA: runs their probes when told, keeps their sentinels, and tells what was heard.
import { findNva, probeOf } from '../shared/topology.ts';
import type { ProbeConfig, Topology } from '../shared/topology-schema.ts';
import type { AgentEvent, AgentPlan } from './agent.ts';
import { sentinelTarget } from './plan.ts';
import { type RunProbe, runProbe } from './probes/probe.ts';
import { type Sentinel, startSentinel } from './probes/sentinel.ts';

type Heard = Extract<AgentEvent, { type: 'probed' | 'sentinel-up' | 'sentinel-lost' }>;

export interface Applications {
  /** Takes over a plan: what stays the same is left alone. */
  watch(topology: Topology, plan: AgentPlan): void;
  /** Starts one probe of this vip; a vip that is not watched is nobody's. */
  probe(vip: string): void;
  /** From now on nothing is told. */
  stop(): void;
}

export function createApplications(tell: (heard: Heard) => void, run: RunProbe = runProbe): Applications {
  let probes = new Map<string, { readonly probe: ProbeConfig; readonly timeoutMs: number }>();
  const sentinels = new Map<string, { readonly key: string; readonly sentinel: Sentinel }>();
  let isStopped = false;
  return {
    watch: (topology, plan) => {
      probes = probesOf(topology, plan);
      const wanted = targetsOf(plan, probes);
      for (const [vip, { key, sentinel }] of sentinels) {
        if (JSON.stringify(wanted.get(vip)) === key) continue;
        sentinel.stop();
        sentinels.delete(vip);
      }
      for (const [vip, target] of wanted) {
        if (sentinels.has(vip)) continue;
        const sentinel = startSentinel(target, (event) => tell({ type: `sentinel-${event}`, vip }));
        sentinels.set(vip, { key: JSON.stringify(target), sentinel });
      }
    },
    probe: (vip) => {
      const watched = probes.get(vip);
      if (watched === undefined) return;
      void run(watched.probe, watched.timeoutMs).then((outcome) => {
        if (!isStopped) tell({ type: 'probed', vip, outcome });
      });
    },
    stop: () => {
      isStopped = true;
      for (const { sentinel } of sentinels.values()) sentinel.stop();
    },
  };
}

function probesOf(topology: Topology, plan: AgentPlan) {
  const region = findNva(topology, plan.nva)?.region;
  return new Map(
    topology.vips.flatMap((vip) => {
      if (region === undefined || !vip.regions.includes(region.name)) return [];
      return [[vip.name, { probe: probeOf(vip, region), timeoutMs: vip.health.timeoutMs }] as const];
    }),
  );
}

/** Where a sentinel goes, by vip. */
function targetsOf(plan: AgentPlan, probes: ReadonlyMap<string, { readonly probe: ProbeConfig }>) {
  return new Map(
    plan.vips.flatMap((vip) => {
      const watched = probes.get(vip.vip);
      const target = vip.health.sentinel && watched !== undefined ? sentinelTarget(watched.probe) : undefined;
      return target === undefined ? [] : [[vip.vip, { host: target.host, port: target.port }] as const];
    }),
  );
}
