// The headroom ladder: which rung a region rests on and how many prepends a rung is (design of the ladder: ARCHITECTURE.md).
// Knows numbers only: no topology, no policy.

export interface Ladder {
  /** Free rungs above the first-ranked region's base. */
  readonly headroom: number;
  /** Prepends per rung. */
  readonly step: number;
}

/** ExpressRoute paths longer than this were never tried; the whole ladder stays below. */
export const PREPEND_MAX = 30;

/** Where the region of the given rank (0 is best) rests when all is calm. */
export const baseRung = (ladder: Ladder, rank: number): number => ladder.headroom + rank;

/** The rung of a region that wants no traffic but must not leave the prefix without a route. */
export const lastResortRung = (ladder: Ladder, regionCount: number): number => ladder.headroom + regionCount;

/** Prepends of a rung. A standby NVA of an active one in the same region announces one more. */
export const prependCount = (ladder: Ladder, rung: number, isStandby = false): number =>
  rung * ladder.step + (isStandby ? 1 : 0);

/** AS path as announced: the NVA's own ASN leftmost, then the prepend ASN `prepend` times. */
export function announcedPath(ownAsn: number, prependAsn: number, prepend: number): number[] {
  return [ownAsn, ...new Array<number>(prepend).fill(prependAsn)];
}
