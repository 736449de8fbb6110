// Watches the applications of an NVA: runs their probes when told, keeps their sentinels, and tells what was heard.
import { findNva, probesOf } from '../shared/topology.ts';
import type { ProbeConfig, Topology } from '../shared/topology-schema.ts';
import type { AgentEvent, AgentPlan } from './agent.ts';
import { type SentinelTarget, sentinelTarget } from './plan.ts';
import { type RunProbe, runProbe } from './probes/probe.ts';
import { type Sentinel, startSentinel } from './probes/sentinel.ts';

type Heard = Extract<AgentEvent, { type: 'probed' | 'sentinel-up' | 'sentinel-lost' }>;

interface Watched {
  readonly probes: readonly ProbeConfig[];
  readonly timeoutMs: number;
}

export interface Applications {
  /** Takes over a plan: what stays the same is left alone. */
  watch(topology: Topology, plan: AgentPlan): void;
  /** Starts one of this vip's probes, counted from 0; what is not watched is nobody's. */
  probe(vip: string, index: number): void;
  /** From now on nothing is told. */
  stop(): void;
}

export function createApplications(tell: (heard: Heard) => void, run: RunProbe = runProbe): Applications {
  let probes = new Map<string, Watched>();
  const sentinels = new Map<string, { readonly key: string; readonly sentinel: Sentinel }>();
  let isStopped = false;
  return {
    watch: (topology, plan) => {
      probes = watchedOf(topology, plan);
      const wanted = targetsOf(plan, probes);
      for (const [id, { key, sentinel }] of sentinels) {
        if (JSON.stringify(wanted.get(id)) === key) continue;
        sentinel.stop();
        sentinels.delete(id);
      }
      for (const [id, target] of wanted) {
        if (sentinels.has(id)) continue;
        const { vip, probe } = target;
        const sentinel = startSentinel(target, (event) => tell({ type: `sentinel-${event}`, vip, probe }));
        sentinels.set(id, { key: JSON.stringify(target), sentinel });
      }
    },
    probe: (vip, index) => {
      const watched = probes.get(vip);
      const probe = watched?.probes[index];
      if (watched === undefined || probe === undefined) return;
      void run(probe, watched.timeoutMs).then((outcome) => {
        if (!isStopped) tell({ type: 'probed', vip, outcome, probe: index });
      });
    },
    stop: () => {
      isStopped = true;
      for (const { sentinel } of sentinels.values()) sentinel.stop();
    },
  };
}

function watchedOf(topology: Topology, plan: AgentPlan): Map<string, Watched> {
  const region = findNva(topology, plan.nva)?.region;
  return new Map(
    topology.vips.flatMap((vip) => {
      if (region === undefined || !vip.regions.includes(region.name)) return [];
      return [[vip.name, { probes: probesOf(vip, region), timeoutMs: vip.health.timeoutMs }] as const];
    }),
  );
}

interface Target extends SentinelTarget {
  readonly vip: string;
  readonly probe: number;
}

/** Where sentinels go, by vip and probe. */
function targetsOf(plan: AgentPlan, watched: ReadonlyMap<string, Watched>): Map<string, Target> {
  return new Map(
    plan.vips.flatMap(({ vip, health, joint }) =>
      (watched.get(vip)?.probes ?? []).flatMap((config, probe) => {
        const isWanted = (joint?.rules[probe] ?? health).sentinel;
        const target = isWanted ? sentinelTarget(config) : undefined;
        return target === undefined ? [] : [[`${vip}/${probe}`, { vip, probe, host: target.host, port: target.port }]];
      }),
    ),
  );
}
