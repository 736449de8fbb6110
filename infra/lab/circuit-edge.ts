// What the provider's edge does to an AS path between Route Server and on-premises: Azure adds 65515, the edge removes
// private numbers in its maker's fashion and adds its own. Pure.
import { EXPRESSROUTE_ASN, isPrivateAsn, ROUTE_SERVER_ASN } from '../../shared/asn.ts';

/**
 * juniper and cisco: the two makers' `remove-private` of ExpressRoute edge routers. vpn: a gateway that passes paths on.
 */
export const EDGE_STYLES = ['juniper', 'cisco', 'vpn'] as const;
export type EdgeStyle = (typeof EDGE_STYLES)[number];

/** The path as the edge receives it from the gateway beside Route Server. */
export const pathAtEdge = (learned: readonly number[]): number[] => [ROUTE_SERVER_ASN, ...learned];

export interface StrippedPath {
  /** What on-premises sees. */
  readonly sent: readonly number[];
  /** Which elements of the received path vanished, in order. */
  readonly stripped: readonly number[];
}

/**
 * The path on-premises sees. Juniper removes leading private numbers up to the first public one; Cisco removes all of
 * them when nothing else is in the path and none otherwise (seen in the field on ExpressRoute edges of both makers).
 */
export function stripPrivateAsns(received: readonly number[], style: EdgeStyle): StrippedPath {
  switch (style) {
    case 'vpn':
      return { sent: [...received], stripped: [] };
    case 'juniper': {
      const firstPublic = received.findIndex((asn) => !isPrivateAsn(asn));
      const kept = firstPublic < 0 ? [] : received.slice(firstPublic);
      return { sent: [EXPRESSROUTE_ASN, ...kept], stripped: received.slice(0, received.length - kept.length) };
    }
    case 'cisco': {
      const onlyPrivate = received.every(isPrivateAsn);
      return onlyPrivate
        ? { sent: [EXPRESSROUTE_ASN], stripped: [...received] }
        : { sent: [EXPRESSROUTE_ASN, ...received], stripped: [] };
    }
  }
}
