// Builds BGP messages octet by octet, right or wrong, so that a test shows the protocol rather than hex.

/** A message of any type with a true header; `length` overrides the length field. */
export function message(type: number, body: readonly number[], length = 19 + body.length): Uint8Array {
  return Uint8Array.of(...new Array(16).fill(0xff), length >> 8, length & 0xff, type, ...body);
}

export interface UpdateParts {
  readonly withdrawn?: readonly number[];
  readonly attributes?: readonly (readonly number[])[];
  readonly nlri?: readonly number[];
  readonly withdrawnLength?: number;
  readonly attributesLength?: number;
}

/** An UPDATE; the two length fields are true unless given. */
export function update(parts: UpdateParts): Uint8Array {
  const { withdrawn = [], nlri = [] } = parts;
  const attributes = (parts.attributes ?? []).flat();
  const withdrawnLength = parts.withdrawnLength ?? withdrawn.length;
  const attributesLength = parts.attributesLength ?? attributes.length;
  return message(2, [...two(withdrawnLength), ...withdrawn, ...two(attributesLength), ...attributes, ...nlri]);
}

export function two(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

/** Well-formed attributes (4-octet AS path 65001) and a prefix, to be combined with wrong ones. */
export const ORIGIN_IGP = [0x40, 1, 1, 0];
export const AS_PATH_65001 = [0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
export const NEXT_HOP_10 = [0x40, 3, 4, 10, 1, 1, 4];
export const MANDATORY = [ORIGIN_IGP, AS_PATH_65001, NEXT_HOP_10];
export const VIP = [32, 192, 0, 2, 10];

export interface OpenParts {
  readonly version?: number;
  readonly asn?: number;
  readonly holdSeconds?: number;
  readonly routerId?: readonly number[];
  /** The parameters field, its one-octet length left out; the length is true unless given. */
  readonly parameters?: readonly number[];
  readonly parametersLength?: number;
}

/** An OPEN of AS 65001, hold 180, 10.0.0.1 and no parameters unless given. */
export function open(parts: OpenParts = {}): Uint8Array {
  const { version = 4, asn = 65001, holdSeconds = 180, routerId = [10, 0, 0, 1], parameters = [] } = parts;
  const length = parts.parametersLength ?? parameters.length;
  return message(1, [version, ...two(asn), ...two(holdSeconds), ...routerId, length, ...parameters]);
}
