// What one seat knows of the deployment: its own name, and the engine's configuration of every group.
import { groupsOf, ladderOf } from '../shared/topology.ts';
import type { Nva, Region, Seat, Topology } from '../shared/topology-schema.ts';
import type { EngineConfig } from './engine/types.ts';
import type { Ports } from './ports.ts';

export interface Deployment {
  readonly topology: Topology;
  readonly seat: Seat;
  readonly groups: readonly string[];
  configOf(group: string): EngineConfig;
}

/** What every activity and trigger works with. */
export interface Plane extends Ports {
  readonly deployment: Deployment;
}

export function createDeployment(topology: Topology, seat: Seat): Deployment {
  const groups = groupsOf(topology);
  const configs = new Map(groups.map((group) => [group, engineConfig(topology, group)]));
  return {
    topology,
    seat,
    groups,
    configOf(group) {
      const config = configs.get(group);
      if (config === undefined) throw new Error(`no such group: ${group}`);
      return config;
    },
  };
}

function engineConfig(topology: Topology, group: string): EngineConfig {
  return {
    topology,
    group,
    vips: topology.vips.filter((vip) => vip.group === group),
    ladder: ladderOf(topology),
    guards: topology.guards,
    reportMs: topology.timing.reportSeconds * 1000,
    routeChangeMs: topology.timing.routeChangeSeconds * 1000,
  };
}

type PlacedNva = { readonly region: Region; readonly nva: Nva };
/** A configuration never changes, so neither does the answer; it is asked for many times in each look. */
const placed = new WeakMap<EngineConfig, readonly PlacedNva[]>();

/** Every NVA that carries a vip of the group, with its region. */
export function nvasOf(config: EngineConfig): readonly PlacedNva[] {
  const known = placed.get(config);
  if (known !== undefined) return known;
  const members = new Set(config.vips.flatMap((vip) => vip.regions));
  const found = config.topology.regions
    .filter((region) => members.has(region.name))
    .flatMap((region) => region.nvas.map((nva) => ({ region, nva })));
  placed.set(config, found);
  return found;
}

/** The groups that this NVA carries vips of. */
export function groupsOfNva(deployment: Deployment, nva: string): string[] {
  return deployment.groups.filter((group) =>
    nvasOf(deployment.configOf(group)).some((entry) => entry.nva.name === nva),
  );
}
