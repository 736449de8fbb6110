// Several NVAs in one region: when one is gone, the others of the region take its traffic before any other region does.
// The lost one's route lives on at rung x step for up to 180 s, so the survivors announce one prepend less.
import { guardChange } from './guards.ts';
import { isSettled } from './possible.ts';
import { automation, lookAt, rowOf, type VipRound } from './round.ts';
import { changeRow } from './rows.ts';
import type { RegionPolicy } from './types.ts';
import { nvaVerdict } from './verdicts.ts';

/** Prepends that survivors may go below their rung: one per NVA lost in a row; more would reach the next rung's margin. */
export const SURVIVOR_MINUS_MAX = 2;

interface Census {
  readonly carrying: readonly string[];
  readonly gone: readonly string[];
  readonly unfit: readonly string[];
}

/** Keeps the region's own NVAs in order; `isActing` where users arrive, so that a stale route would hurt. */
export function keepSurvivors(vr: VipRound, region: string, isActing: boolean): void {
  const nvas = vr.round.regions.get(region)?.nvas ?? [];
  if (nvas.length < 2) return;
  const census = countNvas(vr, region);
  const change = vr.vip.nvas === 'one' ? elect(vr, region, census, isActing) : shift(vr, region, census, isActing);
  if (change === undefined || guardChange(vr).length > 0) return;
  const detail =
    census.gone.length > 0 ? `${census.gone.join(', ')} is gone` : census.unfit.join(', ') || 'all are back';
  changeRow(vr, region, change, automation('survivor', 'survivor', detail));
}

function countNvas(vr: VipRound, region: string): Census {
  const carrying: string[] = [];
  const gone: string[] = [];
  const unfit: string[] = [];
  for (const { name } of vr.round.regions.get(region)?.nvas ?? []) {
    const view = vr.round.nvas.get(name);
    if (view === undefined) continue;
    const { verdict } = nvaVerdict(vr.round, vr.vip, view, rowOf(vr, region));
    if (verdict === 'healthy' || verdict === 'degraded') carrying.push(name);
    else if (verdict === 'lost') gone.push(name);
    else if (verdict === 'unhealthy') unfit.push(name);
  }
  return { carrying, gone, unfit };
}

interface Change {
  readonly active?: string;
  readonly survivors?: RegionPolicy['survivors'] | null;
}

/** `nvas: all`: those that carry on go one prepend below the one that is gone, and back when it has returned. */
function shift(vr: VipRound, region: string, census: Census, isActing: boolean): Change | undefined {
  const row = rowOf(vr, region);
  if (census.gone.length === 0) return restore(vr, region);
  if (!isActing || census.carrying.length === 0) return undefined;
  const isStanding = row.survivors !== undefined && !row.survivors.nvas.some((name) => census.gone.includes(name));
  return isStanding ? undefined : { survivors: lower(row, census.carrying, census.gone) };
}

/** `nvas: one`: the next that carries the vip becomes active when the active one is gone or unfit. */
function elect(vr: VipRound, region: string, census: Census, isActing: boolean): Change | undefined {
  const row = rowOf(vr, region);
  const active = row.active ?? vr.round.regions.get(region)?.nvas[0]?.name ?? '';
  const isDown = census.gone.includes(active) || census.unfit.includes(active);
  if (!isDown) return census.gone.length === 0 ? restore(vr, region) : undefined;
  const next = census.carrying[0];
  if (next === undefined) return undefined;
  return isActing ? { active: next, survivors: lower(row, [next], [active]) } : { active: next };
}

function lower(
  row: RegionPolicy,
  nvas: readonly string[],
  left: readonly string[],
): NonNullable<RegionPolicy['survivors']> {
  const wasLower = row.survivors?.nvas.some((name) => left.includes(name)) === true;
  const minus = wasLower ? Math.min(SURVIVOR_MINUS_MAX, (row.survivors?.minus ?? 0) + 1) : (row.survivors?.minus ?? 1);
  return { nvas, minus };
}

/** Cosmetic, so it waits for calm, and for proof that the returned NVA carries today's order. */
function restore(vr: VipRound, region: string): Change | undefined {
  const row = rowOf(vr, region);
  if (row.survivors === undefined || !isSettled(vr.round, vr.vip, region, row)) return undefined;
  const calmMs = vr.policy.changedAtMs + vr.round.config.guards.calmSeconds * 1000;
  if (vr.round.nowMs < calmMs) {
    lookAt(vr.round, calmMs);
    return undefined;
  }
  return { survivors: null };
}
