// The network as users meet it: two Route Server instances a region, circuits, on-premises routers, and who answers.

import { edgeRoutes, edgeStyleOf, nextHops, onPremisesRoutes } from '../../infra/lab/on-premises.ts';
import {
  applyUpdate,
  closeWindows,
  dropPeer,
  EMPTY_RIB,
  learnedRoutes,
  nextWindowMs,
  type Rib,
  type RibSettings,
} from '../../infra/lab/route-server-rib.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { Timeline } from './timeline.ts';

export interface RouteChange {
  readonly prefix: string;
  /** null: withdrawn. */
  readonly asPath: readonly number[] | null;
}

export interface NetworkOptions {
  readonly topology: Topology;
  readonly timeline: Timeline;
  /** Of Route Server, which may be quicker than the deployment allows for. */
  readonly routeChangeMs: number;
  /** Called when the next hops of some prefix may have changed. */
  readonly onChange: () => void;
}

interface Instance {
  readonly region: string;
  readonly peer: string;
  rib: Rib;
  windowAtMs: number;
}

export class Network {
  readonly #options: NetworkOptions;
  readonly #settings: RibSettings;
  readonly #instances: Instance[];
  #table: ReturnType<typeof onPremisesRoutes> = [];
  #isTableOld = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#settings = { routeLimit: 4000, routeChangeMs: options.routeChangeMs };
    this.#instances = options.topology.regions.flatMap((region) =>
      region.routeServer.peers.map((peer) => ({ region: region.name, peer, rib: EMPTY_RIB, windowAtMs: Infinity })),
    );
  }

  /** An UPDATE of this NVA has arrived at one instance. */
  update(region: string, peer: string, nva: string, changes: readonly RouteChange[]): void {
    const instance = this.#instanceOf(region, peer);
    const outcome = applyUpdate(
      instance.rib,
      this.#settings,
      nva,
      {
        withdrawn: changes.filter((change) => change.asPath === null).map((change) => change.prefix),
        announced: changes.flatMap(({ prefix, asPath }) => (asPath === null ? [] : [{ prefix, asPath, nextHop: nva }])),
      },
      this.#options.timeline.nowMs,
    );
    if (outcome.type === 'applied') this.#put(instance, outcome.rib);
  }

  /** The session is over for this instance, whatever the NVA thinks of it. */
  drop(region: string, peer: string, nva: string): void {
    const instance = this.#instanceOf(region, peer);
    this.#put(instance, dropPeer(instance.rib, nva));
  }

  /** What the instances of a region hold from this NVA: peer -> prefix -> AS path. */
  learned(region: string, nva: string): Record<string, Record<string, readonly number[]>> {
    const held: Record<string, Record<string, readonly number[]>> = {};
    for (const instance of this.#instances) {
      if (instance.region !== region) continue;
      const routes = learnedRoutes(instance.rib).filter((route) => route.nva === nva);
      held[instance.peer] = Object.fromEntries(routes.map((route) => [route.prefix, route.asPath]));
    }
    return held;
  }

  /** NVAs that users of this prefix are sent to now. */
  nextHops(prefix: string): string[] {
    return nextHops(this.#current(), prefix);
  }

  isHeld(prefix: string): boolean {
    return this.#current().some((route) => route.prefix === prefix);
  }

  /** For a story: region and length of every path on-premises. */
  pathsText(prefix: string): string {
    return this.#current()
      .filter((route) => route.prefix === prefix)
      .map((route) => `${route.region}:${route.asPath.length}${route.best ? '*' : ''}`)
      .join(' ');
  }

  #current(): ReturnType<typeof onPremisesRoutes> {
    if (!this.#isTableOld) return this.#table;
    this.#isTableOld = false;
    const { topology } = this.#options;
    const edges = topology.regions.flatMap((region, i) => {
      const held = this.#instances.filter((one) => one.region === region.name).flatMap((one) => learnedRoutes(one.rib));
      return edgeRoutes(region.name, held, edgeStyleOf(topology.transport, i));
    });
    this.#table = onPremisesRoutes(edges, topology.transport);
    return this.#table;
  }

  #instanceOf(region: string, peer: string): Instance {
    const found = this.#instances.find((one) => one.region === region && one.peer === peer);
    if (found === undefined) throw new Error(`no Route Server ${region}/${peer}`);
    return found;
  }

  #put(instance: Instance, rib: Rib): void {
    instance.rib = rib;
    this.#isTableOld = true;
    this.#options.onChange();
    const dueMs = nextWindowMs(rib, this.#settings);
    if (dueMs === undefined || dueMs === instance.windowAtMs) return;
    instance.windowAtMs = dueMs;
    this.#options.timeline.at(dueMs, () => {
      if (instance.windowAtMs !== dueMs) return;
      instance.windowAtMs = Infinity;
      this.#put(instance, closeWindows(instance.rib, this.#settings, this.#options.timeline.nowMs));
    });
  }
}
