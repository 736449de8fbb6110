// MP_REACH_NLRI and MP_UNREACH_NLRI of a peer (RFC 4760): IPv4 unicast is read, other families are only checked.
// It must never know what is done with the routes.
import { byteAt, readAddress, readUint16 } from './bytes.ts';
import { AFI_IPV4, SAFI_UNICAST } from './iana.ts';
import { readPrefixes } from './nlri.ts';

/** `prefixes` is empty for a family that is not ours; `hasRoutes` says whether any NLRI was there. */
export interface MultiprotocolRoutes {
  readonly isIpv4Unicast: boolean;
  readonly hasRoutes: boolean;
  readonly prefixes: readonly string[];
  readonly nextHop?: string;
}

/** Reads MP_REACH_NLRI; undefined if it is malformed, which ends the session (RFC 7606 sections 5.3 and 7.11). */
export function readMpReach(value: Uint8Array): MultiprotocolRoutes | undefined {
  if (value.length < 5) return undefined;
  const isIpv4Unicast = isOurs(value);
  const nextHopBytes = byteAt(value, 3);
  // One reserved octet stands between next hop and NLRI.
  const start = 4 + nextHopBytes + 1;
  if (start > value.length || (isIpv4Unicast && nextHopBytes !== 4)) return undefined;
  if (!isIpv4Unicast) return { isIpv4Unicast, hasRoutes: value.length > start, prefixes: [] };
  const prefixes = readPrefixes(value, start, value.length);
  if (prefixes === undefined) return undefined;
  return { isIpv4Unicast, hasRoutes: prefixes.length > 0, prefixes, nextHop: readAddress(value, 4) };
}

/** Reads MP_UNREACH_NLRI; undefined if it is malformed, which ends the session (RFC 7606 section 7.12). */
export function readMpUnreach(value: Uint8Array): MultiprotocolRoutes | undefined {
  if (value.length < 3) return undefined;
  const isIpv4Unicast = isOurs(value);
  if (!isIpv4Unicast) return { isIpv4Unicast, hasRoutes: value.length > 3, prefixes: [] };
  const prefixes = readPrefixes(value, 3, value.length);
  return prefixes === undefined ? undefined : { isIpv4Unicast, hasRoutes: prefixes.length > 0, prefixes };
}

function isOurs(value: Uint8Array): boolean {
  return readUint16(value, 0) === AFI_IPV4 && byteAt(value, 2) === SAFI_UNICAST;
}
