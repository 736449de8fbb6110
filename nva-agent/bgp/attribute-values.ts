// Values of AGGREGATOR, communities and large communities, as octets and as text.
// It must never know what a community means.
import { addressOctets, readAddress, readUint16, readUint32, uint16, uint32 } from './bytes.ts';
import { AS_TRANS } from './iana.ts';
import type { Aggregator } from './messages.ts';

/** AGGREGATOR with an ASN of 2 or 4 octets; undefined if the length does not fit (RFC 7606 section 7.7). */
export function aggregatorOf(value: Uint8Array, asnOctets: 2 | 4): Aggregator | undefined {
  if (value.length !== asnOctets + 4) return undefined;
  const asn = asnOctets === 4 ? readUint32(value, 0) : readUint16(value, 0);
  return { asn, address: readAddress(value, asnOctets) };
}

export function aggregatorOctets(aggregator: Aggregator, asnOctets: 2 | 4): number[] {
  const asn = asnOctets === 4 ? uint32(aggregator.asn) : uint16(aggregator.asn > 0xffff ? AS_TRANS : aggregator.asn);
  return [...asn, ...addressOctets(aggregator.address)];
}

/** RFC 1997 communities as "65001:1". */
export function communitiesOf(value: Uint8Array): string[] {
  const communities: string[] = [];
  for (let at = 0; at < value.length; at += 4)
    communities.push(`${readUint16(value, at)}:${readUint16(value, at + 2)}`);
  return communities;
}

/** RFC 8092 large communities as "65001:1:2". */
export function largeCommunitiesOf(value: Uint8Array): string[] {
  const communities: string[] = [];
  for (let at = 0; at < value.length; at += 12) {
    communities.push(`${readUint32(value, at)}:${readUint32(value, at + 4)}:${readUint32(value, at + 8)}`);
  }
  return communities;
}

/** The numbers of "a:b" or "a:b:c", each at most `numberMax`; undefined if the text is something else. */
export function parseCommunity(text: string, count: 2 | 3, numberMax: number): number[] | undefined {
  const parts = text.split(':');
  const numbers = parts.map(Number);
  const isWellFormed = parts.length === count && parts.every((part) => /^\d{1,10}$/.test(part));
  return isWellFormed && numbers.every((number) => number <= numberMax) ? numbers : undefined;
}

export function communityOctets(text: string): number[] {
  const numbers = parseCommunity(text, 2, 0xffff);
  if (numbers === undefined) throw new RangeError(`not a community: ${text}`);
  return numbers.flatMap(uint16);
}

export function largeCommunityOctets(text: string): number[] {
  const numbers = parseCommunity(text, 3, 0xffffffff);
  if (numbers === undefined) throw new RangeError(`not a large community: ${text}`);
  return numbers.flatMap(uint32);
}
