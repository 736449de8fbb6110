// UPDATE bodies, with the error handling of RFC 7606: reset, treat-as-withdraw or attribute discard.
// It must never know the RIBs.
import { type AttributesRead, type ReadOptions, readAttributes } from './attributes.ts';
import { attributeOctets } from './attributes-out.ts';
import { concat, readUint16, uint16 } from './bytes.ts';
import { ATTRIBUTE, ERROR_CODE, HEADER_BYTES, UPDATE_ERROR } from './iana.ts';
import {
  type Decoded,
  failed,
  type PathAttributes,
  type ProtocolError,
  protocolError,
  type UpdateMessage,
} from './messages.ts';
import { type MultiprotocolRoutes, readMpReach, readMpUnreach } from './multiprotocol.ts';
import { prefixOctets, readPrefixes } from './nlri.ts';

const WITHDRAWN_AT = HEADER_BYTES + 2;

/** Octets of an UPDATE besides withdrawn routes, attributes and NLRI (RFC 4271 section 4.3). */
export const UPDATE_FIXED_BYTES = HEADER_BYTES + 4;

/** Reads a whole UPDATE. An error means session reset; the softer treatments are marks on the message. */
export function decodeUpdate(bytes: Uint8Array, options: ReadOptions): Decoded<UpdateMessage> {
  // 1. The two length fields must fit into the message (RFC 4271 section 6.3).
  const withdrawnEnd = WITHDRAWN_AT + readUint16(bytes, HEADER_BYTES);
  if (withdrawnEnd + 2 > bytes.length) return updateError(UPDATE_ERROR.MALFORMED_ATTRIBUTE_LIST);
  const attributesEnd = withdrawnEnd + 2 + readUint16(bytes, withdrawnEnd);
  if (attributesEnd > bytes.length) return updateError(UPDATE_ERROR.MALFORMED_ATTRIBUTE_LIST);
  // 2. Without the prefixes nothing can be treated as withdrawn (RFC 7606 section 3 (j), 5.3).
  const withdrawn = readPrefixes(bytes, WITHDRAWN_AT, withdrawnEnd);
  const announced = readPrefixes(bytes, attributesEnd, bytes.length);
  if (withdrawn === undefined || announced === undefined) return updateError(UPDATE_ERROR.INVALID_NETWORK);
  // 3. The attributes, and the routes that some of them carry.
  const read = readAttributes(bytes, withdrawnEnd + 2, attributesEnd, options);
  if (read.treatment === 'reset' && read.error !== undefined) return failed(read.error);
  return joinRoutes(withdrawn, announced, read);
}

function updateError(subcode: number, data?: Uint8Array): Decoded<never> {
  return failed(protocolError(ERROR_CODE.UPDATE, subcode, data));
}

function joinRoutes(withdrawn: string[], announced: string[], read: AttributesRead): Decoded<UpdateMessage> {
  const reach = multiprotocol(read, ATTRIBUTE.MP_REACH_NLRI, readMpReach);
  const unreach = multiprotocol(read, ATTRIBUTE.MP_UNREACH_NLRI, readMpUnreach);
  if (reach === 'malformed' || unreach === 'malformed') return updateError(UPDATE_ERROR.OPTIONAL_ATTRIBUTE);
  const attributes = withoutOwnFamily(read.attributes, reach, unreach);
  const update: UpdateMessage = {
    type: 'update',
    withdrawn: unreach === undefined ? withdrawn : [...withdrawn, ...unreach.prefixes],
    announced: reach === undefined ? announced : [...announced, ...reach.prefixes],
    ...attributes,
    ...(read.discarded.length > 0 ? { discardedAttributes: read.discarded } : {}),
  };
  return judge(update, read, announced.length > 0 || reach?.hasRoutes === true);
}

function multiprotocol(
  read: AttributesRead,
  code: number,
  reader: (value: Uint8Array) => MultiprotocolRoutes | undefined,
): MultiprotocolRoutes | 'malformed' | undefined {
  const attribute = read.attributes.otherAttributes?.find((other) => other.code === code);
  return attribute === undefined ? undefined : (reader(attribute.value) ?? 'malformed');
}

/** IPv4 unicast routes of the MP attributes join the plain fields; NEXT_HOP stays the one of the plain NLRI, if any. */
function withoutOwnFamily(
  attributes: PathAttributes,
  reach: MultiprotocolRoutes | undefined,
  unreach: MultiprotocolRoutes | undefined,
): PathAttributes {
  if (reach?.isIpv4Unicast !== true && unreach?.isIpv4Unicast !== true) return attributes;
  const { otherAttributes = [], ...named } = attributes;
  const kept = otherAttributes.filter(
    ({ code }) =>
      !(code === ATTRIBUTE.MP_REACH_NLRI && reach?.isIpv4Unicast === true) &&
      !(code === ATTRIBUTE.MP_UNREACH_NLRI && unreach?.isIpv4Unicast === true),
  );
  const nextHop = named.nextHop ?? reach?.nextHop;
  return {
    ...named,
    ...(nextHop === undefined ? {} : { nextHop }),
    ...(kept.length > 0 ? { otherAttributes: kept } : {}),
  };
}

/** RFC 7606 section 3 (d): mandatory attributes; section 5.2: without routes a withdraw cannot be trusted, so reset. */
function judge(update: UpdateMessage, read: AttributesRead, hasRoutes: boolean): Decoded<UpdateMessage> {
  const error = read.treatment === 'withdraw' ? read.error : missingAttribute(update, read.seen, hasRoutes);
  if (error === undefined) return { ok: true, value: update };
  return hasRoutes ? { ok: true, value: { ...update, treatAsWithdraw: true } } : failed(error);
}

function missingAttribute(
  update: UpdateMessage,
  seen: ReadonlySet<number>,
  hasRoutes: boolean,
): ProtocolError | undefined {
  if (!hasRoutes) return undefined;
  const needsNextHop = update.announced.length > 0 && update.nextHop === undefined;
  const code = [ATTRIBUTE.ORIGIN, ATTRIBUTE.AS_PATH].find((mandatory) => !seen.has(mandatory));
  const missing = code ?? (needsNextHop ? ATTRIBUTE.NEXT_HOP : undefined);
  if (missing === undefined) return undefined;
  return protocolError(ERROR_CODE.UPDATE, UPDATE_ERROR.MISSING_WELL_KNOWN, Uint8Array.of(missing));
}

/** An UPDATE body. The caller keeps it within 4096 octets (rib-out.ts packs); encodeMessage asserts that. */
export function encodeUpdate(update: UpdateMessage, as4: boolean): Uint8Array {
  const withdrawn = update.withdrawn.flatMap(prefixOctets);
  const attributes = attributeOctets(update, as4);
  return concat([
    Uint8Array.from(uint16(withdrawn.length)),
    Uint8Array.from(withdrawn),
    Uint8Array.from(uint16(attributes.length)),
    Uint8Array.from(attributes),
    Uint8Array.from(update.announced.flatMap(prefixOctets)),
  ]);
}
