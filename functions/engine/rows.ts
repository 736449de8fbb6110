// Changes one region's row: the only place that writes rungs, states and what may still be on the wire.
import { baseRung, lastResortRung } from '../../shared/ladder.ts';
import type { Vip } from '../../shared/topology-schema.ts';
import { type Cause, rankOf, rowOf, type VipRound } from './round.ts';
import type { EarlierRung, EngineConfig, RegionPolicy } from './types.ts';

/** Where this region rests when all is calm. Active-active members rest together. */
export function baseOf(config: EngineConfig, vip: Vip, region: string): number {
  if (vip.mode === 'primary-backup') return baseRung(config.ladder, rankOf(vip, region));
  const { transport } = config.topology;
  // Only rung 0 makes path lengths equal on separate circuits, where prepends may be counted differently.
  if (transport.kind === 'expressroute' && transport.circuits === 'separate') return 0;
  return baseRung(config.ladder, 0);
}

export const lastResortOf = (config: EngineConfig, vip: Vip): number =>
  lastResortRung(config.ladder, vip.regions.length);

type RowChange = Partial<Pick<RegionPolicy, 'role' | 'rung' | 'state' | 'active'>> & {
  /** null: every NVA announces the same again. */
  readonly survivors?: RegionPolicy['survivors'] | null;
};

/** Gives the region's row new values; a change of the wire is remembered as such and becomes an action. */
export function changeRow(vr: VipRound, region: string, change: RowChange, cause: Cause): void {
  const before = rowOf(vr, region);
  const merged = merge(before, change);
  const isOnWire =
    merged.rung !== before.rung ||
    merged.state !== before.state ||
    merged.survivors !== before.survivors ||
    merged.active !== before.active;
  if (!isOnWire && merged.role === before.role) return;
  const after = isOnWire ? onWire(vr, before, merged) : merged;
  putRow(vr, region, after);
  vr.round.actions.push({
    vip: vr.vip.name,
    region,
    kind: cause.kind,
    before: { role: before.role, rung: before.rung, state: before.state },
    after: { role: after.role, rung: after.rung, state: after.state },
    reason: cause.reason,
    detail: cause.detail,
    actor: cause.actor,
    actorType: cause.actorType,
    ...(cause.intent === undefined ? {} : { intent: cause.intent }),
  });
  vr.policy = { ...vr.policy, changedAtMs: vr.round.nowMs };
}

function merge(before: RegionPolicy, change: RowChange): RegionPolicy {
  const { survivors, ...rest } = change;
  if (survivors === undefined) return { ...before, ...rest };
  const { survivors: _replaced, ...kept } = before;
  return { ...kept, ...rest, ...(survivors === null ? {} : { survivors }) };
}

function onWire(vr: VipRound, before: RegionPolicy, merged: RegionPolicy): RegionPolicy {
  const { nowMs, snapshot } = vr.round;
  return { ...merged, changedAtMs: nowMs, generation: snapshot.nextGeneration, maybe: remember(before, merged) };
}

/** One entry per rung and minus, the newest: at most one for each rung of the ladder. */
function remember(before: RegionPolicy, after: RegionPolicy): EarlierRung[] {
  const minus = before.survivors?.minus ?? 0;
  const earlier: EarlierRung = {
    rung: before.rung,
    generation: before.generation,
    atMs: before.changedAtMs,
    ...(minus === 0 ? {} : { minus }),
  };
  const isAt = (entry: EarlierRung, rung: number, less: number) => entry.rung === rung && (entry.minus ?? 0) === less;
  const afterMinus = after.survivors?.minus ?? 0;
  return [...before.maybe.filter((entry) => !isAt(entry, before.rung, minus)), earlier].filter(
    (entry) => !isAt(entry, after.rung, afterMinus),
  );
}

/** Replaces a row without any action: bookkeeping that no order shows. */
export function putRow(vr: VipRound, region: string, row: RegionPolicy): void {
  vr.policy = { ...vr.policy, regions: { ...vr.policy.regions, [region]: row } };
}
