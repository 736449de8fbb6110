// IPv4 prefixes as text ("192.0.2.10/32") and as NLRI octets (RFC 4271 section 4.3).
// It must never know which field of which message they stand in.
import { byteAt, parseAddress } from './bytes.ts';

/** The prefixes in bytes[start, end), or undefined if they are not syntactically correct (RFC 7606 section 5.3). */
export function readPrefixes(bytes: Uint8Array, start: number, end: number): string[] | undefined {
  const prefixes: string[] = [];
  let at = start;
  while (at < end) {
    const bits = byteAt(bytes, at);
    const octets = (bits + 7) >>> 3;
    if (bits > 32 || at + 1 + octets > end) return undefined;
    prefixes.push(formatPrefix(bytes, at + 1, octets, bits));
    at += 1 + octets;
  }
  return prefixes;
}

/** Bits behind the prefix length are irrelevant (RFC 4271 section 4.3): they are shown as zero. */
function formatPrefix(bytes: Uint8Array, at: number, octets: number, bits: number): string {
  const a = octets > 0 ? maskedOctet(bytes, at, bits, 0) : 0;
  const b = octets > 1 ? maskedOctet(bytes, at, bits, 1) : 0;
  const c = octets > 2 ? maskedOctet(bytes, at, bits, 2) : 0;
  const d = octets > 3 ? maskedOctet(bytes, at, bits, 3) : 0;
  return `${a}.${b}.${c}.${d}/${bits}`;
}

function maskedOctet(bytes: Uint8Array, at: number, bits: number, index: number): number {
  const kept = Math.min(8, bits - index * 8);
  return byteAt(bytes, at + index) & (0xff << (8 - kept)) & 0xff;
}

/** NLRI octets of a prefix; undefined if the text is no IPv4 prefix or has host bits set. */
export function parsePrefix(text: string): number[] | undefined {
  const slash = text.indexOf('/');
  const octets = parseAddress(text.slice(0, slash));
  const bitsText = text.slice(slash + 1);
  if (slash < 0 || octets === undefined || !/^\d{1,2}$/.test(bitsText)) return undefined;
  const bits = Number(bitsText);
  if (bits > 32) return undefined;
  const hasHostBits = octets.some(
    (octet, index) => (octet & (0xff >>> Math.max(0, Math.min(8, bits - index * 8)))) !== 0,
  );
  return hasHostBits ? undefined : [bits, ...octets.slice(0, (bits + 7) >>> 3)];
}

/** NLRI octets of a prefix that the caller vouches for. Throws RangeError otherwise: a programmer's error. */
export function prefixOctets(text: string): number[] {
  const octets = parsePrefix(text);
  if (octets === undefined) throw new RangeError(`not an IPv4 prefix: ${text}`);
  return octets;
}
