// The guards: pure filters, one reason word each. Safety guards bind everyone, the others hold automation only.
//
//   safety       shadow, untrusted-ledger, stale-target, target-unhealthy, unproven-target, headroom, pacing
//                (last-announcer stands where a route would leave the wire: drain.ts)
//   automation   hold, warm-up, mass-failure, veto       hold even a necessary move (hold only when it is full)
//                move-budget, dwell, flap-penalty           hold moves by choice only
//                window                                     holds failbacks
import type { Ladder } from '../../shared/ladder.ts';
import { budgetUntilMs, causeOf } from './budget.ts';
import type { Move, TargetRung } from './moves.ts';
import { suppressedUntilMs } from './penalty.ts';
import type { Guard } from './reasons.ts';
import { rowOf, type VipRound, verdictOf } from './round.ts';
import type { Hold } from './types.ts';
import { isInWindow, nextWindowMs } from './windows.ts';

/** Rungs that must stay free below a target that was chosen, for the takeovers that may follow. */
export const FREE_RUNGS_MIN = 2;
/** A failback lands two rungs below the first base at best, so a shorter ladder cannot leave as many. */
export const freeRungsNeeded = (ladder: Ladder): number => Math.min(FREE_RUNGS_MIN, Math.max(0, ladder.headroom - 2));

/** Regions that failed within this time of the acting one failed together with it. */
export const MASS_FAILURE_MS = 10_000;
/** A veto counts for this long. */
export const VETO_MS = 60_000;

export interface Stop {
  readonly guard: Guard;
  readonly detail: string;
  readonly untilMs?: number;
}

type Check = (vr: VipRound, move: Move, aim: TargetRung) => Omit<Stop, 'guard'> | undefined;
/** A guard that asks nothing of the move itself. */
type PlainCheck = (vr: VipRound) => Omit<Stop, 'guard'> | undefined;

const shadow: PlainCheck = (vr) =>
  vr.round.config.guards.mode === 'shadow' ? { detail: 'shadow mode: decided, not acted on' } : undefined;

const untrustedLedger: PlainCheck = (vr) =>
  vr.round.trusted ? undefined : { detail: 'the ledger was rebuilt; a person must trust it first' };

const staleTarget: Check = (vr, move) => {
  const { verdict } = verdictOf(vr, move.target);
  if (verdict !== 'unknown' && verdict !== 'lost') return undefined;
  return { detail: `nothing fresh is known of ${move.target} (${verdict})` };
};

const targetUnhealthy: Check = (vr, move) => {
  const { verdict } = verdictOf(vr, move.target);
  if (verdict === 'unhealthy') return { detail: `${move.target} is unhealthy` };
  // A slow answer beats none, but nobody goes to a degraded region by choice.
  if (verdict === 'degraded' && !move.isNecessary) return { detail: `${move.target} is degraded` };
  return undefined;
};

const unprovenTarget: Check = (vr, move) => {
  const row = rowOf(vr, move.target);
  if (row.unprovenSinceMs !== undefined) return { detail: `the last proof of ${move.target} failed` };
  const sessions = sessionsOf(vr, move.target);
  if (sessions === undefined) return undefined;
  if (sessions.up === 0) return { detail: `${move.target} has no Route Server session` };
  if (move.isNecessary) return undefined;
  if (sessions.up < sessions.of)
    return { detail: `${move.target} has ${sessions.up} of ${sessions.of} Route Server sessions` };
  if (move.cause.actorType !== 'automation') return undefined;
  const untilMs = healthySinceMs(vr, move.target) + vr.round.config.guards.provenSeconds * 1000;
  return vr.round.nowMs < untilMs ? { detail: `${move.target} has not been healthy for long`, untilMs } : undefined;
};

const headroom: Check = (vr, move, aim) => {
  const needed = freeRungsNeeded(vr.round.config.ladder);
  if (move.isNecessary || (aim.rung >= needed && !aim.isExhausted)) return undefined;
  return { detail: `rung ${aim.rung} would leave ${aim.rung} free rungs, ${needed} are needed; recentring frees them` };
};

const pacing: Check = (vr, move) => {
  if (move.isNecessary) return undefined;
  const untilMs = lastWireChangeMs(vr, move.target) + vr.round.config.routeChangeMs;
  return vr.round.nowMs < untilMs
    ? { detail: `the last route change of ${move.target} is too recent`, untilMs }
    : undefined;
};

const hold: Check = (vr, move) => {
  const found = holdsOn(vr).find((candidate) => candidate.full || !move.isNecessary);
  if (found === undefined) return undefined;
  return { detail: `held by ${found.actor}: ${found.reason}`, untilMs: found.expiresAtMs };
};

const warmUp: PlainCheck = (vr) => {
  const { snapshot, nowMs, config } = vr.round;
  const untilMs = snapshot.seat.leaderSinceMs + config.guards.warmUpSeconds * 1000;
  if (snapshot.seat.followedFresh || nowMs >= untilMs) return undefined;
  return { detail: `seat ${snapshot.seat.name} has led for a short time only`, untilMs };
};

const massFailure: Check = (vr) => {
  const actingSinceMs = verdictOf(vr, vr.policy.acting).sinceMs;
  const isTogether = (region: string) => Math.abs(verdictOf(vr, region).sinceMs - actingSinceMs) <= MASS_FAILURE_MS;
  const failing = Object.keys(vr.policy.regions).filter((region) => isFailing(vr, region) && isTogether(region));
  const share = failing.length / vr.vip.regions.length;
  if (failing.length < 2 || share <= vr.round.config.guards.massFailureShare) return undefined;
  return {
    detail: `${failing.length} of ${vr.vip.regions.length} regions failed at once: ${failing.sort().join(', ')}`,
  };
};

const isFailing = (vr: VipRound, region: string): boolean => {
  const { verdict } = verdictOf(vr, region);
  return verdict === 'unhealthy' || verdict === 'lost';
};

const veto: Check = (vr, move) => {
  const found = vr.round.snapshot.vetoes[vr.vip.name];
  if (found === undefined || vr.round.nowMs - found.atMs > VETO_MS) return undefined;
  // What was refused while the acting region was well is asked again when it is not.
  if (move.isNecessary && found.isNecessary === false) return undefined;
  if (found.targets?.includes(move.target) === false) return undefined;
  return { detail: found.detail, untilMs: found.atMs + VETO_MS + 1 };
};

const moveBudget: Check = (vr, move) => {
  if (move.isNecessary) return undefined;
  const untilMs = budgetUntilMs(vr.round.moves, causeOf(vr), vr.round.config, vr.round.nowMs);
  const { maxMovesPerWindow, windowSeconds } = vr.round.config.guards;
  return untilMs === undefined
    ? undefined
    : { detail: `${maxMovesPerWindow} automatic moves within ${windowSeconds} s already`, untilMs };
};

const dwell: Check = (vr, move) => {
  const untilMs = vr.policy.actingSinceMs + vr.round.config.guards.dwellSeconds * 1000;
  if (move.isNecessary || vr.round.nowMs >= untilMs) return undefined;
  return { detail: `${vr.policy.acting} has acted for a short time only`, untilMs };
};

const flapPenalty: Check = (vr, move) => {
  if (move.isNecessary) return undefined;
  const untilMs = suppressedUntilMs(vr.policy.flapPenalty, vr.round.config.guards.flapPenalty, vr.round.nowMs);
  return untilMs === undefined ? undefined : { detail: `${vr.vip.name} has moved too often`, untilMs };
};

const window: Check = (vr, move) => {
  const { failbackWindows } = vr.round.config.guards;
  if (move.cause.kind !== 'failback' || isInWindow(failbackWindows, vr.round.nowMs)) return undefined;
  return { detail: 'failback is not allowed at this time', untilMs: nextWindowMs(failbackWindows, vr.round.nowMs) };
};

const SAFETY: readonly (readonly [Guard, Check])[] = [
  ['shadow', shadow],
  ['untrusted-ledger', untrustedLedger],
  ['stale-target', staleTarget],
  ['target-unhealthy', targetUnhealthy],
  ['unproven-target', unprovenTarget],
  ['headroom', headroom],
  ['pacing', pacing],
];

const AUTOMATION: readonly (readonly [Guard, Check])[] = [
  ['hold', hold],
  ['warm-up', warmUp],
  ['mass-failure', massFailure],
  ['veto', veto],
  ['move-budget', moveBudget],
  ['dwell', dwell],
  ['flap-penalty', flapPenalty],
  ['window', window],
];

/** Guards that nobody overrides by force: configuration, trust in the ledger, and the last route. */
export const UNFORCEABLE: ReadonlySet<string> = new Set(['last-announcer', 'shadow', 'untrusted-ledger']);

/** Every guard that stops this move; none means it may go. */
export function guardMove(vr: VipRound, move: Move, aim: TargetRung): Stop[] {
  const checks = move.cause.actorType === 'automation' ? [...SAFETY, ...AUTOMATION] : SAFETY;
  const stops: Stop[] = [];
  for (const [guard, check] of checks) {
    if (move.force.includes(guard) && !UNFORCEABLE.has(guard)) continue;
    const stop = check(vr, move, aim);
    if (stop !== undefined) stops.push({ guard, ...stop });
  }
  return stops;
}

/** What stops automation from changing anything of this vip within a region, however necessary. */
export function guardChange(vr: VipRound): Guard[] {
  const stops: Guard[] = [];
  if (shadow(vr) !== undefined) stops.push('shadow');
  if (untrustedLedger(vr) !== undefined) stops.push('untrusted-ledger');
  if (holdsOn(vr).some((candidate) => candidate.full)) stops.push('hold');
  if (warmUp(vr) !== undefined) stops.push('warm-up');
  return stops;
}

/** Unexpired holds that concern this vip. */
export const holdsOn = (vr: VipRound): Hold[] =>
  vr.round.holds.filter((candidate) => candidate.vip === undefined || candidate.vip === vr.vip.name);

/** Since when the region's health is unbroken, by the agent's clockless age and by what the ledger has seen. */
export function healthySinceMs(vr: VipRound, region: string): number {
  const { seen } = rowOf(vr, region);
  const fused = verdictOf(vr, region);
  if (fused.verdict !== 'healthy') return vr.round.nowMs;
  return Math.max(fused.sinceMs, seen?.verdict === 'healthy' ? seen.sinceMs : vr.round.nowMs);
}

/** Sessions of the region's best connected NVA, or undefined when no fresh report tells (stale-target says so). */
function sessionsOf(vr: VipRound, region: string): { readonly up: number; readonly of: number } | undefined {
  const known = vr.round.regions.get(region);
  const fresh = (known?.nvas ?? []).flatMap(({ name }) => {
    const view = vr.round.nvas.get(name);
    return view?.isFresh === true ? [view.sessionsUp] : [];
  });
  if (known === undefined || fresh.length === 0) return undefined;
  return { up: Math.max(...fresh), of: known.routeServer.peers.length };
}

/** When the region's wire last changed: by order, or by its agents' own reflex. */
export function lastWireChangeMs(vr: VipRound, region: string): number {
  let lastMs = rowOf(vr, region).changedAtMs;
  for (const nva of vr.round.regions.get(region)?.nvas ?? []) {
    const view = vr.round.nvas.get(nva.name);
    const announced = view?.vips.get(vr.vip.name)?.announced;
    if (view?.report === undefined || !announced) continue;
    lastMs = Math.max(lastMs, view.receivedAtMs - Math.max(0, view.report.atMs - announced.sinceMs));
  }
  return Math.min(lastMs, vr.round.nowMs);
}
