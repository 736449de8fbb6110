// The network of the lab: two Route Server instances per region, an edge per region, one on-premises router, and a
// forwarder per vip that sends each new connection to an NVA the router's table names at that moment.
import type { Topology } from '../../shared/topology-schema.ts';
import {
  type EdgeRoute,
  edgeRoutes,
  edgeStyleOf,
  nextHops,
  type OnPremisesRoute,
  onPremisesRoutes,
} from './on-premises.ts';
import { type RouteServer, startRouteServer } from './route-server.ts';
import { startTcpForwarder, type Target, type TcpForwarder } from './tcp-forwarder.ts';
import type { WorldRegion } from './world.ts';

export interface NetworkOptions {
  readonly topology: Topology;
  /** Least time between two applied changes of a prefix at Route Server; 0: none. */
  readonly routeChangeMs: number;
  /** Called after the on-premises table changed. */
  readonly onChange: (table: readonly OnPremisesRoute[]) => void;
}

export interface Network {
  /** By region: ports of both instances. */
  readonly routeServerPorts: Readonly<Record<string, readonly number[]>>;
  /** By vip: port of its forwarder. */
  readonly vipPorts: Readonly<Record<string, number>>;
  /** Source address of an NVA's sessions. */
  addressOf(nva: string): string;
  routeServers(region: string): readonly RouteServer[];
  edge(region: string): WorldRegion['edge'];
  table(): readonly OnPremisesRoute[];
  /** Where the NVA's data plane takes the connections of each vip; undefined when it is gone. */
  setDataPlane(nva: string, ports: Readonly<Record<string, number>> | undefined): void;
  close(): Promise<void>;
}

/** Route Server has two instances per region, always. */
const INSTANCES = 2;

/** Starts everything on free ports of loopback. */
export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const network = new LabNetwork(options);
  await network.start();
  return network;
}

class LabNetwork implements Network {
  readonly #options: NetworkOptions;
  readonly #addresses = new Map<string, string>();
  readonly #routeServers = new Map<string, RouteServer[]>();
  readonly #forwarders = new Map<string, TcpForwarder>();
  readonly #dataPlanes = new Map<string, Readonly<Record<string, number>>>();
  #edges = new Map<string, readonly EdgeRoute[]>();
  #table: readonly OnPremisesRoute[] = [];
  #connections = 0;
  #isClosed = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    for (const region of options.topology.regions) {
      // One NVA per region needs no address of its own, so the default deployment runs wherever loopback is one address.
      region.nvas.forEach((nva, n) => {
        this.#addresses.set(nva.name, `127.0.0.${n + 1}`);
      });
    }
  }

  async start(): Promise<void> {
    for (const [r, region] of this.#options.topology.regions.entries()) {
      const instances: RouteServer[] = [];
      this.#routeServers.set(region.name, instances);
      for (let i = 0; i < INSTANCES; i += 1) {
        instances.push(
          await startRouteServer({
            instance: `${region.name}/${i}`,
            routerId: `10.255.${r}.${i + 4}`,
            peers: region.nvas.map((nva) => ({ nva: nva.name, asn: nva.asn, address: this.addressOf(nva.name) })),
            routeLimit: region.routeServer.routeLimit,
            routeChangeMs: this.#options.routeChangeMs,
            onChange: () => this.#recompute(),
          }),
        );
      }
    }
    for (const vip of this.#options.topology.vips) {
      const pick = () => this.#pick(vip.name, vip.prefix);
      this.#forwarders.set(vip.name, await startTcpForwarder({ pick }));
    }
  }

  get routeServerPorts(): Record<string, readonly number[]> {
    return Object.fromEntries([...this.#routeServers].map(([name, servers]) => [name, servers.map((s) => s.port)]));
  }

  get vipPorts(): Record<string, number> {
    return Object.fromEntries([...this.#forwarders].map(([vip, forwarder]) => [vip, forwarder.port]));
  }

  addressOf(nva: string): string {
    return this.#addresses.get(nva) ?? '127.0.0.1';
  }

  routeServers(region: string): readonly RouteServer[] {
    return this.#routeServers.get(region) ?? [];
  }

  edge(region: string): WorldRegion['edge'] {
    const { transport, regions } = this.#options.topology;
    const index = regions.findIndex((candidate) => candidate.name === region);
    return { style: edgeStyleOf(transport, index), routes: this.#edges.get(region) ?? [] };
  }

  table(): readonly OnPremisesRoute[] {
    return this.#table;
  }

  setDataPlane(nva: string, ports: Readonly<Record<string, number>> | undefined): void {
    if (ports === undefined) this.#dataPlanes.delete(nva);
    else this.#dataPlanes.set(nva, ports);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#forwarders.values()].map((forwarder) => forwarder.close()));
    await Promise.all([...this.#routeServers.values()].flat().map((server) => server.close()));
  }

  #recompute(): void {
    if (this.#isClosed) return;
    const { topology, onChange } = this.#options;
    this.#edges = new Map(
      topology.regions.map((region, r) => {
        const held = this.routeServers(region.name).flatMap((server) => server.routes());
        return [region.name, edgeRoutes(region.name, held, edgeStyleOf(topology.transport, r))];
      }),
    );
    this.#table = onPremisesRoutes([...this.#edges.values()].flat(), topology.transport);
    this.#followRoutes();
    onChange(this.#table);
  }

  /** Packets of an open connection follow the route too, and the other NVA knows nothing of it: it is reset. */
  #followRoutes(): void {
    for (const vip of this.#options.topology.vips) {
      const ports = this.#targets(vip.name, vip.prefix).map((target) => target.port);
      this.#forwarders.get(vip.name)?.keepOnly((target) => ports.includes(target.port));
    }
  }

  #targets(vip: string, prefix: string): Target[] {
    return nextHops(this.#table, prefix).flatMap((nva) => {
      const port = this.#dataPlanes.get(nva)?.[vip];
      return port === undefined ? [] : [{ host: '127.0.0.1', port }];
    });
  }

  #pick(vip: string, prefix: string): Target | undefined {
    const targets = this.#targets(vip, prefix);
    this.#connections += 1;
    return targets[this.#connections % Math.max(1, targets.length)];
  }
}
