// The plan table: what automation wants for a vip with one acting region (primary-backup).
//
//   acting region          best other        state            decision
//   healthy                any               -                keep
//   unhealthy or lost      healthy           any              takeover now
//   unhealthy or lost      degraded at best  any              takeover now: a slow answer beats none
//   unhealthy or lost      neither           any              keep, alert none-healthy (last resort keeps a route)
//   degraded, persistent   healthy           any              move, as planned (dwell, penalty and budget apply)
//   unknown                any               any              keep; alert after graceSeconds
//   isolated (no Route     as for lost       any              as for lost, once it has lasted ISOLATED_PERIODS and
//    Server session)                                          no observer is answered by it
//   one session down       any               any              keep (the other instance carries the route)
//   healthy                better-ranked     moved, auto      fail back after afterSeconds of unbroken health; a region
//                          and healthy                        left on external evidence needs positive evidence of it
//   healthy                better-ranked     moved, manual    keep, reason manual-failback: waits for a person
//   drained or out         healthy           any              move

import { healthySinceMs } from './guards.ts';
import { candidates, isMember, tryMove } from './moves.ts';
import { speaksFor } from './other-sources.ts';
import type { Reason } from './reasons.ts';
import { automation, lookAt, rankOf, rowOf, type VipRound, verdictOf } from './round.ts';
import type { VipReason } from './types.ts';

/** Does what the table says, and why it is as it then is. */
export function followPlan(vr: VipRound): VipReason {
  const { acting } = vr.policy;
  const { verdict, basis } = verdictOf(vr, acting);
  if (!isMember(vr, acting)) return leave(vr, 'drained', `${acting} is ${rowOf(vr, acting).role}`);
  switch (verdict) {
    case 'lost':
      return isIsolated(vr, acting)
        ? takeOver(vr, 'isolated', `${acting} has no Route Server session`)
        : takeOver(vr, 'nva-lost', `${acting} is lost`);
    case 'unhealthy': {
      const teller = basis === 'agent' ? 'its own agent' : 'other sources';
      return takeOver(vr, 'app-unhealthy', `${acting} is unhealthy by ${teller}${toldWhy(vr, acting)}`);
    }
    case 'degraded':
      return leaveBrownOut(vr);
    case 'unknown':
      return keepUnknown(vr);
    case 'healthy':
      return failBack(vr);
  }
}

const because = (vr: VipRound, reason: Reason, detail: string): VipReason => ({ vip: vr.vip.name, reason, detail });

/** What the sources that say unhealthy say further. */
function toldWhy(vr: VipRound, region: string): string {
  const { sources } = verdictOf(vr, region);
  const details = sources.flatMap((source) =>
    source.says === 'unhealthy' && source.detail !== undefined ? [source.detail] : [],
  );
  return details.length === 0 ? '' : ` (${details.join('; ')})`;
}

const isIsolated = (vr: VipRound, region: string): boolean => rowOf(vr, region).isolatedSinceMs !== undefined;

function takeOver(vr: VipRound, reason: Reason, detail: string): VipReason {
  const possibleTargets = candidates(vr);
  const fit = possibleTargets.filter((region) => ['healthy', 'degraded'].includes(verdictOf(vr, region).verdict));
  // With nobody fit the try is made all the same: its refusal is on record with the guard that made it.
  const targets = fit.length > 0 ? fit : possibleTargets.slice(0, 1);
  for (const target of targets) {
    const move = { target, cause: automation('takeover', reason, detail), isNecessary: true, force: [] };
    if (tryMove(vr, move)) return because(vr, reason, `${detail}; ${target} took over`);
  }
  if (fit.length > 0) return because(vr, reason, `${detail}; no takeover: a guard holds it`);
  const nobody = `${detail}, and no other region is known to be healthy`;
  vr.round.alerts.push({ vip: vr.vip.name, region: vr.policy.acting, reason: 'none-healthy', detail: nobody });
  return because(vr, 'none-healthy', nobody);
}

/** A planned move to the best healthy region, if there is one. */
function leave(vr: VipRound, reason: Reason, detail: string): VipReason {
  const target = candidates(vr)[0];
  if (target === undefined || verdictOf(vr, target).verdict !== 'healthy') return because(vr, reason, detail);
  const moved = tryMove(vr, { target, cause: automation('move', reason, detail), isNecessary: false, force: [] });
  return because(vr, reason, moved ? `${detail}; moved to ${target}` : `${detail}; a guard holds the move`);
}

function leaveBrownOut(vr: VipRound): VipReason {
  const { acting } = vr.policy;
  const { seen } = rowOf(vr, acting);
  const sinceMs = seen?.verdict === 'degraded' ? seen.sinceMs : vr.round.nowMs;
  const dueMs = sinceMs + vr.round.config.guards.persistSeconds * 1000;
  if (vr.round.nowMs >= dueMs) return leave(vr, 'brown-out', `${acting} has been degraded for long`);
  lookAt(vr.round, dueMs);
  return because(vr, 'brown-out', `${acting} is degraded, not yet for long`);
}

function keepUnknown(vr: VipRound): VipReason {
  const { acting } = vr.policy;
  const { ignoreUntilMs } = rowOf(vr, acting);
  if (ignoreUntilMs !== undefined) {
    return because(vr, 'intent', `${acting} acts by force; what its own probes say counts for nothing until then`);
  }
  const detail = `nothing certain is known of ${acting}; unknown is not unhealthy`;
  const alertMs = verdictOf(vr, acting).sinceMs + vr.round.config.guards.graceSeconds * 1000;
  if (vr.round.nowMs >= alertMs) {
    vr.round.alerts.push({ vip: vr.vip.name, region: acting, reason: 'evidence-unknown', detail });
  } else lookAt(vr.round, alertMs);
  return because(vr, 'evidence-unknown', detail);
}

function failBack(vr: VipRound): VipReason {
  const { acting } = vr.policy;
  const target = betterRanked(vr)[0];
  if (target === undefined) return because(vr, 'steady', `${acting} is healthy`);
  const { failback } = vr.vip;
  if (failback.mode === 'manual') {
    return because(vr, 'manual-failback', `${target} is healthy again; its return waits for a person`);
  }
  const dueMs = Math.max(healthySinceMs(vr, target), vr.policy.actingSinceMs) + failback.afterSeconds * 1000;
  if (vr.round.nowMs < dueMs) {
    lookAt(vr.round, dueMs);
    return because(vr, 'waiting-for-failback', `${target} must stay healthy for ${failback.afterSeconds} s first`);
  }
  if (!hasPositiveEvidence(vr, target)) {
    return because(vr, 'waiting-for-failback', `${target} left on external evidence, which does not yet speak for it`);
  }
  const detail = `${target} has been healthy for ${failback.afterSeconds} s`;
  const moved = tryMove(vr, {
    target,
    cause: automation('failback', 'failback-due', detail),
    isNecessary: false,
    force: [],
  });
  return because(vr, moved ? 'failback-due' : 'waiting-for-failback', moved ? detail : `${detail}; a guard holds it`);
}

/** Healthy regions ranked above the acting one, best first. */
export function betterRanked(vr: VipRound): string[] {
  const limit = rankOf(vr.vip, vr.policy.acting);
  return vr.vip.regions
    .slice(0, limit)
    .filter((region) => isMember(vr, region) && verdictOf(vr, region).verdict === 'healthy');
}

/** What drove the region away must have been seen to be over: agents' silence ends by itself, others must say so. */
function hasPositiveEvidence(vr: VipRound, region: string): boolean {
  if (rowOf(vr, region).leftOn !== 'external') return true;
  const known = vr.round.regions.get(region);
  return known !== undefined && speaksFor(vr.round, vr.vip, known);
}
