// Speaks BGP to every Route Server instance of the region: one desired set in, identical to all peers.

import { ROUTE_SERVER_ASN } from '../shared/asn.ts';
import { parseEndpoint } from '../shared/ip.ts';
import type { ReportSession } from '../shared/report.ts';
import { BGP_PORT } from './bgp/iana.ts';
import { type Listener, listen } from './bgp/listener.ts';
import type { Route } from './bgp/messages.ts';
import { createSession, type Session, type SessionEvent } from './bgp/session.ts';

export interface SpeakerOptions {
  /** As in the topology, `address` or `address:port`. */
  readonly peers: readonly string[];
  readonly localAsn: number;
  readonly routerId: string;
  readonly holdSeconds: number;
  readonly peerRouteLimit: number;
  readonly localAddress?: string | undefined;
  readonly listen?: { readonly address: string; readonly port: number } | undefined;
  /** A clock that does not jump, epoch ms. */
  readonly nowMs: () => number;
  readonly onEvent: (peer: string, event: SessionEvent) => void;
  /** The desired set is not with the peers though it should be, and why; undefined when that is over. */
  readonly onTrouble?: (reason: string | undefined) => void;
}

export interface Speaker {
  /** Replaces the desired set; the UPDATEs reach the sockets before this returns. Throws when a route may not be sent. */
  set(routes: readonly Route[]): void;
  /** Sends these prefixes once more to every peer, unchanged. */
  resend(prefixes: readonly string[]): void;
  sessions(): ReportSession[];
  /** Why the desired set is not with the peers though it should be; undefined while nothing is known to be wrong. */
  trouble(): string | undefined;
  /** Ends every session with a CEASE of this subcode and text. */
  stop(subcode: number, text: string): Promise<void>;
}

interface PeerSession {
  readonly peer: string;
  readonly address: string;
  readonly session: Session;
  sinceMs: number;
}

/** Opens a session to each peer. Throws RangeError for options no session could run with. */
export async function startSpeaker(options: SpeakerOptions): Promise<Speaker> {
  const peers = options.peers.map((peer) => openPeer(peer, options));
  const listener = await openListener(peers, options);
  return {
    set: (routes) => {
      for (const { peer, session } of peers) {
        const result = session.set(routes);
        // The plan and the fence let nothing through that a session refuses: this is a mistake of ours.
        if (!result.ok) throw new Error(`${peer} refuses the desired set: ${result.problems.join('; ')}`);
      }
    },
    resend: (prefixes) => {
      for (const { session } of peers) session.resend(prefixes);
    },
    sessions: () => peers.map(sessionReport),
    // A session that is up has the set in the socket before `set` returns; one that is not says so itself.
    trouble: () => undefined,
    stop: async (subcode, text) => {
      await listener?.close();
      await Promise.all(peers.map(({ session }) => session.stop(subcode, text)));
    },
  };
}

function openPeer(peer: string, options: SpeakerOptions): PeerSession {
  const endpoint = parseEndpoint(peer, BGP_PORT);
  if (endpoint === undefined) throw new RangeError(`${peer} is no address or address:port`);
  const { localAsn, routerId, holdSeconds, peerRouteLimit, localAddress, onEvent, nowMs } = options;
  const opened: PeerSession = {
    peer,
    address: endpoint.address,
    sinceMs: nowMs(),
    session: createSession({
      peerAddress: endpoint.address,
      peerPort: endpoint.port,
      peerAsn: ROUTE_SERVER_ASN,
      localAsn,
      routerId,
      holdSeconds,
      peerRouteLimit,
      ...(localAddress === undefined ? {} : { localAddress }),
      onEvent: (event) => {
        if (event.type === 'state') opened.sinceMs = nowMs();
        onEvent(peer, event);
      },
    }),
  };
  return opened;
}

async function openListener(peers: readonly PeerSession[], options: SpeakerOptions): Promise<Listener | undefined> {
  if (options.listen === undefined) return undefined;
  const sessionFor = (address: string) => peers.find((peer) => peer.address === address)?.session;
  try {
    return await listen({ ...options.listen, sessionFor });
  } catch (error) {
    await Promise.all(peers.map(({ session }) => session.stop()));
    throw error;
  }
}

function sessionReport({ peer, session, sinceMs }: PeerSession): ReportSession {
  const { state, negotiated } = session.status();
  return {
    peer,
    state,
    sinceMs: Math.round(sinceMs),
    holdSeconds: state === 'Established' ? (negotiated?.holdSeconds ?? null) : null,
    routes: session.adjRibOut().map((route) => ({
      prefix: route.prefix,
      asPath: [...route.asPath],
      communities: [...(route.communities ?? [])],
      med: route.med ?? null,
    })),
  };
}
