// NOTIFICATION bodies: code, subcode, data, and the shutdown text of RFC 8203 and 9003.
// It must never know why a session ends.
import { byteAt, fromUtf8, toUtf8 } from './bytes.ts';
import { CEASE, ERROR_CODE, HEADER_BYTES } from './iana.ts';
import { NO_DATA, type NotificationMessage, type ProtocolError } from './messages.ts';

/** RFC 8203 allows 128 octets, its successor RFC 9003 255: we send what both accept and read up to 255. */
export const SHUTDOWN_TEXT_BYTES_MAX = 128;

/** Reads a whole NOTIFICATION. An error in it cannot be answered (RFC 4271 section 6.4), so there is none to report. */
export function decodeNotification(bytes: Uint8Array): NotificationMessage {
  return {
    type: 'notification',
    code: byteAt(bytes, HEADER_BYTES),
    subcode: byteAt(bytes, HEADER_BYTES + 1),
    data: bytes.slice(HEADER_BYTES + 2),
  };
}

export function encodeNotification(message: NotificationMessage): Uint8Array {
  return Uint8Array.of(message.code, message.subcode, ...message.data);
}

export function notificationOf(error: ProtocolError): NotificationMessage {
  return { type: 'notification', code: error.code, subcode: error.subcode, data: error.data };
}

/** Cease (RFC 4486); only shutdown and reset can carry a text (RFC 9003 section 2), cut to 128 octets of UTF-8. */
export function cease(subcode: number, text = ''): ProtocolError {
  const carriesText = isShutdown(ERROR_CODE.CEASE, subcode) && text !== '';
  if (!carriesText) return { code: ERROR_CODE.CEASE, subcode, data: NO_DATA };
  const encoded = toUtf8(text, SHUTDOWN_TEXT_BYTES_MAX);
  return { code: ERROR_CODE.CEASE, subcode, data: Uint8Array.of(encoded.length, ...encoded) };
}

/** The operator's text in a Cease, or undefined: none, cut short, or not UTF-8. Control characters become spaces. */
export function shutdownText(message: ProtocolError): string | undefined {
  const { data } = message;
  if (!isShutdown(message.code, message.subcode) || data.length === 0) return undefined;
  const bytes = byteAt(data, 0);
  if (bytes === 0 || bytes + 1 > data.length) return undefined;
  return fromUtf8(data.subarray(1, 1 + bytes))?.replace(/\p{Cc}/gu, ' ');
}

function isShutdown(code: number, subcode: number): boolean {
  return (
    code === ERROR_CODE.CEASE && (subcode === CEASE.ADMINISTRATIVE_SHUTDOWN || subcode === CEASE.ADMINISTRATIVE_RESET)
  );
}
