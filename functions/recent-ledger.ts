// The ledger to hand orders out from: as this process has just committed it, or else as it is stored.
import type { Plane } from './deployment.ts';
import { type Ledger, parseLedger } from './ledger.ts';
import { COMMIT_RECENT_MS } from './limits.ts';
import type { LedgerStore } from './ports.ts';

export type NewestLedger =
  | { readonly type: 'found'; readonly ledger: Ledger }
  | { readonly type: 'absent' }
  | { readonly type: 'malformed' };

interface Committed {
  readonly ledger: Ledger;
  readonly atMs: number;
}

const committed = new WeakMap<LedgerStore, Map<string, Committed>>();

/** Remembers what this process has committed: the steps that follow at once need not read it back. */
export function noteCommitted(plane: Plane, ledger: Ledger): void {
  const known = committed.get(plane.ledger) ?? new Map<string, Committed>();
  committed.set(plane.ledger, known.set(ledger.group, { ledger, atMs: plane.clock.nowMs() }));
}

/**
 * What an order made from a commit of a moment ago could be is no different from one that was read then and sent now:
 * agents refuse what is older than they have, whoever sends it. Throws OperatingError when it must be read and cannot.
 */
export async function newestLedger(plane: Plane, group: string): Promise<NewestLedger> {
  const own = committed.get(plane.ledger)?.get(group);
  const ageMs = own === undefined ? Number.POSITIVE_INFINITY : Math.abs(plane.clock.nowMs() - own.atMs);
  if (own !== undefined && ageMs < COMMIT_RECENT_MS) return { type: 'found', ledger: own.ledger };
  const stored = await plane.ledger.read(group);
  if (stored.type === 'absent') return stored;
  const parsed = parseLedger(stored.text, group);
  return parsed.ok ? { type: 'found', ledger: parsed.value } : { type: 'malformed' };
}
