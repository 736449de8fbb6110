// What every BGP daemon under test can be asked, whichever it is.
import type { Daemon } from './daemon.ts';

export interface PeerRoute {
  readonly prefix: string;
  readonly asPath: readonly number[];
  readonly med?: number;
  readonly communities: readonly string[];
  readonly nextHop?: string;
}

/** How the daemon is set up: it listens on `address`:`port` and waits for `peerAddress`. */
export interface PeerDaemonOptions {
  readonly address: string;
  readonly port: number;
  readonly asn: number;
  readonly routerId: string;
  readonly peerAddress: string;
  readonly peerAsn: number;
  readonly holdSeconds: number;
}

export interface PeerDaemon {
  readonly name: string;
  readonly daemon: Daemon;
  /** Routes learned from us. */
  routes(): Promise<PeerRoute[]>;
  /** How many UPDATEs with withdrawals it has counted, if it counts them. */
  withdrawals?(): Promise<number>;
  /** How many routes it has been sent so far, if it counts them: each again, too. */
  updatesIn?(): Promise<number>;
  /** Sends ROUTE-REFRESH to us. */
  requestRefresh?(): Promise<void>;
  /** Ends the session with Cease, Administrative Shutdown; whether the text is carried depends on the daemon. */
  shutdown?(text: string): Promise<void>;
  enable?(): Promise<void>;
  stop(): Promise<void>;
}

export const OPTIONS_DEFAULT: Omit<PeerDaemonOptions, 'port'> = {
  address: '127.0.0.1',
  asn: 65515,
  routerId: '10.0.0.5',
  peerAddress: '127.0.0.2',
  peerAsn: 65001,
  holdSeconds: 180,
};
