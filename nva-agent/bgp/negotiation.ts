// What we offer in OPEN, and what the peer's OPEN makes of it (RFC 4271 section 4.2, 6.2; RFC 6793).
// It must never know how OPEN is written.
import { AFI_IPV4, BGP_VERSION, CAPABILITY, ERROR_CODE, OPEN_ERROR, SAFI_UNICAST } from './iana.ts';
import { type Capability, type Decoded, failed, type OpenMessage, protocolError } from './messages.ts';

export interface LocalSpeaker {
  readonly localAsn: number;
  readonly routerId: string;
  readonly holdSeconds: number;
}

/** What both sides hold to. `keepaliveSeconds` is informative: a third of the hold time, before jitter. */
export interface Negotiated {
  readonly peerRouterId: string;
  readonly holdSeconds: number;
  readonly keepaliveSeconds: number;
  readonly as4: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
}

/**
 * Our OPEN: IPv4 unicast, route refresh, enhanced route refresh, 4-octet ASNs. Never graceful restart: a peer that
 * honours it keeps a dead speaker's route for minutes.
 */
export function openOf(local: LocalSpeaker): OpenMessage {
  const capabilities: Capability[] = [
    { code: CAPABILITY.MULTIPROTOCOL, afi: AFI_IPV4, safi: SAFI_UNICAST },
    { code: CAPABILITY.ROUTE_REFRESH },
    { code: CAPABILITY.FOUR_OCTET_ASN, asn: local.localAsn },
    { code: CAPABILITY.ENHANCED_ROUTE_REFRESH },
  ];
  const { localAsn: asn, holdSeconds, routerId } = local;
  return { type: 'open', version: BGP_VERSION, asn, holdSeconds, routerId, capabilities };
}

/** Checks the peer's OPEN against what is configured, and takes the smaller hold time. */
export function negotiate(local: LocalSpeaker, peerAsn: number, open: OpenMessage): Decoded<Negotiated> {
  const fourOctet = open.capabilities.find((capability) => 'asn' in capability);
  const claimedAsn = fourOctet !== undefined && 'asn' in fourOctet ? fourOctet.asn : open.asn;
  // A capability that contradicts the field is a wrong AS, not another opinion.
  if (open.asn !== peerAsn || claimedAsn !== peerAsn) {
    return failed(protocolError(ERROR_CODE.OPEN, OPEN_ERROR.BAD_PEER_AS));
  }
  // RFC 6286 section 2.1: within one AS identifiers must differ.
  if (peerAsn === local.localAsn && open.routerId === local.routerId) {
    return failed(protocolError(ERROR_CODE.OPEN, OPEN_ERROR.BAD_BGP_IDENTIFIER));
  }
  const holdSeconds = Math.min(local.holdSeconds, open.holdSeconds);
  const offers = (code: number): boolean => open.capabilities.some((capability) => capability.code === code);
  return {
    ok: true,
    value: {
      peerRouterId: open.routerId,
      holdSeconds,
      keepaliveSeconds: holdSeconds / 3,
      as4: offers(CAPABILITY.FOUR_OCTET_ASN),
      routeRefresh: offers(CAPABILITY.ROUTE_REFRESH),
      enhancedRouteRefresh: offers(CAPABILITY.ENHANCED_ROUTE_REFRESH),
    },
  };
}
