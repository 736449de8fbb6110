// One BGP message in hex to one JSON-able object: what `anycast-agent decode` prints.
// It must never know where the line comes from.
import { fromHex, toHex } from './bytes.ts';
import { decodeMessage } from './codec.ts';
import { frameAt } from './frame.ts';
import { ATTRIBUTE, ERROR_CODE, errorName, HEADER_ERROR, MARKER_BYTES, MESSAGE_BYTES_MAX } from './iana.ts';
import {
  type Message,
  type NotificationMessage,
  type ProtocolError,
  protocolError,
  type UpdateMessage,
} from './messages.ts';
import { shutdownText } from './notification.ts';

/** A message of 4096 octets written as "ff:ff:" or "ff ff ", with room to spare. */
export const LINE_CHARACTERS_MAX = MESSAGE_BYTES_MAX * 4;

export type Decoded = Readonly<Record<string, unknown>>;

export interface DecodeOptions {
  /** AS paths of 2 octets, as on a session without RFC 6793. */
  readonly as2: boolean;
}

/** Attributes that have a field of their own in the output. */
const SHOWN: readonly number[] = [
  ATTRIBUTE.ORIGIN,
  ATTRIBUTE.AS_PATH,
  ATTRIBUTE.NEXT_HOP,
  ATTRIBUTE.MULTI_EXIT_DISC,
  ATTRIBUTE.LOCAL_PREF,
  ATTRIBUTE.COMMUNITIES,
];

/**
 * Decodes a line. The answer is a message, or `{error: {code, subcode, name}}` for what would end a session; a line
 * that holds no octets at all has code 0. Spaces, colons and a leading 0x are allowed.
 */
export function decodeLine(hex: string, options: DecodeOptions): Decoded {
  if (hex.length > LINE_CHARACTERS_MAX) return inputError(`line longer than ${LINE_CHARACTERS_MAX} characters`);
  const bytes = fromHex(hex);
  if (bytes === undefined || bytes.length === 0) return inputError('not hexadecimal octets');
  const frame = frameAt(bytes, 0);
  if (frame.type === 'error') return errorOf(frame.error);
  // A message that is cut short, or followed by more, has a length field that is not its length.
  if (frame.type === 'need-more' || frame.bytes !== bytes.length) return badLength(bytes);
  return decodeOne(bytes, options);
}

/** Every message of a captured packet: what stands before the first marker (link, IP and TCP headers) is passed over. */
export function decodePacket(packet: Uint8Array, options: DecodeOptions): readonly Decoded[] {
  let at = findMarker(packet);
  if (at === undefined) return [inputError(`no BGP marker in ${packet.length} octets`)];
  const decoded: Decoded[] = [];
  while (at < packet.length) {
    const frame = frameAt(packet, at);
    if (frame.type !== 'message') {
      return [...decoded, frame.type === 'error' ? errorOf(frame.error) : badLength(packet.subarray(at))];
    }
    decoded.push(decodeOne(packet.slice(at, at + frame.bytes), options));
    at += frame.bytes;
  }
  return decoded;
}

function findMarker(bytes: Uint8Array): number | undefined {
  let ones = 0;
  for (const [at, byte] of bytes.entries()) {
    ones = byte === 0xff ? ones + 1 : 0;
    if (ones === MARKER_BYTES) return at + 1 - MARKER_BYTES;
  }
  return undefined;
}

function decodeOne(bytes: Uint8Array, options: DecodeOptions): Decoded {
  const decoded = decodeMessage(bytes, { as4: !options.as2, isExternal: false });
  return decoded.ok ? describe(decoded.value) : errorOf(decoded.error);
}

const badLength = (bytes: Uint8Array): Decoded =>
  errorOf(
    protocolError(ERROR_CODE.MESSAGE_HEADER, HEADER_ERROR.BAD_LENGTH, bytes.slice(MARKER_BYTES, MARKER_BYTES + 2)),
  );

/** What cannot be a message at all has code 0. */
export function inputError(name: string): Decoded {
  return { error: { code: 0, subcode: 0, name } };
}

function errorOf({ code, subcode }: ProtocolError): Decoded {
  return { error: { code, subcode, name: errorName(code, subcode) } };
}

function describe(message: Message): Decoded {
  switch (message.type) {
    case 'update':
      return describeUpdate(message);
    case 'notification':
      return describeNotification(message);
    case 'route-refresh': {
      const { type, afi, safi, subtype } = message;
      return { type, afi, safi, ...(subtype === 0 ? {} : { subtype }) };
    }
    default:
      return { ...message };
  }
}

/** Lists are always there, single values only if the message has them. */
function describeUpdate(update: UpdateMessage): Decoded {
  const { type, withdrawn, announced, otherAttributes = [], communities = [], ...fields } = update;
  const named = [
    ...(update.atomicAggregate === undefined ? [] : [ATTRIBUTE.ATOMIC_AGGREGATE]),
    ...(update.aggregator === undefined ? [] : [ATTRIBUTE.AGGREGATOR]),
    ...(update.largeCommunities === undefined ? [] : [ATTRIBUTE.LARGE_COMMUNITIES]),
  ];
  const codes = [...named, ...otherAttributes.map(({ code }) => code)].filter((code) => !SHOWN.includes(code));
  return { type, withdrawn, announced, ...fields, communities, otherAttributes: codes.sort((a, b) => a - b) };
}

function describeNotification(message: NotificationMessage): Decoded {
  const { type, code, subcode, data } = message;
  const text = shutdownText(message);
  return {
    type,
    code,
    subcode,
    name: errorName(code, subcode),
    ...(text === undefined ? {} : { text }),
    ...(data.length > 0 && text === undefined ? { data: toHex(data) } : {}),
  };
}
