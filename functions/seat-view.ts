// What a seat tells the others: whom it heard and when, and, if it leads, when it last decided.
import type { Plane } from './deployment.ts';
import type { StoredEvidence, StoredSeatView } from './ports.ts';

/** @param decidedAtMs when this seat decided as leader, or null while it follows. */
export async function writeView(
  plane: Plane,
  group: string,
  evidence: Pick<StoredEvidence, 'reports'>,
  decidedAtMs: number | null,
): Promise<void> {
  const heardAtMs = Object.fromEntries(
    Object.entries(evidence.reports).map(([nva, { receivedAtMs }]) => [nva, receivedAtMs]),
  );
  await plane.ledger.writeView(group, toView(plane, heardAtMs, decidedAtMs));
}

export function toView(
  plane: Plane,
  heardAtMs: Readonly<Record<string, number>>,
  decidedAtMs: number | null,
): StoredSeatView {
  const { name, region } = plane.deployment.seat;
  return { seat: name, region, atMs: plane.clock.nowMs(), heardAtMs, leads: decidedAtMs !== null, decidedAtMs };
}
