// The vocabulary of the speaker: BGP messages, routes and protocol errors as plain values.
// It must never know how they are written on the wire, nor who sends them.

/** A capability of an OPEN (RFC 5492); those we do not know keep their value as hex. */
export type Capability =
  | { readonly code: 1; readonly afi: number; readonly safi: number }
  | { readonly code: 65; readonly asn: number }
  | { readonly code: number; readonly value?: string };

/** `asn` is the real one: where the 2-octet field holds AS_TRANS it is that of capability 65 (RFC 6793). */
export interface OpenMessage {
  readonly type: 'open';
  readonly version: number;
  readonly asn: number;
  readonly holdSeconds: number;
  readonly routerId: string;
  readonly capabilities: readonly Capability[];
}

export type Origin = 'igp' | 'egp' | 'incomplete';

/** AS_SEQUENCE segments as numbers in order, leftmost first; an AS_SET is a nested array and counts as one. */
export type AsPath = readonly (number | readonly number[])[];

/** An attribute we carry but do not read. */
export interface RawAttribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Uint8Array;
}

export interface Aggregator {
  readonly asn: number;
  readonly address: string;
}

/** Path attributes of one UPDATE. Communities are `"65001:1"` (RFC 1997), large ones `"65001:1:2"` (RFC 8092). */
export interface PathAttributes {
  readonly origin?: Origin;
  readonly asPath?: AsPath;
  readonly nextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: Aggregator;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly otherAttributes?: readonly RawAttribute[];
}

/** `treatAsWithdraw`: RFC 7606, every announced prefix counts as withdrawn. `discardedAttributes`: codes left out by it. */
export interface UpdateMessage extends PathAttributes {
  readonly type: 'update';
  readonly withdrawn: readonly string[];
  readonly announced: readonly string[];
  readonly treatAsWithdraw?: true;
  readonly discardedAttributes?: readonly number[];
}

export interface KeepaliveMessage {
  readonly type: 'keepalive';
}

/** `subtype`: 0 a request (RFC 2918), 1 and 2 begin and end of a refresh (RFC 7313). */
export interface RouteRefreshMessage {
  readonly type: 'route-refresh';
  readonly afi: number;
  readonly safi: number;
  readonly subtype: number;
}

export interface NotificationMessage {
  readonly type: 'notification';
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

export type Message = OpenMessage | UpdateMessage | KeepaliveMessage | RouteRefreshMessage | NotificationMessage;

/** What is wrong with a peer's bytes, in the terms of the NOTIFICATION that answers it (RFC 4271 section 6). */
export interface ProtocolError {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** The result of reading bytes: a peer's mistake is a value, never an exception. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ProtocolError };

/** A route to advertise. `asPath` is the whole path as it goes out: our own ASN leftmost, prepends after it. */
export interface Route {
  readonly prefix: string;
  readonly asPath: readonly number[];
  readonly nextHop: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
}

export const NO_DATA = new Uint8Array(0);

/** A protocol error with the data RFC 4271 section 6 asks for, none by default. */
export function protocolError(code: number, subcode: number, data: Uint8Array = NO_DATA): ProtocolError {
  return { code, subcode, data };
}

/** A failed read. */
export function failed(error: ProtocolError): { readonly ok: false; readonly error: ProtocolError } {
  return { ok: false, error };
}

/** End-of-RIB (RFC 4724 section 2): an UPDATE with nothing in it. */
export function isEndOfRib(update: UpdateMessage): boolean {
  return (
    update.withdrawn.length === 0 &&
    update.announced.length === 0 &&
    update.origin === undefined &&
    update.asPath === undefined &&
    update.otherAttributes === undefined &&
    update.discardedAttributes === undefined
  );
}

/** What an UPDATE does to the routes learned before: RFC 7606's treat-as-withdraw applied, withdrawals first. */
export function effectOf(update: UpdateMessage): {
  readonly withdrawn: readonly string[];
  readonly announced: readonly string[];
} {
  const { withdrawn, announced } = update;
  return update.treatAsWithdraw === true
    ? { withdrawn: [...withdrawn, ...announced], announced: [] }
    : { withdrawn, announced };
}
