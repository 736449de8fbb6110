// The nftables table of second chances and the short transactions that arm it. Text only.
//
//   client -> B (route moved here, connection unknown) --tunnel--> A (connection lives here) -> client, directly
//
// A packet that belongs to no connection known here goes to the NVA that owned the vip before, through the tunnel, and
// is dropped here. With the map `owners` empty nothing of this happens: that is the dead-man's position.
import type { DataPlaneConfig, TunnelPlan } from './plan.ts';
import { SECOND_CHANCE_TABLE, TUNNEL_DEVICE } from './plan.ts';

/** UDP port of heartbeats, inside the tunnel only. */
export const HEARTBEAT_PORT = 4791;
/** An armed vip stays armed this long without a refresh: an agent that is killed or frozen lets go within it. */
export const ELEMENT_SECONDS = 2;
/** Counter of packets that went to their connection's owner. */
export const HANDED_OVER = 'handed_over';
/** IPv4 and TCP headers without options. */
const HEADER_BYTES = 40;
/** Above the proxy's idle timeout, so that the proxy always ends a connection first. */
const ESTABLISHED_MARGIN_SECONDS = 60;

/** The permanent part, as text for `nft -f` that replaces the table in one transaction; `owners` starts empty. */
export function renderSecondChance(config: DataPlaneConfig, tunnel: TunnelPlan): string {
  const served = config.vips.filter((vip) => vip.secondChance !== undefined);
  const idleSeconds = Math.max(0, ...served.map((vip) => vip.idleSeconds));
  const vxlan = `udp dport ${tunnel.port} @th,96,24 ${tunnel.vni}`;
  return `table ip ${SECOND_CHANCE_TABLE} {}
delete table ip ${SECOND_CHANCE_TABLE}
table ip ${SECOND_CHANCE_TABLE} {
  set served { type ipv4_addr; elements = { ${served.map((vip) => vip.address).join(', ')} }; }
  set peers { type ipv4_addr; elements = { ${tunnel.peers.map((peer) => peer.address).join(', ')} }; }
  map owners { type ipv4_addr : ipv4_addr; flags timeout; }

  counter ${HANDED_OVER} { }

  # A client that uses a port again meets no remains of its last connection, and no remains outlive the proxy.
  ct timeout vip_tcp {
    protocol tcp
    l3proto ip
    policy = { established : ${idleSeconds + ESTABLISHED_MARGIN_SECONDS}, time_wait : 3, close : 3 }
  }

  # Tunnel packets: from our peers only, and none of them is a connection of its own.
  chain tunnel_in {
    type filter hook prerouting priority raw; policy accept;
    ${vxlan} ip saddr @peers notrack accept
    ${vxlan} drop
    iifname "${TUNNEL_DEVICE}" ip daddr @served accept
    iifname "${TUNNEL_DEVICE}" ip daddr ${tunnel.innerAddress} udp dport ${HEARTBEAT_PORT} notrack accept
    iifname "${TUNNEL_DEVICE}" drop
    udp dport ${HEARTBEAT_PORT} ip daddr ${tunnel.innerAddress} drop
  }
  chain tunnel_out {
    type filter hook output priority raw; policy accept;
    ${vxlan} notrack
    oifname "${TUNNEL_DEVICE}" udp dport ${HEARTBEAT_PORT} notrack
  }

  chain hand_over {
    type filter hook prerouting priority mangle; policy accept;
    iifname "${TUNNEL_DEVICE}" return
    ip daddr != @owners return
    ct state != invalid return
    tcp flags & syn == 0 counter name "${HANDED_OVER}" dup to ip daddr map @owners device "${TUNNEL_DEVICE}" drop
    icmp type { destination-unreachable, time-exceeded, parameter-problem } dup to ip daddr map @owners device "${TUNNEL_DEVICE}" drop
  }
  chain times {
    type filter hook prerouting priority filter; policy accept;
    ip daddr @served meta l4proto tcp ct timeout set "vip_tcp"
  }
  # What came through the tunnel is for a connection of ours; it never leaves as somebody's plain packet.
  chain no_loop {
    type filter hook forward priority filter; policy accept;
    iifname "${TUNNEL_DEVICE}" ct state != { established, related } drop
  }
  # Clients send segments that fit the tunnel, from the connection's first packet on.
  chain segment_size {
    type filter hook postrouting priority mangle; policy accept;
    ct direction reply ct original ip daddr @served tcp flags & (syn | ack) == syn | ack tcp option maxseg size set ${tunnel.mtu - HEADER_BYTES}
  }
}
`;
}

export interface ArmedElement {
  /** The vip's address. */
  readonly address: string;
  /** Where its unknown packets go, inside the tunnel. */
  readonly innerAddress: string;
}

/** Arms, or keeps armed for another ELEMENT_SECONDS. `add` alone would not restart the clock of a standing element. */
export function renderRefresh(elements: readonly ArmedElement[]): string {
  return elements
    .flatMap(({ address, innerAddress }) => {
      const element = `${address} timeout ${ELEMENT_SECONDS}s : ${innerAddress}`;
      const map = `element ip ${SECOND_CHANCE_TABLE} owners`;
      return [`add ${map} { ${element} }`, `delete ${map} { ${address} }`, `add ${map} { ${element} }`];
    })
    .map((line) => `${line}\n`)
    .join('');
}

/** Disarms these vips at once. Adding first makes the deletion of an element that ran out meanwhile no error. */
export function renderClear(elements: readonly ArmedElement[]): string {
  return elements
    .flatMap(({ address, innerAddress }) => {
      const map = `element ip ${SECOND_CHANCE_TABLE} owners`;
      return [
        `add ${map} { ${address} timeout ${ELEMENT_SECONDS}s : ${innerAddress} }`,
        `delete ${map} { ${address} }`,
      ];
    })
    .map((line) => `${line}\n`)
    .join('');
}

interface RawElement {
  readonly elem?: { readonly val?: string };
}
interface RawMap {
  readonly map?: { readonly elem?: readonly (readonly [RawElement, string])[] };
}

/** Armed vips by address, from `nft -j list map`. */
export function parseOwners(json: string): Map<string, string> {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly RawMap[] };
  const elements = nftables.flatMap((item) => item.map?.elem ?? []);
  return new Map(
    elements.flatMap(([key, innerAddress]) => (key.elem?.val === undefined ? [] : [[key.elem.val, innerAddress]])),
  );
}
