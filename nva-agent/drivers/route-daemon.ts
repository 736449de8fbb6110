// What a driver needs of the BGP daemon it drives: one desired set in, the daemon's own word out, a last will.
import type { SessionState } from '../../shared/report.ts';
import type { Route } from '../bgp/messages.ts';

/** A route of ours as the daemon says it exports it; the daemon's own ASN, which it adds itself, is not in the path. */
export interface ExportedRoute {
  readonly prefix: string;
  readonly asPath: readonly number[];
  /** Undefined: the daemon does not tell them per peer. */
  readonly communities?: readonly string[];
  readonly med: number | null;
}

/** One session of the daemon. */
export interface DaemonPeer {
  readonly address: string;
  readonly port: number;
  readonly state: SessionState;
  /** Negotiated, in seconds; null while not Established. */
  readonly holdSeconds: number | null;
  readonly routes: readonly ExportedRoute[];
}

/**
 * A script for bash that withdraws everything of ours, and its arguments; `$last` is the newest line of what is at risk.
 * Data travels as arguments, never as script.
 */
export interface LastWill {
  readonly script: string;
  readonly argv: readonly string[];
}

/** A BGP daemon that somebody else configured and runs. */
export interface RouteDaemon {
  readonly name: 'bird' | 'frr';
  /** How often its own table is looked at while nothing changes. */
  readonly lookMs: number;
  readonly lastWill: LastWill;
  /** The prefixes that may be on the wire once `apply(routes)` has begun, for the last will. */
  prefixesAtRisk(routes: readonly Route[]): readonly string[];
  /**
   * Replaces all our routes by these; the old ones stay if the daemon refuses. `isRepair`: what it was thought to hold
   * is in doubt. Throws OperatingError.
   */
  apply(routes: readonly Route[], isRepair: boolean): Promise<void>;
  /** Sessions with these addresses, as far as the daemon knows them. Throws OperatingError. */
  look(addresses: readonly string[]): Promise<readonly DaemonPeer[]>;
  /** Has the daemon say its routes to this peer once more. Throws OperatingError. */
  repeat(address: string): Promise<void>;
}
