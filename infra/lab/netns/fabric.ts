// The routers of the lab: both Route Server instances and the edge of every region, and the on-premises router, all BIRD.

import { type Bird, startBird } from './bird.ts';
import { edgeConfig, onPremisesConfig, protocolOfNva, routeServerConfig } from './bird-config.ts';
import type { BirdRoute } from './bird-routes.ts';
import type { LabContext } from './context.ts';
import { findPlannedRegion, type RegionPlan, VIP } from './plan.ts';
import type { LabProcess } from './processes.ts';

export interface Fabric {
  /** What the on-premises router holds: one route per circuit, the best one marked. */
  onPremises(): Promise<BirdRoute[]>;
  /** What both Route Server instances hold from the region's NVA, by address of the instance. */
  routeServers(region: string): Promise<Readonly<Record<string, readonly BirdRoute[]>>>;
  /** Ends the sessions between the region's Route Server and its NVA, as if the hold time were over. */
  resetNvaSessions(region: string): Promise<void>;
  areSessionsUp(region: string): Promise<boolean>;
  readonly processes: readonly LabProcess[];
  /** Control sockets by name (`we-rs1`, `we-edge`, `onprem`), for other processes that want to ask. */
  readonly sockets: Readonly<Record<string, string>>;
}

export const routeServerName = (region: RegionPlan, instance: number): string => `${region.short}-rs${instance + 1}`;
export const edgeName = (region: RegionPlan): string => `${region.short}-edge`;

/** Starts every router of the plan. */
export async function startFabric(lab: LabContext): Promise<Fabric> {
  const { plan } = lab;
  const onPremises = await startBird(lab, 'onprem', plan.onPremises, onPremisesConfig(plan));
  const routeServers = new Map<string, readonly Bird[]>();
  const edges: Bird[] = [];
  for (const region of plan.regions) {
    edges.push(await startBird(lab, edgeName(region), region.edge.namespace, edgeConfig(region)));
    routeServers.set(region.region, await startRouteServer(lab, region));
  }
  const instancesOf = (region: string): readonly Bird[] => routeServers.get(region) ?? [];
  const birds = [onPremises, ...edges, ...[...routeServers.values()].flat()];
  return {
    onPremises: () => onPremises.routes(VIP.prefix),
    routeServers: async (name) => {
      const region = findPlannedRegion(plan, name);
      const held = await Promise.all(instancesOf(name).map((bird) => bird.routes(VIP.prefix)));
      return Object.fromEntries(region.routeServers.map((instance, i) => [instance.address, held[i] ?? []]));
    },
    resetNvaSessions: async (name) => {
      const protocol = protocolOfNva(findPlannedRegion(plan, name).nva.name);
      await Promise.all(instancesOf(name).map((bird) => bird.restart(protocol)));
    },
    areSessionsUp: async (name) => {
      const protocol = protocolOfNva(findPlannedRegion(plan, name).nva.name);
      const states = await Promise.all(instancesOf(name).map((bird) => bird.isEstablished(protocol)));
      return states.every(Boolean);
    },
    processes: birds.map((bird) => bird.process),
    sockets: Object.fromEntries(birds.map((bird) => [bird.process.name, bird.socket])),
  };
}

async function startRouteServer(lab: LabContext, region: RegionPlan): Promise<Bird[]> {
  const instances: Bird[] = [];
  for (const [i, instance] of region.routeServers.entries()) {
    instances.push(await startBird(lab, routeServerName(region, i), instance.namespace, routeServerConfig(region, i)));
  }
  return instances;
}
