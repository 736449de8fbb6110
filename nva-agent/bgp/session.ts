// A BGP session with one peer: whole desired set in, events out. This is the door; bgp-session.ts does the work.
// Shell: it opens sockets.
import type { Socket } from 'node:net';
import { BgpSession } from './bgp-session.ts';
import type { SessionState } from './fsm-table.ts';
import type { Route, RouteRefreshMessage, UpdateMessage } from './messages.ts';
import type { Negotiated } from './negotiation.ts';

// Part of this door: what a listener does with a stranger's connection.
export { rejectConnection } from './bgp-session.ts';

export interface SessionOptions {
  readonly peerAddress: string;
  /** 179 unless given. */
  readonly peerPort?: number;
  readonly peerAsn: number;
  readonly localAsn: number;
  readonly routerId: string;
  /** Offered in OPEN; the smaller of both sides holds. 30 unless given, 0 for none at all. */
  readonly holdSeconds?: number;
  /** Source address of the connections we open. */
  readonly localAddress?: string;
  /** Never dial; wait for `accept`. */
  readonly passive?: boolean;
  /** 4,000 unless given: what Azure Route Server accepts from one peer. */
  readonly peerRouteLimit?: number;
  /** ASNs refused in a path; 0, 12076 and 65515 unless given (a Route Server model speaks as 65515). */
  readonly forbiddenAsns?: readonly number[];
  /** How long a TCP connection may take, and the pause after one lost before OPEN; 5,000 unless given. */
  readonly connectRetryMs?: number;
  /** First pause after a failure, doubled up to the maximum; 1,000 and 30,000 unless given. */
  readonly idleHoldBaseMs?: number;
  readonly idleHoldMaxMs?: number;
  readonly onEvent: (event: SessionEvent) => void;
}

export type SessionEvent =
  | { readonly type: 'state'; readonly state: SessionState; readonly previous: SessionState }
  /** An UPDATE of the peer, RFC 7606 marks included. */
  | { readonly type: 'update'; readonly update: UpdateMessage }
  | { readonly type: 'route-refresh'; readonly refresh: RouteRefreshMessage }
  | ({ readonly type: 'notification'; readonly direction: 'in' | 'out' } & NotificationText)
  /** One UPDATE of ours was handed to the socket. */
  | { readonly type: 'advertised'; readonly announced: readonly string[]; readonly withdrawn: readonly string[] }
  /** The TCP connection was refused, reset or closed. */
  | { readonly type: 'connection-failed'; readonly reason: string };

export interface NotificationText {
  readonly code: number;
  readonly subcode: number;
  readonly name: string;
  /** The operator's words in a Cease (RFC 9003). */
  readonly text?: string;
}

export interface SessionStatus {
  readonly state: SessionState;
  /** Failures in a row; the pause before the next attempt grows with it. */
  readonly connectRetryCounter: number;
  /** Present while OpenConfirm or Established. */
  readonly negotiated?: Negotiated;
  readonly routesDesired: number;
  readonly routesSent: number;
  readonly isSynced: boolean;
  readonly queuedBytes: number;
  readonly updatesIn: number;
  readonly updatesOut: number;
  readonly establishedCount: number;
  readonly lastNotification?: NotificationText & { readonly direction: 'in' | 'out' };
}

export type SetResult = { readonly ok: true } | { readonly ok: false; readonly problems: readonly string[] };

export interface Session {
  readonly peerAddress: string;
  /** Starts again after `stop`; a new session starts by itself. */
  start(): void;
  /**
   * Replaces the whole desired set. Established, the difference is handed to the socket before this returns, as far as
   * the write queue takes it. A set with any problem is refused as a whole and changes nothing.
   */
  set(routes: readonly Route[]): SetResult;
  /**
   * Says these prefixes once more as they stand: desired ones announced again, any other withdrawn again. For peers that
   * may have overlooked a change (Route Server applies about one per prefix in 30 s). Not Established: nothing to do.
   */
  resend(prefixes: readonly string[]): void;
  /** Cease with a subcode of RFC 4486 and a text; resolves when the sockets are closed (at most about a second). */
  stop(subcode?: number, text?: string): Promise<void>;
  /** Takes a connection that the peer opened; refused with Cease while stopped. */
  accept(socket: Socket): void;
  state(): SessionState;
  status(): SessionStatus;
  /** What the peer holds from us: handed to the socket and not withdrawn since Established. */
  adjRibOut(): Route[];
  /** Asks the peer for its routes again (RFC 2918). False if there is no session or the peer cannot. */
  requestRefresh(): boolean;
}

/** Creates a session and starts it. Throws RangeError for options that no session could run with. */
export function createSession(options: SessionOptions): Session {
  const session = new BgpSession(options);
  session.start();
  return session;
}
