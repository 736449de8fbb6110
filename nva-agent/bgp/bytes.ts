// Octets, integers, IPv4 addresses, hex and UTF-8 over Uint8Array.
// It must never know about BGP.

/** The octet at `at`; the caller has checked the bounds. */
export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at) << 8) | byteAt(bytes, at + 1);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return ((readUint16(bytes, at) << 16) | readUint16(bytes, at + 2)) >>> 0;
}

export function uint16(value: number): number[] {
  return [(value >>> 8) & 0xff, value & 0xff];
}

export function uint32(value: number): number[] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Dotted quad of the four octets at `at`. */
export function readAddress(bytes: Uint8Array, at: number): string {
  return `${byteAt(bytes, at)}.${byteAt(bytes, at + 1)}.${byteAt(bytes, at + 2)}.${byteAt(bytes, at + 3)}`;
}

/** The four octets of a dotted quad, or undefined if it is none. */
export function parseAddress(text: string): number[] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const octets = match.slice(1).map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

/** The four octets of a dotted quad that the caller vouches for. Throws RangeError otherwise: a programmer's error. */
export function addressOctets(text: string): number[] {
  const octets = parseAddress(text);
  if (octets === undefined) throw new RangeError(`not an IPv4 address: ${text}`);
  return octets;
}

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes of a hex string; spaces, tabs, colons and a leading 0x are allowed. Undefined if it is not hex of whole octets. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/^\s*0x/i, '').replace(/[\s:]+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}

/** Text of UTF-8 bytes, or undefined if they are not UTF-8. The percent form is the only decoder the language itself has. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  let escaped = '';
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`;
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}

/** UTF-8 of `text`, cut between characters so that it is at most `bytesMax` long; lone surrogates become U+FFFD. */
export function toUtf8(text: string, bytesMax: number): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const escaped = encodeURIComponent(/\p{Surrogate}/u.test(character) ? '\ufffd' : character);
    const encoded = escaped.startsWith('%')
      ? escaped
          .slice(1)
          .split('%')
          .map((pair) => Number.parseInt(pair, 16))
      : [escaped.charCodeAt(0)];
    if (bytes.length + encoded.length > bytesMax) break;
    bytes.push(...encoded);
  }
  return Uint8Array.from(bytes);
}
