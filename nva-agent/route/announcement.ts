// What one vip's route should be: order, health, override and the agent's own going away, weighed in one table.
// It must never know the time, the wire, or how an order arrived.
import type { OrderVip } from '../../shared/order.ts';
import type { Standing } from '../health/vip-health.ts';

/** A route as wanted on the wire. */
export interface Announcement {
  readonly rung: number;
  readonly prepend: number;
  readonly prependAsn: number;
  readonly communities: readonly string[];
  readonly med: number | null;
  /** The agent fell to last resort (or stays there) by itself. */
  readonly lastResort: boolean;
}

/** What the topology says of a vip when no order does, and what its last resort looks like in any case. */
export interface VipDefaults {
  /** Rung and prepend of last resort of this vip in this region. */
  readonly lastResortRung: number;
  readonly lastResortPrepend: number;
  readonly prependAsn: number;
  /** Attributes of last resort where the topology sets them by role; absent: those of the order. */
  readonly lastResortCommunities?: readonly string[];
  readonly lastResortMed?: number;
}

/** Root's own word, valid for a while. */
export type OverrideAction = 'announce' | 'last-resort' | 'withhold';

export interface Wish {
  readonly defaults: VipDefaults;
  /** The vip's row of the newest order of its group. `undefined`: no order was ever accepted. */
  readonly row: OrderVip | 'not-ordered' | undefined;
  readonly standing: Standing;
  readonly wasUp: boolean;
  readonly override: OverrideAction | undefined;
  readonly phase: 'running' | 'last-resort' | 'withdrawn';
  /** It is on the wire now: a stopping agent announces nothing new. */
  readonly isAnnounced: boolean;
}

/**
 * | phase       | override    | row          | standing | route                                                      |
 * |-------------|-------------|--------------|----------|------------------------------------------------------------|
 * | withdrawn   | any         | any          | any      | none                                                       |
 * | last-resort | any         | any          | any      | last resort if announced, else none                        |
 * | running     | withhold    | any          | any      | none                                                       |
 * | running     | last-resort | any          | any      | last resort                                                |
 * | running     | announce    | any          | any      | as ordered; without an announced row last resort           |
 * | running     | -           | none yet     | up       | last resort: a prefix exists though nobody ever ordered it |
 * | running     | -           | none yet     | else     | last resort if it was up before, else none                 |
 * | running     | -           | withheld     | any      | none                                                       |
 * | running     | -           | announced    | up       | as ordered                                                 |
 * | running     | -           | announced    | else     | onLocalFailure: last resort, none, or as ordered (ignore)  |
 */
export function wantedRoute(wish: Wish): Announcement | null {
  if (wish.phase === 'withdrawn') return null;
  if (wish.phase === 'last-resort') return wish.isAnnounced ? lastResort(wish) : null;
  if (wish.override !== undefined) return overridden(wish, wish.override);
  const { row } = wish;
  if (row === undefined) return wish.standing === 'up' || wish.wasUp ? lastResort(wish) : null;
  if (row === 'not-ordered' || row.state === 'withheld') return null;
  if (wish.standing === 'up' || row.onLocalFailure === 'ignore') return ordered(row);
  return row.onLocalFailure === 'withdraw' ? null : lastResort(wish);
}

function overridden(wish: Wish, action: OverrideAction): Announcement | null {
  if (action === 'withhold') return null;
  const { row } = wish;
  const isOrdered = row !== undefined && row !== 'not-ordered' && row.state === 'announced';
  return action === 'announce' && isOrdered ? ordered(row) : lastResort(wish);
}

const ordered = (row: OrderVip): Announcement => ({
  rung: row.rung,
  prepend: row.prepend,
  prependAsn: row.prependAsn,
  communities: row.communities,
  med: row.med,
  lastResort: false,
});

function lastResort({ row, defaults }: Wish): Announcement {
  const known = row === undefined || row === 'not-ordered' ? undefined : row;
  return {
    rung: defaults.lastResortRung,
    prepend: known?.lastResortPrepend ?? defaults.lastResortPrepend,
    prependAsn: known?.prependAsn ?? defaults.prependAsn,
    communities: defaults.lastResortCommunities ?? known?.communities ?? [],
    med: defaults.lastResortMed ?? known?.med ?? null,
    lastResort: true,
  };
}

/** Whether two wishes are the same on the wire and in the report. */
export function sameAnnouncement(a: Announcement | null, b: Announcement | null): boolean {
  if (a === null || b === null) return a === b;
  return a.rung === b.rung && a.lastResort === b.lastResort && sameOnWire(a, b);
}

/** Whether two wishes make the same UPDATE. */
export function sameOnWire(a: Announcement | null, b: Announcement | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.prepend === b.prepend &&
    a.prependAsn === b.prependAsn &&
    a.med === b.med &&
    a.communities.length === b.communities.length &&
    a.communities.every((community, i) => community === b.communities[i])
  );
}
