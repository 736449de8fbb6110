// A move: which rung makes the target the unique best at once, what it changes, and who has to let it pass.
import { hasSecondChance } from '../../shared/data-plane-checks.ts';
import type { ActorType } from '../../shared/vocabulary.ts';
import { causeOf, countMove } from './budget.ts';
import { guardMove } from './guards.ts';
import { addMove } from './penalty.ts';
import { lowestPossible } from './possible.ts';
import { type Cause, lookAt, rankOf, rowOf, type VipRound, verdictOf } from './round.ts';
import { baseOf, changeRow, putRow } from './rows.ts';
import type { RegionPolicy } from './types.ts';

/** A change of the acting region that somebody wants. */
export interface Move {
  readonly target: string;
  readonly cause: Cause;
  /** The acting region is unhealthy or lost: nothing that protects comfort may hold this move. */
  readonly isNecessary: boolean;
  /** Guards overridden by name. */
  readonly force: readonly string[];
}

export interface TargetRung {
  readonly rung: number;
  /** There was no free rung below everything the others may still have on the wire. */
  readonly isExhausted: boolean;
}

/** `min(base, min(possible(others)) - 1)`, or where the target already is when that is lower still. */
export function targetRung(vr: VipRound, target: string): TargetRung {
  const { config } = vr.round;
  let rung = Math.min(baseOf(config, vr.vip, target), rowOf(vr, target).rung);
  for (const [region, row] of Object.entries(vr.policy.regions)) {
    if (region !== target) rung = Math.min(rung, lowestPossible(row, config.ladder.step) - 1);
  }
  return { rung: Math.max(0, rung), isExhausted: rung < 0 };
}

/** Makes the move, or records which guard stopped it. */
export function tryMove(vr: VipRound, move: Move): boolean {
  const { round } = vr;
  const aim = targetRung(vr, move.target);
  const stops = guardMove(vr, move, aim);
  for (const stop of stops) {
    round.blocked.push({
      vip: vr.vip.name,
      wanted: { kind: move.cause.kind, region: move.target, rung: aim.rung },
      guard: stop.guard,
      detail: stop.detail,
      ...(stop.untilMs === undefined ? {} : { untilMs: stop.untilMs }),
      ...(move.cause.intent === undefined ? {} : { intent: move.cause.intent }),
    });
    if (stop.untilMs !== undefined) lookAt(round, stop.untilMs);
    if (stop.guard === 'mass-failure') {
      round.alerts.push({
        vip: vr.vip.name,
        region: vr.policy.acting,
        reason: 'correlated-failure',
        detail: stop.detail,
      });
    }
  }
  if (stops.length > 0) return false;
  carryOut(vr, move, aim);
  return true;
}

function carryOut(vr: VipRound, move: Move, aim: TargetRung): void {
  const { round, policy } = vr;
  const { nowMs, config } = round;
  const left = policy.acting;
  const isAutomatic = move.cause.actorType === 'automation';
  if (isAutomatic) round.moves = countMove(round.moves, causeOf(vr), config, nowMs);
  const reason = aim.isExhausted ? 'headroom-exhausted' : move.cause.reason;
  changeRow(vr, move.target, { role: 'primary', rung: aim.rung, state: 'announced' }, { ...move.cause, reason });
  leaveRole(vr, left, move);
  if (aim.isExhausted) {
    round.alerts.push({
      vip: vr.vip.name,
      region: move.target,
      reason: 'headroom-exhausted',
      detail: `${move.target} moved to rung 0, which another region may still have on the wire`,
    });
  }
  const { previous: _earlier, ...kept } = vr.policy;
  const { flapPenalty } = kept;
  vr.policy = {
    ...kept,
    ...(handsOver(vr, left) ? { previous: left } : {}),
    acting: move.target,
    actingSinceMs: nowMs,
    changedAtMs: nowMs,
    flapPenalty: isAutomatic ? addMove(flapPenalty, config.guards.flapPenalty, nowMs) : flapPenalty,
  };
}

/** Whether connections of the region that is left may live on: it works, and this vip gives them a second chance. */
function handsOver(vr: VipRound, left: string): boolean {
  const { verdict } = verdictOf(vr, left);
  return hasSecondChance(vr.vip) && (verdict === 'healthy' || verdict === 'degraded');
}

/** The region that acted keeps its rung; only its role changes, and the ledger notes on what evidence it left. */
function leaveRole(vr: VipRound, region: string, move: Move): void {
  const row = rowOf(vr, region);
  const role = row.role === 'primary' ? 'backup' : row.role;
  changeRow(vr, region, { role }, { ...move.cause, kind: 'role', detail: `${move.target} acts now` });
  const { ignoreUntilMs: _ignored, ...rest } = rowOf(vr, region);
  putRow(vr, region, { ...rest, leftOn: leftOn(vr, region, move.cause.actorType) });
}

function leftOn(vr: VipRound, region: string, actorType: ActorType): NonNullable<RegionPolicy['leftOn']> {
  if (actorType !== 'automation') return 'human';
  const { verdict, basis } = verdictOf(vr, region);
  return verdict === 'healthy' ? 'agent' : basis;
}

/** Regions that may take over, best first: the one users reach anyway when the acting one falls, then by ranking. */
export function candidates(vr: VipRound): string[] {
  const { acting, regions } = vr.policy;
  return Object.keys(regions)
    .filter((region) => region !== acting && isMember(vr, region))
    .sort(
      (a, b) =>
        worth(vr, a) - worth(vr, b) || rowOf(vr, a).rung - rowOf(vr, b).rung || rankOf(vr.vip, a) - rankOf(vr.vip, b),
    );
}

/** Neither drained nor out. */
export const isMember = (vr: VipRound, region: string): boolean => {
  const { role } = rowOf(vr, region);
  return role === 'primary' || role === 'backup';
};

/** Healthy before degraded before everything that cannot be a target; unproven behind proven. */
function worth(vr: VipRound, region: string): number {
  const { verdict } = verdictOf(vr, region);
  const unproven = rowOf(vr, region).unprovenSinceMs === undefined ? 0 : 1;
  return (verdict === 'healthy' ? 0 : verdict === 'degraded' ? 2 : 4) + unproven;
}
