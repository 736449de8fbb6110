// OPEN bodies: capabilities (RFC 5492), 4-octet ASNs (RFC 6793), extended optional parameters (RFC 9072).
// It must never know what we offer or accept: negotiation.ts decides that.
import { addressOctets, byteAt, fromHex, readAddress, readUint16, readUint32, toHex, uint16, uint32 } from './bytes.ts';
import { AS_TRANS, BGP_VERSION, CAPABILITY, ERROR_CODE, HEADER_BYTES, OPEN_ERROR, PARAMETER } from './iana.ts';
import { type Capability, type Decoded, failed, type OpenMessage, protocolError } from './messages.ts';

const MALFORMED = failed(protocolError(ERROR_CODE.OPEN, OPEN_ERROR.UNSPECIFIC));

/** Offsets in a whole OPEN message, RFC 4271 section 4.2. */
const VERSION_AT = HEADER_BYTES;
const ASN_AT = HEADER_BYTES + 1;
const HOLD_AT = HEADER_BYTES + 3;
const ROUTER_ID_AT = HEADER_BYTES + 5;
const PARAMETERS_LENGTH_AT = HEADER_BYTES + 9;
const PARAMETERS_AT = HEADER_BYTES + 10;

/** Reads a whole OPEN and makes the checks of RFC 4271 section 6.2 that need no configuration. */
export function decodeOpen(bytes: Uint8Array): Decoded<OpenMessage> {
  const version = byteAt(bytes, VERSION_AT);
  // The data is the largest version we support, two octets.
  if (version !== BGP_VERSION) return openError(OPEN_ERROR.UNSUPPORTED_VERSION, Uint8Array.of(0, BGP_VERSION));
  const holdSeconds = readUint16(bytes, HOLD_AT);
  if (holdSeconds === 1 || holdSeconds === 2) return openError(OPEN_ERROR.UNACCEPTABLE_HOLD_TIME);
  // RFC 6286: any identifier but zero.
  if (readUint32(bytes, ROUTER_ID_AT) === 0) return openError(OPEN_ERROR.BAD_BGP_IDENTIFIER);
  const capabilities = readParameters(bytes);
  if (!capabilities.ok) return capabilities;
  const asn = realAsn(readUint16(bytes, ASN_AT), capabilities.value);
  // RFC 7607: AS 0 is nobody.
  if (asn === 0) return openError(OPEN_ERROR.BAD_PEER_AS);
  const routerId = readAddress(bytes, ROUTER_ID_AT);
  return { ok: true, value: { type: 'open', version, asn, holdSeconds, routerId, capabilities: capabilities.value } };
}

function openError(subcode: number, data?: Uint8Array): Decoded<never> {
  return failed(protocolError(ERROR_CODE.OPEN, subcode, data));
}

function realAsn(field: number, capabilities: readonly Capability[]): number {
  const fourOctet = capabilities.find((capability) => capability.code === CAPABILITY.FOUR_OCTET_ASN);
  return field === AS_TRANS && fourOctet !== undefined && 'asn' in fourOctet ? fourOctet.asn : field;
}

/** RFC 9072 section 2: a first parameter type of 255 means a 2-octet total, and 2-octet parameter lengths. */
function readParameters(bytes: Uint8Array): Decoded<readonly Capability[]> {
  const shortLength = byteAt(bytes, PARAMETERS_LENGTH_AT);
  const isExtended =
    shortLength !== 0 && bytes.length > PARAMETERS_AT && byteAt(bytes, PARAMETERS_AT) === PARAMETER.EXTENDED_LENGTH;
  if (isExtended && bytes.length < PARAMETERS_AT + 3) return MALFORMED;
  const start = isExtended ? PARAMETERS_AT + 3 : PARAMETERS_AT;
  const total = isExtended ? readUint16(bytes, PARAMETERS_AT + 1) : shortLength;
  if (start + total !== bytes.length) return MALFORMED;
  const capabilities: Capability[] = [];
  const headerBytes = isExtended ? 3 : 2;
  let at = start;
  while (at < bytes.length) {
    if (at + headerBytes > bytes.length) return MALFORMED;
    const length = isExtended ? readUint16(bytes, at + 1) : byteAt(bytes, at + 1);
    const end = at + headerBytes + length;
    if (end > bytes.length) return MALFORMED;
    if (byteAt(bytes, at) !== PARAMETER.CAPABILITIES) return openError(OPEN_ERROR.UNSUPPORTED_PARAMETER);
    if (!readCapabilities(bytes, at + headerBytes, end, capabilities)) return MALFORMED;
    at = end;
  }
  return { ok: true, value: capabilities };
}

function readCapabilities(bytes: Uint8Array, start: number, end: number, into: Capability[]): boolean {
  let at = start;
  while (at < end) {
    if (at + 2 > end) return false;
    const valueEnd = at + 2 + byteAt(bytes, at + 1);
    if (valueEnd > end) return false;
    const capability = readCapability(byteAt(bytes, at), bytes.subarray(at + 2, valueEnd));
    if (capability === undefined) return false;
    into.push(capability);
    at = valueEnd;
  }
  return true;
}

/** Unknown capabilities are kept, not judged (RFC 5492 section 3); undefined means a known one of the wrong length. */
function readCapability(code: number, value: Uint8Array): Capability | undefined {
  if (code === CAPABILITY.MULTIPROTOCOL) {
    return value.length === 4 ? { code, afi: readUint16(value, 0), safi: byteAt(value, 3) } : undefined;
  }
  if (code === CAPABILITY.FOUR_OCTET_ASN) {
    return value.length === 4 ? { code, asn: readUint32(value, 0) } : undefined;
  }
  return value.length === 0 ? { code } : { code, value: toHex(value) };
}

/** An OPEN body. Beyond 255 octets of parameters it takes the extended form of RFC 9072. */
export function encodeOpen(open: OpenMessage): Uint8Array {
  const fixed = [
    open.version,
    ...uint16(open.asn > 0xffff ? AS_TRANS : open.asn),
    ...uint16(open.holdSeconds),
    ...addressOctets(open.routerId),
  ];
  const capabilities = open.capabilities.flatMap(capabilityOctets);
  if (capabilities.length === 0) return Uint8Array.of(...fixed, 0);
  const short = [PARAMETER.CAPABILITIES, capabilities.length, ...capabilities];
  if (short.length <= 255 && capabilities.length <= 255) return Uint8Array.of(...fixed, short.length, ...short);
  const extended = [PARAMETER.CAPABILITIES, ...uint16(capabilities.length), ...capabilities];
  return Uint8Array.of(...fixed, 255, PARAMETER.EXTENDED_LENGTH, ...uint16(extended.length), ...extended);
}

function capabilityOctets(capability: Capability): number[] {
  const value = capabilityValue(capability);
  return [capability.code, value.length, ...value];
}

function capabilityValue(capability: Capability): number[] {
  if ('afi' in capability) return [...uint16(capability.afi), 0, capability.safi];
  if ('asn' in capability) return uint32(capability.asn);
  const value = fromHex(capability.value ?? '');
  if (value === undefined) throw new RangeError(`capability ${capability.code}: not hex`);
  return [...value];
}
