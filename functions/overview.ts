// Reads a group for showing: ledger, evidence, proofs, and what the engine would say right now. Changes nothing.
import type { Plane } from './deployment.ts';
import { decide } from './engine/decide.ts';
import type { Decision, EngineConfig, Intent, Policy, Snapshot } from './engine/types.ts';
import { type Ledger, parseLedger } from './ledger.ts';
import { VIEW_FRESH_MS } from './limits.ts';
import { readSight, type Sight, toSnapshot } from './snapshot.ts';

export interface Overview {
  readonly group: string;
  readonly config: EngineConfig;
  readonly ledger: Ledger;
  readonly sight: Sight;
  readonly snapshot: Snapshot;
  readonly decision: Decision;
  readonly nowMs: number;
  readonly decidedAtMs: number | null;
  /** Another seat leads, and its view is fresh. */
  readonly otherLeader: string | null;
}

/** Undefined: there is no ledger yet, or it cannot be read. Throws OperatingError when storage fails. */
export async function readOverview(plane: Plane, group: string, intent?: Intent): Promise<Overview | undefined> {
  const [stored, sight] = await Promise.all([plane.ledger.read(group), readSight(plane, group, 'all')]);
  if (stored.type === 'absent') return undefined;
  const parsed = parseLedger(stored.text, group);
  if (!parsed.ok) return undefined;
  const ledger = parsed.value;
  const config = plane.deployment.configOf(group);
  const nowMs = plane.clock.nowMs();
  const snapshot = toSnapshot(plane, group, ledger, sight);
  const policy: Policy =
    intent === undefined ? ledger.policy : { ...ledger.policy, intents: [...ledger.policy.intents, intent] };
  const leads = ledger.seat === plane.deployment.seat.name;
  const leader = sight.views.find((view) => view.seat === ledger.seat);
  return {
    group,
    config,
    ledger,
    sight,
    snapshot,
    decision: decide(snapshot, policy, config, nowMs),
    nowMs,
    // The leader's own view is written at every look, its ledger only when something changes.
    decidedAtMs: Math.max(ledger.decidedAtMs, leader?.decidedAtMs ?? 0),
    otherLeader: !leads && leader !== undefined && nowMs - leader.atMs <= VIEW_FRESH_MS ? ledger.seat : null,
  };
}
