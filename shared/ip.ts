// IPv4 addresses and prefixes as numbers. Azure Route Server carries IPv4 only (FAQ), so nothing here knows IPv6.

export interface Prefix {
  /** First address, as an unsigned 32-bit number. */
  readonly first: number;
  readonly length: number;
}

const OCTET = /^(0|[1-9]\d{0,2})$/;

/** The address as an unsigned 32-bit number, or undefined when the text is no dotted quad. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!OCTET.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

/** A prefix whose host bits are zero, or undefined: `10.0.0.1/8` is a mistake worth refusing, not rounding. */
export function parsePrefix(text: string): Prefix | undefined {
  const [address, length, extra] = text.split('/');
  if (address === undefined || length === undefined || extra !== undefined || !/^(0|[1-9]\d?)$/.test(length)) return;
  const first = parseIpv4(address);
  const bits = Number(length);
  if (first === undefined || bits > 32) return undefined;
  return first % 2 ** (32 - bits) === 0 ? { first, length: bits } : undefined;
}

export const lastAddress = (prefix: Prefix): number => prefix.first + 2 ** (32 - prefix.length) - 1;

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.first <= lastAddress(b) && b.first <= lastAddress(a);
}

export function contains(prefix: Prefix, address: number): boolean {
  return prefix.first <= address && address <= lastAddress(prefix);
}

/** `10.1.0.4` or `10.1.0.4:1790`; the port falls back to the given one. */
export function parseEndpoint(text: string, defaultPort: number): { address: string; port: number } | undefined {
  const [address = '', portText, extra] = text.split(':');
  if (parseIpv4(address) === undefined || extra !== undefined) return undefined;
  if (portText === undefined) return { address, port: defaultPort };
  const port = Number(portText);
  return /^\d{1,5}$/.test(portText) && port >= 1 && port <= 65535 ? { address, port } : undefined;
}
