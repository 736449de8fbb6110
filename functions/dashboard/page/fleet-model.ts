// What the fleet comes down to: one state per vip, the worst first, one sentence for all. Pure.
import type { Status, StatusRegion, StatusVip } from '../../../shared/api.ts';

/** How much it wants somebody's eyes. `act` is the only red. */
export type Tone = 'act' | 'moving' | 'look' | 'calm' | 'unknown';

export interface VipState {
  readonly word: string;
  readonly glyph: string;
  readonly tone: Tone;
  /** Lower is worse. */
  readonly rank: number;
}

const STATES = {
  unserved: { word: 'unserved', glyph: '✕', tone: 'act', rank: 0 },
  notProved: { word: 'not proved', glyph: '✗', tone: 'act', rank: 1 },
  failing: { word: 'no healthy region', glyph: '✕', tone: 'act', rank: 2 },
  moving: { word: 'moving', glyph: '→', tone: 'moving', rank: 3 },
  degraded: { word: 'degraded', glyph: '◐', tone: 'look', rank: 4 },
  unknown: { word: 'unknown', glyph: '?', tone: 'unknown', rank: 5 },
  noSpare: { word: 'no spare', glyph: '◐', tone: 'look', rank: 6 },
  served: { word: 'served', glyph: '●', tone: 'calm', rank: 7 },
} as const satisfies Record<string, VipState>;

const fits = (region: StatusRegion): boolean => region.verdict === 'healthy' || region.verdict === 'degraded';
export const proofsOf = (region: StatusRegion) => Object.values(region.proofs);

/** Operations that wait for their turn only, not for a later time. */
export const underWay = ({ operations = [], nowMs }: Pick<Status, 'operations' | 'nowMs'>) =>
  operations.filter(({ notBeforeMs }) => (notBeforeMs ?? 0) <= nowMs);

/** A proof is still open, somebody's wish waits, or traffic is not yet where it should be. */
export function isMoving(vip: StatusVip, status: Pick<Status, 'operations' | 'nowMs'>): boolean {
  const acting = vip.regions.find(({ region }) => region === vip.acting);
  const isWaiting = acting !== undefined && proofsOf(acting).some(({ proof }) => proof === 'waiting');
  const isWished = underWay(status).some((operation) => operation.vip === vip.vip);
  const isElsewhere = vip.mode !== 'active-active' && vip.servedBy !== null && vip.servedBy !== vip.acting;
  return isWaiting || isWished || isElsewhere;
}

/** Observers that reported within three periods: without one nobody knows who is served. */
export const freshObservers = (vip: StatusVip, reportSeconds: number) =>
  (vip.observers ?? []).filter(({ ageMs }) => ageMs <= 3 * reportSeconds * 1000);

export function vipState(vip: StatusVip, status: Pick<Status, 'operations' | 'nowMs' | 'timing'>): VipState {
  const acting = vip.regions.find(({ region }) => region === vip.acting);
  const observed = freshObservers(vip, status.timing?.reportSeconds ?? 10);
  if (observed.length > 0 && vip.servedBy === null) return STATES.unserved;
  if (acting !== undefined && proofsOf(acting).some(({ proof }) => proof === 'failed')) return STATES.notProved;
  if (isMoving(vip, status)) return STATES.moving;
  if (acting === undefined || acting.verdict === 'unknown') return STATES.unknown;
  if (!fits(acting)) return STATES.failing;
  if (acting.verdict === 'degraded') return STATES.degraded;
  return vip.regions.every(({ region, verdict }) => region === vip.acting || verdict !== 'healthy')
    ? STATES.noSpare
    : STATES.served;
}

/** What was last known of something nobody has heard of for three periods. */
export const lastKnown = (state: VipState): VipState => ({
  ...state,
  word: `unknown, last ${state.word}`,
  glyph: '?',
  tone: 'unknown',
});

export interface FleetRow {
  readonly vip: StatusVip;
  readonly state: VipState;
}

/** Worst first; equals by name, so that rows keep their place. */
export function fleetRows(status: Status, filter: string): FleetRow[] {
  const wanted = filter.trim().toLowerCase();
  return status.vips
    .map((vip) => ({ vip, state: vipState(vip, status) }))
    .filter(({ vip, state }) => `${vip.vip} ${vip.prefix} ${vip.acting} ${state.word}`.toLowerCase().includes(wanted))
    .sort((a, b) => a.state.rank - b.state.rank || (a.vip.vip < b.vip.vip ? -1 : 1));
}

export interface Headline {
  readonly vips: number;
  readonly moving: number;
  readonly unserved: number;
  /** Other things a person should act on or look at. */
  readonly others: readonly { readonly word: string; readonly count: number; readonly tone: Tone }[];
}

export function headlineOf(status: Status): Headline {
  const states = status.vips.map((vip) => vipState(vip, status));
  const count = (state: VipState) => states.filter((other) => other === state).length;
  return {
    vips: states.length,
    moving: count(STATES.moving),
    unserved: count(STATES.unserved),
    others: [STATES.notProved, STATES.failing, STATES.degraded, STATES.unknown, STATES.noSpare]
      .map((state) => ({ word: state.word, tone: state.tone, count: count(state) }))
      .filter(({ count: number }) => number > 0),
  };
}

export interface Change {
  readonly level: 'status' | 'alert';
  readonly text: string;
}

/** What somebody who does not look at the page should be told. */
export function changesBetween(before: Status | undefined, after: Status): Change[] {
  if (before === undefined) return [];
  const changes: Change[] = after.vips.flatMap((vip) => {
    const old = before.vips.find((candidate) => candidate.vip === vip.vip);
    return old === undefined ? [] : vipChanges(old, vip);
  });
  if (before.automation !== after.automation)
    changes.push({ level: 'status', text: `automation is ${after.automation}` });
  if (before.leader !== after.leader) changes.push({ level: 'status', text: `${after.leader ?? 'no seat'} leads` });
  return changes;
}

function vipChanges(old: StatusVip, vip: StatusVip): Change[] {
  const changes: Change[] = [];
  const failedBefore = failedProofs(old);
  if (old.acting !== vip.acting)
    changes.push({ level: 'alert', text: `${vip.vip}: ${old.acting} → ${vip.acting}, ${vip.reason}` });
  else if (old.servedBy !== vip.servedBy)
    changes.push(
      vip.servedBy === null
        ? { level: 'alert', text: `${vip.vip}: observers get no answer` }
        : { level: 'status', text: `${vip.vip} is answered by ${vip.servedBy}` },
    );
  for (const failed of failedProofs(vip).filter((name) => !failedBefore.includes(name)))
    changes.push({ level: 'alert', text: `${vip.vip}: proof failed, ${failed}` });
  return changes;
}

const failedProofs = (vip: StatusVip): string[] =>
  vip.regions.flatMap(({ region, proofs }) =>
    Object.entries(proofs).flatMap(([step, { proof }]) => (proof === 'failed' ? [`${region} ${step}`] : [])),
  );
