// The door of the codec: a whole message from bytes, bytes from a message.
// It must never know sessions, sockets or time.
import type { ReadOptions } from './attributes.ts';
import { byteAt, concat, readUint16, uint16 } from './bytes.ts';
import {
  ERROR_CODE,
  HEADER_BYTES,
  HEADER_ERROR,
  MARKER_BYTES,
  MESSAGE_BYTES_MAX,
  MESSAGE_TYPE,
  REFRESH,
  ROUTE_REFRESH_ERROR,
} from './iana.ts';
import { type Decoded, failed, type Message, protocolError, type RouteRefreshMessage } from './messages.ts';
import { decodeNotification, encodeNotification } from './notification.ts';
import { decodeOpen, encodeOpen } from './open.ts';
import { decodeUpdate, encodeUpdate } from './update.ts';

const MARKER = new Uint8Array(MARKER_BYTES).fill(0xff);
const ROUTE_REFRESH_BYTES = HEADER_BYTES + 4;

/** Reads one whole message that frame.ts has cut. Whatever its bytes are, the answer is a value. */
export function decodeMessage(bytes: Uint8Array, options: ReadOptions): Decoded<Message> {
  switch (byteAt(bytes, HEADER_BYTES - 1)) {
    case MESSAGE_TYPE.OPEN:
      return decodeOpen(bytes);
    case MESSAGE_TYPE.UPDATE:
      return decodeUpdate(bytes, options);
    case MESSAGE_TYPE.NOTIFICATION:
      return { ok: true, value: decodeNotification(bytes) };
    case MESSAGE_TYPE.ROUTE_REFRESH:
      return decodeRouteRefresh(bytes);
    default:
      return { ok: true, value: { type: 'keepalive' } };
  }
}

/** RFC 2918 section 3; a wrong length is answered as RFC 7313 section 5 says, for the subtypes that RFC defines. */
function decodeRouteRefresh(bytes: Uint8Array): Decoded<RouteRefreshMessage> {
  const subtype = byteAt(bytes, HEADER_BYTES + 2);
  if (bytes.length !== ROUTE_REFRESH_BYTES) {
    return failed(
      subtype === REFRESH.BEGIN || subtype === REFRESH.END
        ? protocolError(ERROR_CODE.ROUTE_REFRESH, ROUTE_REFRESH_ERROR.INVALID_LENGTH, bytes.slice())
        : protocolError(
            ERROR_CODE.MESSAGE_HEADER,
            HEADER_ERROR.BAD_LENGTH,
            bytes.slice(MARKER_BYTES, MARKER_BYTES + 2),
          ),
    );
  }
  const afi = readUint16(bytes, HEADER_BYTES);
  return { ok: true, value: { type: 'route-refresh', afi, safi: byteAt(bytes, HEADER_BYTES + 3), subtype } };
}

/** Bytes of a message; `as4` as in ReadOptions. Throws RangeError on a message that no peer could be sent. */
export function encodeMessage(message: Message, options: { readonly as4: boolean }): Uint8Array {
  const { type, body } = encodeBody(message, options.as4);
  const bytes = HEADER_BYTES + body.length;
  if (bytes > MESSAGE_BYTES_MAX) throw new RangeError(`${message.type} of ${bytes} octets`);
  return concat([MARKER, Uint8Array.of(...uint16(bytes), type), body]);
}

function encodeBody(message: Message, as4: boolean): { readonly type: number; readonly body: Uint8Array } {
  switch (message.type) {
    case 'open':
      return { type: MESSAGE_TYPE.OPEN, body: encodeOpen(message) };
    case 'update':
      return { type: MESSAGE_TYPE.UPDATE, body: encodeUpdate(message, as4) };
    case 'notification':
      return { type: MESSAGE_TYPE.NOTIFICATION, body: encodeNotification(message) };
    case 'route-refresh':
      return {
        type: MESSAGE_TYPE.ROUTE_REFRESH,
        body: Uint8Array.of(...uint16(message.afi), message.subtype, message.safi),
      };
    case 'keepalive':
      return { type: MESSAGE_TYPE.KEEPALIVE, body: new Uint8Array(0) };
  }
}
