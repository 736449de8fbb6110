// Which AS numbers Azure accepts where. Sources: Route Server FAQ, route-maps reserved ASN include, RFC 5398, RFC 6996.

export const ROUTE_SERVER_ASN = 65515;
export const EXPRESSROUTE_ASN = 12076;
export const ASN_MAX = 65535;

/** Azure's own numbers: 8074, 8075, 12076 (public) and 65515, 65517 to 65520 (private). */
const AZURE_RESERVED: ReadonlySet<number> = new Set([
  8074,
  8075,
  EXPRESSROUTE_ASN,
  ROUTE_SERVER_ASN,
  65517,
  65518,
  65519,
  65520,
]);

/** RFC 6996: 64512 to 65534. ExpressRoute removes these before on-premises sees them. */
export const isPrivateAsn = (asn: number): boolean => asn >= 64512 && asn <= 65534;

/** RFC 5398: 64496 to 64511, treated as public by Microsoft's edge, so usable as a prepend that survives. */
export const isDocumentationAsn = (asn: number): boolean => asn >= 64496 && asn <= 64511;

/** Why this number cannot be an NVA's own ASN, or undefined when it can. */
export function refuseNvaAsn(asn: number): string | undefined {
  if (asn > ASN_MAX) return `${asn} needs four octets; Route Server supports two-octet ASNs only`;
  if (AZURE_RESERVED.has(asn)) return `${asn} is reserved by Azure`;
  if (asn === 0 || asn === 23456 || asn === 65535 || isDocumentationAsn(asn)) return `${asn} is reserved by IANA`;
  return undefined;
}

/** Why this number cannot be prepended, or undefined when it can. The documentation range is allowed here on purpose. */
export function refusePrependAsn(asn: number): string | undefined {
  return isDocumentationAsn(asn) ? undefined : refuseNvaAsn(asn);
}
