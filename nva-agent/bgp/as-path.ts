// AS_PATH segments in 2 and 4 octets, and the merge of AS_PATH with AS4_PATH (RFC 4271 section 4.3, RFC 6793).
// It must never know which ASNs are allowed in a path.
import { byteAt, readUint16, readUint32, uint16, uint32 } from './bytes.ts';
import { AS_SEGMENT_MAX, AS_SEQUENCE, AS_SET, AS_TRANS } from './iana.ts';
import type { AsPath } from './messages.ts';

/**
 * Reads the segments, or undefined if they are malformed as RFC 7606 section 7.2 says: unknown type (confederation
 * segments count as unknown outside one), length zero, overrun or a rest too short for a segment.
 */
export function readAsPath(value: Uint8Array, asnOctets: 2 | 4): AsPath | undefined {
  const path: (number | readonly number[])[] = [];
  let at = 0;
  while (at < value.length) {
    if (at + 2 > value.length) return undefined;
    const type = byteAt(value, at);
    const count = byteAt(value, at + 1);
    const end = at + 2 + count * asnOctets;
    if ((type !== AS_SET && type !== AS_SEQUENCE) || count === 0 || end > value.length) return undefined;
    const asns = readAsns(value, at + 2, end, asnOctets);
    if (type === AS_SET) path.push(asns);
    else path.push(...asns);
    at = end;
  }
  return path;
}

function readAsns(value: Uint8Array, start: number, end: number, asnOctets: 2 | 4): number[] {
  const asns: number[] = [];
  for (let at = start; at < end; at += asnOctets) {
    asns.push(asnOctets === 4 ? readUint32(value, at) : readUint16(value, at));
  }
  return asns;
}

/** Octets of a path; ASNs above 65535 become AS_TRANS in the 2-octet form. */
export function asPathOctets(path: AsPath, asnOctets: 2 | 4): number[] {
  return segments(path).flatMap(({ type, asns }) => [
    type,
    asns.length,
    ...asns.flatMap((asn) => (asnOctets === 4 ? uint32(asn) : uint16(asn > 0xffff ? AS_TRANS : asn))),
  ]);
}

interface Segment {
  readonly type: number;
  readonly asns: readonly number[];
}

function segments(path: AsPath): Segment[] {
  const found: { type: number; asns: number[] }[] = [];
  for (const element of path) {
    const last = found.at(-1);
    if (typeof element !== 'number') found.push({ type: AS_SET, asns: [...element] });
    else if (last?.type === AS_SEQUENCE && last.asns.length < AS_SEGMENT_MAX) last.asns.push(element);
    else found.push({ type: AS_SEQUENCE, asns: [element] });
  }
  return found;
}

/** Does the path hold an ASN that a 2-octet speaker cannot be told? */
export function needsAs4Path(path: AsPath): boolean {
  return path.flat().some((asn) => asn > 0xffff);
}

/** RFC 6793 section 4.2.3: the leading part of AS_PATH that AS4_PATH lacks, then AS4_PATH; a longer AS4_PATH is ignored. */
export function mergeAsPaths(path: AsPath, as4Path: AsPath): AsPath {
  const lacking = path.length - as4Path.length;
  return lacking < 0 ? path : [...path.slice(0, lacking), ...as4Path];
}
