// Cuts a byte stream into BGP messages: a message, need more, or an error (RFC 4271 section 4.1, 6.1).
// It must never know what is inside a message, nor where the bytes come from.
import { byteAt, concat, readUint16 } from './bytes.ts';
import { ERROR_CODE, HEADER_BYTES, HEADER_ERROR, MARKER_BYTES, MESSAGE_BYTES_MAX, MESSAGE_TYPE } from './iana.ts';
import { NO_DATA, type ProtocolError, protocolError } from './messages.ts';

/** What stands at the start of the bytes. `bytes` is the length of the whole message. */
export type Frame =
  | { readonly type: 'message'; readonly bytes: number }
  | { readonly type: 'need-more' }
  | { readonly type: 'error'; readonly error: ProtocolError };

/** Everything that could be cut from what was received, and what remains for the next call (less than one message). */
export interface Received {
  readonly messages: readonly Uint8Array[];
  readonly rest: Uint8Array;
  readonly error?: ProtocolError;
}

const NEED_MORE: Frame = { type: 'need-more' };

/** Shortest message of each type, header included (RFC 4271 section 6.1; RFC 2918). */
const BYTES_MIN: Readonly<Record<number, number>> = {
  [MESSAGE_TYPE.OPEN]: 29,
  [MESSAGE_TYPE.UPDATE]: 23,
  [MESSAGE_TYPE.NOTIFICATION]: 21,
  [MESSAGE_TYPE.KEEPALIVE]: 19,
  [MESSAGE_TYPE.ROUTE_REFRESH]: 23,
};

/** Looks at the header at `at`: marker, then length, then type, the order of RFC 4271 section 6.1. */
export function frameAt(bytes: Uint8Array, at: number): Frame {
  if (bytes.length - at < HEADER_BYTES) return NEED_MORE;
  const error = checkHeader(bytes, at);
  if (error !== undefined) return { type: 'error', error };
  const length = readUint16(bytes, at + MARKER_BYTES);
  return bytes.length - at < length ? NEED_MORE : { type: 'message', bytes: length };
}

function checkHeader(bytes: Uint8Array, at: number): ProtocolError | undefined {
  for (let index = at; index < at + MARKER_BYTES; index += 1) {
    if (byteAt(bytes, index) !== 0xff) return protocolError(ERROR_CODE.MESSAGE_HEADER, HEADER_ERROR.NOT_SYNCHRONIZED);
  }
  const length = readUint16(bytes, at + MARKER_BYTES);
  const lengthField = bytes.slice(at + MARKER_BYTES, at + MARKER_BYTES + 2);
  const badLength = protocolError(ERROR_CODE.MESSAGE_HEADER, HEADER_ERROR.BAD_LENGTH, lengthField);
  if (length < HEADER_BYTES || length > MESSAGE_BYTES_MAX) return badLength;
  const type = byteAt(bytes, at + HEADER_BYTES - 1);
  const bytesMin = BYTES_MIN[type];
  if (bytesMin === undefined)
    return protocolError(ERROR_CODE.MESSAGE_HEADER, HEADER_ERROR.BAD_TYPE, Uint8Array.of(type));
  if (length < bytesMin || (type === MESSAGE_TYPE.KEEPALIVE && length !== HEADER_BYTES)) return badLength;
  return undefined;
}

/**
 * Appends a chunk to what was left over and cuts all whole messages. After an error nothing more is cut: RFC 4271 ends
 * the session there. Messages are views, valid as long as the caller keeps the chunk unchanged.
 */
export function receive(rest: Uint8Array, chunk: Uint8Array): Received {
  const bytes = rest.length === 0 ? chunk : concat([rest, chunk]);
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const frame = frameAt(bytes, at);
    if (frame.type === 'error') return { messages, rest: NO_DATA, error: frame.error };
    if (frame.type === 'need-more') break;
    messages.push(bytes.subarray(at, at + frame.bytes));
    at += frame.bytes;
  }
  return { messages, rest: bytes.slice(at) };
}
