// What ip(8) and bridge(8) must do so that vips and tunnel stand as planned. Text and values only.
// What is not marked as ours (an address by its label, an interface by its alias) is left as it is.
import { parseIpv4 } from '../../shared/ip.ts';
import { type DataPlaneConfig, DEVICE_ALIAS, TUNNEL_DEVICE, type TunnelPlan, VIP_DEVICE, VIP_LABEL } from './plan.ts';

/** What `ip -j -d addr show` says about one interface, as far as we care. */
export interface Device {
  readonly name: string;
  readonly alias?: string;
  readonly isUp: boolean;
  readonly mtu: number;
  readonly addresses: readonly { readonly address: string; readonly label?: string }[];
  readonly vxlan?: { readonly vni: number; readonly port: number; readonly local: string };
}

interface RawDevice {
  readonly ifname?: string;
  readonly ifalias?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly id?: number; readonly port?: number; readonly local?: string };
  };
  readonly addr_info?: readonly {
    readonly family?: string;
    readonly local?: string;
    readonly prefixlen?: number;
    readonly label?: string;
  }[];
}

/** Interfaces from the JSON of `ip -j -d addr show`. Throws SyntaxError when it is none. */
export function parseDevices(json: string): Device[] {
  const raw = JSON.parse(json === '' ? '[]' : json) as readonly RawDevice[];
  return raw.flatMap((device) => {
    if (device.ifname === undefined) return [];
    const data = device.linkinfo?.info_data;
    return [
      {
        name: device.ifname,
        isUp: device.flags?.includes('UP') === true,
        mtu: device.mtu ?? 0,
        addresses: (device.addr_info ?? [])
          .filter((address) => address.family === 'inet')
          .map(({ local, prefixlen, label }) => ({
            address: `${local}/${prefixlen}`,
            ...(label === undefined ? {} : { label }),
          })),
        ...(device.ifalias === undefined ? {} : { alias: device.ifalias }),
        ...(device.linkinfo?.info_kind === 'vxlan'
          ? { vxlan: { vni: data?.id ?? 0, port: data?.port ?? 0, local: data?.local ?? '' } }
          : {}),
      },
    ];
  });
}

export interface DeviceChange {
  /** Lines for `ip -batch -`. */
  readonly ip: readonly string[];
  /** Lines for `bridge -batch -`, after those of ip. */
  readonly bridge: readonly string[];
}

export const isNoChange = (change: DeviceChange): boolean => change.ip.length + change.bridge.length === 0;

/** Whether somebody else uses the name of our interface; nothing may be changed then. */
export const isTunnelForeign = (devices: readonly Device[]): boolean =>
  devices.some((device) => device.name === TUNNEL_DEVICE && device.alias !== DEVICE_ALIAS);

/** From what stands to the vips on their interface; empty when all is as it should be. */
export function diffVipAddresses(devices: readonly Device[], config: DataPlaneConfig): DeviceChange {
  const standing = devices.find((device) => device.name === VIP_DEVICE)?.addresses ?? [];
  const wanted = config.vips.map((vip) => `${vip.address}/32`);
  const missing = wanted.filter((address) => !standing.some((other) => other.address === address));
  const stale = standing.filter((other) => other.label === VIP_LABEL && !wanted.includes(other.address));
  return {
    ip: [
      ...missing.map((address) => `addr add ${address} dev ${VIP_DEVICE} label ${VIP_LABEL}`),
      ...stale.map(({ address }) => `addr del ${address} dev ${VIP_DEVICE}`),
    ],
    bridge: [],
  };
}

/** One neighbour of the tunnel as it stands: inside address, MAC, and the NVA it leads to. */
export interface TunnelNeighbour {
  readonly innerAddress: string;
  readonly mac: string;
  readonly remote: string;
}

interface RawNeighbour {
  readonly dst?: string;
  readonly lladdr?: string;
}
interface RawForwarding {
  readonly mac?: string;
  readonly dst?: string;
}

/** Neighbours of the tunnel from `ip -j neigh show dev` and `bridge -j fdb show dev`. */
export function parseNeighbours(neighbourJson: string, forwardingJson: string): TunnelNeighbour[] {
  const forwarding = JSON.parse(forwardingJson || '[]') as readonly RawForwarding[];
  const neighbours = JSON.parse(neighbourJson || '[]') as readonly RawNeighbour[];
  return neighbours.flatMap(({ dst, lladdr }) =>
    dst === undefined || lladdr === undefined
      ? []
      : [{ innerAddress: dst, mac: lladdr, remote: forwarding.find((entry) => entry.mac === lladdr)?.dst ?? '' }],
  );
}

/**
 * The MAC of an NVA inside the tunnel: locally administered, from its address, so that every NVA knows it beforehand
 * and nothing has to be learned or asked for.
 */
export function tunnelMac(address: string): string {
  const value = parseIpv4(address) ?? 0;
  const octets = [0x02, 0x5c, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

/**
 * From what stands to the planned tunnel. VXLAN, because Azure passes neither GRE nor IP-in-IP; `df set`, so that a
 * path that cannot carry full packets loses the padded heartbeats and nothing is armed.
 */
export function diffTunnelDevice(
  devices: readonly Device[],
  neighbours: readonly TunnelNeighbour[],
  tunnel: TunnelPlan | undefined,
): DeviceChange {
  const device = devices.find((candidate) => candidate.name === TUNNEL_DEVICE);
  if (tunnel === undefined) return { ip: device === undefined ? [] : [`link del ${TUNNEL_DEVICE}`], bridge: [] };
  const isFit = device !== undefined && fits(device, tunnel);
  const known = isFit ? neighbours : [];
  const wanted = tunnel.peers.map((peer) => ({
    innerAddress: peer.innerAddress,
    mac: tunnelMac(peer.address),
    remote: peer.address,
  }));
  const missing = wanted.filter((peer) => !known.some((standing) => isSame(standing, peer)));
  const stale = known.filter((standing) => !wanted.some((peer) => isSame(standing, peer)));
  return {
    ip: [
      ...(isFit ? [] : [...(device === undefined ? [] : [`link del ${TUNNEL_DEVICE}`]), ...addTunnel(tunnel)]),
      ...stale.map((peer) => `neigh del ${peer.innerAddress} dev ${TUNNEL_DEVICE}`),
      ...missing.map(
        (peer) => `neigh replace ${peer.innerAddress} lladdr ${peer.mac} dev ${TUNNEL_DEVICE} nud permanent`,
      ),
    ],
    bridge: [
      ...stale
        .filter((peer) => peer.remote !== '' && !missing.some((other) => other.mac === peer.mac))
        .map((peer) => `fdb del ${peer.mac} dev ${TUNNEL_DEVICE} dst ${peer.remote}`),
      ...missing.map((peer) => `fdb replace ${peer.mac} dev ${TUNNEL_DEVICE} dst ${peer.remote}`),
    ],
  };
}

function isSame(a: TunnelNeighbour, b: TunnelNeighbour): boolean {
  return a.innerAddress === b.innerAddress && a.mac === b.mac && a.remote === b.remote;
}

function fits(device: Device, tunnel: TunnelPlan): boolean {
  return (
    device.isUp &&
    device.mtu === tunnel.mtu &&
    device.vxlan?.vni === tunnel.vni &&
    device.vxlan.port === tunnel.port &&
    device.vxlan.local === tunnel.address &&
    device.addresses.some(({ address }) => address === `${tunnel.innerAddress}/24`)
  );
}

const addTunnel = (tunnel: TunnelPlan): string[] => [
  `link add ${TUNNEL_DEVICE} address ${tunnelMac(tunnel.address)} mtu ${tunnel.mtu} type vxlan id ${tunnel.vni} local ${tunnel.address} dstport ${tunnel.port} nolearning ttl 64 df set`,
  `link set ${TUNNEL_DEVICE} alias ${DEVICE_ALIAS}`,
  `addr add ${tunnel.innerAddress}/24 dev ${TUNNEL_DEVICE}`,
  `link set ${TUNNEL_DEVICE} up`,
];
