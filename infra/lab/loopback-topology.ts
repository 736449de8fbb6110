// Rewrites a deployment so that it runs on this machine: ports for addresses, the lab's applications for the real ones,
// keys made at start. Everything that decides (AS numbers, rungs, timing, guards, ranking) stays as written.
import type { ProbeConfig, Topology } from '../../shared/topology-schema.ts';

export interface LoopbackPlaces {
  /** By region: ports of both Route Server instances. */
  readonly routeServers: Readonly<Record<string, readonly number[]>>;
  /** By region, then vip. */
  readonly apps: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** By NVA: where a seat reaches its agent. */
  readonly agents: Readonly<Record<string, number>>;
  /** By seat: where it is reached. */
  readonly seats: Readonly<Record<string, number>>;
  /** By vip: where the on-premises router takes connections. */
  readonly vips: Readonly<Record<string, number>>;
  readonly blobEndpoint: string;
  /** By seat: its public order key. */
  readonly orderKeys: Readonly<Record<string, { readonly kid: string; readonly jwk: Record<string, unknown> }>>;
}

const local = (port: number | undefined): string => `127.0.0.1:${port ?? 0}`;

/** The topology as the lab runs it, with the first `seatCount` seats. */
export function loopbackTopology(topology: Topology, places: LoopbackPlaces, seatCount: number): Topology {
  return {
    ...topology,
    regions: topology.regions.map((region) => ({
      ...region,
      routeServer: { ...region.routeServer, peers: (places.routeServers[region.name] ?? []).map(local) },
      nvas: region.nvas.map((nva) => ({ ...nva, agent: `https://${local(places.agents[nva.name])}` })),
      apps: Object.fromEntries(Object.entries(places.apps[region.name] ?? {}).map(([vip, port]) => [vip, local(port)])),
    })),
    vips: topology.vips.map((vip) => ({
      ...vip,
      health: loopbackHealth(vip.health),
      // The NVA process of the lab forwards by itself; there is no HAProxy to steer.
      dataPlane: { ...vip.dataPlane, mode: 'none' as const, ports: [] },
      observe: { header: 'x-anycast-region', url: `http://${local(places.vips[vip.name])}/` },
    })),
    seats: topology.seats.slice(0, seatCount).map((seat) => ({
      ...seat,
      url: `http://${local(places.seats[seat.name])}`,
      orderKeys: [places.orderKeys[seat.name] ?? { kid: 'none', jwk: {} }],
    })),
    witness: { ...topology.witness, account: places.blobEndpoint },
  };
}

/** The lab's applications speak HTTP only, so other kinds of probe become one. */
function loopbackHealth(health: Topology['vips'][number]['health']): typeof health {
  const { probe, probes, ...rest } = health;
  if (probes !== undefined) return { ...rest, probes: probes.map(loopbackProbe) };
  return probe === undefined ? rest : { ...rest, probe: loopbackProbe(probe) };
}

function loopbackProbe(probe: ProbeConfig): ProbeConfig {
  if (probe.type === 'tcp') return { type: 'tcp', target: '{app}' };
  return { type: 'http', url: 'http://{app}/healthz', expectStatus: [200], headers: {}, verifyTls: true };
}

/** The same topology as one NVA sees it: its way to each seat leads over a cable of its own that the lab can cut. */
export function topologyOfNva(topology: Topology, seatPorts: Readonly<Record<string, number>>): Topology {
  return {
    ...topology,
    seats: topology.seats.map((seat) => ({ ...seat, url: `http://${local(seatPorts[seat.name])}` })),
  };
}
