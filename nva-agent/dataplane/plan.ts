// Derives from the topology what one NVA's data plane has to carry: vips, where they go, who shares second chances.
// Pure: knows no daemon, no kernel and no file.
import { hasSecondChance } from '../../shared/data-plane-checks.ts';
import { parseIpv4 } from '../../shared/ip.ts';
import type { findNva } from '../../shared/topology.ts';
import type { Nva, Topology, Vip } from '../../shared/topology-schema.ts';

type Place = NonNullable<ReturnType<typeof findNva>>;

/** The interface that holds the vips: every kernel has it, and its addresses carry our label. */
export const VIP_DEVICE = 'lo';
/** Marks an address as ours; one without it is somebody else's, and stays. */
export const VIP_LABEL = 'lo:anycast';
/** The VXLAN interface of second chances. */
export const TUNNEL_DEVICE = 'anycast1';
/** What our interface carries as alias: an interface of its name without it is somebody else's. */
export const DEVICE_ALIAS = 'anycast-agent';
/** The nftables table (family ip) that forwards. */
export const FORWARD_TABLE = 'anycast_agent';
/** The nftables table (family ip) of second chances: its own, so that a change of forwarding disarms nothing. */
export const SECOND_CHANCE_TABLE = 'anycast_second_chance';

export interface DataPlanePort {
  readonly listen: number;
  readonly to: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface DataPlaneVip {
  readonly vip: string;
  readonly address: string;
  readonly mode: 'reverse-proxy' | 'snat' | 'dnat-udr';
  /** The region's application; a name is possible behind the reverse proxy only. */
  readonly appHost: string;
  readonly ports: readonly DataPlanePort[];
  readonly symmetry?: 'load-balancer' | 'shared-sessions';
  readonly idleSeconds: number;
  readonly drainSeconds: number;
  /** Absent: no second chance for this vip. */
  readonly secondChance?: {
    readonly capSeconds: number;
    /** NVAs that may own connections of this vip. */
    readonly peers: readonly string[];
  };
}

export interface TunnelPeer {
  readonly nva: string;
  /** On the network between the NVAs. */
  readonly address: string;
  /** Inside the tunnel. */
  readonly innerAddress: string;
}

export interface TunnelPlan {
  readonly port: number;
  readonly vni: number;
  readonly mtu: number;
  readonly address: string;
  readonly innerAddress: string;
  readonly peers: readonly TunnelPeer[];
}

export interface DataPlaneConfig {
  readonly nva: string;
  readonly address: string;
  readonly vips: readonly DataPlaneVip[];
  /** Absent when no vip has a second chance. */
  readonly tunnel?: TunnelPlan;
  /** The other NVA of this region that sessions are shared with (conntrackd); absent when no vip asks for it. */
  readonly sessionPeer?: { readonly nva: string; readonly address: string };
}

/** The data plane of the NVA at this place. Vips of mode `none` are somebody else's and do not appear. */
export function dataPlaneOf(topology: Topology, place: Place): DataPlaneConfig {
  const vips = topology.vips
    .filter((vip) => vip.dataPlane.mode !== 'none' && vip.regions.includes(place.region.name))
    .map((vip) => vipOf(topology, place, vip));
  const peerNames = new Set(vips.flatMap((vip) => vip.secondChance?.peers ?? []));
  const sharing = vips.some((vip) => vip.symmetry === 'shared-sessions');
  const neighbour = place.region.nvas.find((nva) => nva.name !== place.nva.name);
  return {
    nva: place.nva.name,
    address: place.nva.address,
    vips,
    ...(peerNames.size === 0 ? {} : { tunnel: tunnelOf(topology, place.nva, peerNames) }),
    ...(sharing && neighbour !== undefined ? { sessionPeer: { nva: neighbour.name, address: neighbour.address } } : {}),
  };
}

function vipOf(topology: Topology, place: Place, vip: Vip): DataPlaneVip {
  const { mode, ports, symmetry, idleSeconds, drainSeconds, secondChance } = vip.dataPlane;
  if (mode === 'none') throw new RangeError(`${vip.name} has no data plane of ours`);
  const app = place.region.apps[vip.name] ?? '';
  const peers = topology.regions
    .filter((region) => vip.regions.includes(region.name))
    .flatMap((region) => region.nvas.map((nva) => nva.name))
    .filter((name) => name !== place.nva.name);
  return {
    vip: vip.name,
    address: vip.prefix.slice(0, vip.prefix.indexOf('/')),
    mode,
    appHost: app.slice(0, app.lastIndexOf(':')),
    ports,
    ...(symmetry === undefined ? {} : { symmetry }),
    idleSeconds,
    drainSeconds,
    ...(hasSecondChance(vip) && peers.length > 0
      ? { secondChance: { capSeconds: secondChance.capSeconds, peers } }
      : {}),
  };
}

function tunnelOf(topology: Topology, own: Nva, peerNames: ReadonlySet<string>): TunnelPlan {
  const inner = innerAddresses(topology);
  const all = topology.regions.flatMap((region) => region.nvas);
  return {
    ...topology.tunnel,
    address: own.address,
    innerAddress: inner.get(own.name) ?? '',
    peers: all
      .filter((nva) => peerNames.has(nva.name))
      .map((nva) => ({ nva: nva.name, address: nva.address, innerAddress: inner.get(nva.name) ?? '' })),
  };
}

/**
 * Addresses inside the tunnel, 169.254.92.1 onwards in the order of the NVAs' own addresses, so that every NVA derives
 * the same. At most 16 regions of 8 NVAs fit. While a changed topology is on its way two NVAs may disagree: then their
 * heartbeats are refused and nothing is armed, but packets still go where they should, by the peer's MAC address.
 */
function innerAddresses(topology: Topology): Map<string, string> {
  const sorted = topology.regions
    .flatMap((region) => region.nvas)
    .toSorted((a, b) => (parseIpv4(a.address) ?? 0) - (parseIpv4(b.address) ?? 0) || (a.name < b.name ? -1 : 1));
  return new Map(sorted.map((nva, i) => [nva.name, `169.254.92.${i + 1}`]));
}
