// People's and runbooks' wishes: they go through the same moves and safety guards as automation, and always get an answer.
import { drainRegion, refuseDrain, undrainRegion } from './drain.ts';
import { UNFORCEABLE } from './guards.ts';
import { candidates, isMember, type Move, tryMove } from './moves.ts';
import { withoutDoubt } from './proved-again.ts';
import { recentreNow } from './recentre.ts';
import { type Cause, lookAt, type Round, rowOf, type VipRound, verdictOf } from './round.ts';
import { putRow } from './rows.ts';
import type { Action, Intent, IntentOutcome } from './types.ts';

/** A forced target ignores its own probes for this long. */
export const IGNORE_MS = 30 * 60_000;
/** Who overrides one of these means the target as it is: its condition must not undo the move at once. */
const ABOUT_TARGET: ReadonlySet<string> = new Set(['target-unhealthy', 'stale-target', 'unproven-target']);
/** Guards that pass by themselves soon: the intent waits for them until its deadline. */
const WAITING: ReadonlySet<string> = new Set(['pacing']);

type Outcome = Pick<IntentOutcome, 'outcome' | 'reasons'>;
const say = (outcome: Outcome['outcome'], code?: string, detail = ''): Outcome => ({
  outcome,
  reasons: code === undefined ? [] : [{ code, detail }],
});

/** Carries out, refuses, drops or keeps every intent; returns those that still wait. */
export function followIntents(round: Round, vips: readonly VipRound[], intents: readonly Intent[]): Intent[] {
  // What there is to recentre depends on what the others leave behind.
  const isLate = ({ type }: Intent) => type === 'recentre';
  const inOrder = [...intents.filter((intent) => !isLate(intent)), ...intents.filter(isLate)];
  const waiting = inOrder.filter((intent) => {
    const results = followIntent(round, vips, intent);
    for (const { vip, result } of results) {
      round.outcomes.push({ intent: intent.id, ...(vip === undefined ? {} : { vip }), ...result });
    }
    return results.some(({ result }) => result.outcome === 'waiting');
  });
  return intents.filter((intent) => waiting.includes(intent));
}

interface Followed {
  readonly vip?: string;
  readonly result: Outcome;
}

function followIntent(round: Round, vips: readonly VipRound[], intent: Intent): Followed[] {
  if (round.nowMs >= intent.deadlineMs)
    return [{ result: say('expired', 'expired', 'not possible before its deadline') }];
  if (intent.notBeforeMs !== undefined && round.nowMs < intent.notBeforeMs) {
    lookAt(round, intent.notBeforeMs);
    return [{ result: say('waiting', 'scheduled', 'its time has not come') }];
  }
  const unforceable = intent.force.find((guard) => UNFORCEABLE.has(guard));
  if (unforceable !== undefined) {
    return [{ result: say('refused', unforceable, `${unforceable} cannot be overridden`) }];
  }
  if (intent.type === 'trust-ledger') return [{ result: trust(round) }];
  const meant = vips.filter((vr) => (intent.vip === undefined ? touches(vr, intent) : vr.vip.name === intent.vip));
  if (meant.length === 0) return [{ result: say('refused', 'no-such-vip', 'no vip of this group is meant') }];
  lookAt(round, intent.deadlineMs);
  return meant.map((vr) => ({ vip: vr.vip.name, result: followFor(vr, intent) }));
}

/** Without a vip a drain means every vip of its region; everything else must name one. */
const touches = (vr: VipRound, intent: Intent): boolean =>
  (intent.type === 'drain' || intent.type === 'undrain') &&
  intent.region !== undefined &&
  vr.policy.regions[intent.region] !== undefined;

function trust(round: Round): Outcome {
  if (round.trusted) return say('already-so');
  round.trusted = true;
  return say('carried-out');
}

function followFor(vr: VipRound, intent: Intent): Outcome {
  switch (intent.type) {
    case 'failover':
      return failOver(vr, intent);
    case 'failback':
      return failBackNow(vr, intent);
    case 'drain':
      return drain(vr, intent);
    case 'undrain':
      return undrainRegion(vr, intent.region ?? '', causeOfIntent(intent, 'undrain'));
    case 'recentre':
      return recentreNow(vr, causeOfIntent(intent, 'recentre'));
    case 'trust-ledger':
      return say('already-so');
  }
}

const causeOfIntent = (intent: Intent, kind: Action['kind']): Cause => ({
  kind,
  reason: 'intent',
  detail: intent.reason,
  actor: intent.actor,
  actorType: intent.actorType,
  intent: intent.id,
});

function failOver(vr: VipRound, intent: Intent): Outcome {
  if (vr.vip.mode === 'active-active') return say('refused', 'active-active', 'all members act; drain one instead');
  const target = intent.region ?? candidates(vr)[0];
  if (target === undefined) return say('refused', 'no-other-region', 'there is no other region');
  return moveTo(vr, intent, target, 'move');
}

function failBackNow(vr: VipRound, intent: Intent): Outcome {
  if (vr.vip.mode === 'active-active') return say('refused', 'active-active', 'all members act');
  const first = vr.vip.regions.find((region) => isMember(vr, region));
  if (first === undefined) return say('refused', 'no-other-region', 'every region is drained or out');
  return moveTo(vr, intent, first, 'failback');
}

function moveTo(vr: VipRound, intent: Intent, target: string, kind: 'move' | 'failback'): Outcome {
  if (vr.policy.regions[target] === undefined)
    return say('refused', 'no-such-region', `${target} does not carry ${vr.vip.name}`);
  if (!isMember(vr, target))
    return say('refused', 'drained', `${target} is ${rowOf(vr, target).role}; undrain it first`);
  if (target === vr.policy.acting) return say('already-so');
  const move = intendedMove(vr, intent, target, kind);
  const before = vr.round.blocked.length;
  if (tryMove(vr, move)) {
    finishMove(vr, intent, target);
    return say('carried-out');
  }
  return answerStops(vr, before);
}

function intendedMove(vr: VipRound, intent: Intent, target: string, kind: Action['kind']): Move {
  const { verdict } = verdictOf(vr, vr.policy.acting);
  return {
    target,
    cause: causeOfIntent(intent, kind),
    isNecessary: verdict === 'unhealthy' || verdict === 'lost',
    force: intent.force,
  };
}

/** Waits while only passing guards stand in the way, refuses otherwise. */
function answerStops(vr: VipRound, before: number): Outcome {
  const stops = vr.round.blocked.slice(before);
  const outcome = stops.every((stop) => WAITING.has(stop.guard)) ? 'waiting' : 'refused';
  return { outcome, reasons: stops.map((stop) => ({ code: stop.guard, detail: stop.detail })) };
}

/** A person's move keeps automation away for a while, clears doubt that was overridden, and forces what was forced. */
function finishMove(vr: VipRound, intent: Intent, target: string): void {
  const { nowMs } = vr.round;
  const row = withoutDoubt(rowOf(vr, target));
  const isForced = intent.force.some((guard) => ABOUT_TARGET.has(guard)) && verdictOf(vr, target).verdict !== 'healthy';
  putRow(vr, target, isForced ? { ...row, ignoreUntilMs: nowMs + IGNORE_MS } : row);
  vr.movedBy = intent.id;
  holdAfter(vr, intent);
}

function holdAfter(vr: VipRound, intent: Intent): void {
  const { round } = vr;
  if (intent.endsHoldOf !== undefined) {
    round.holds = round.holds.filter((hold) => hold.id !== `h-${intent.endsHoldOf}`);
    return;
  }
  const holdMs = round.config.guards.humanHoldSeconds * 1000;
  if (intent.actorType === 'automation' || holdMs === 0) return;
  const id = intent.vip === undefined ? `h-${intent.id}-${vr.vip.name}` : `h-${intent.id}`;
  round.holds = [
    ...round.holds.filter((hold) => hold.id !== id),
    {
      id,
      vip: vr.vip.name,
      actor: intent.actor,
      actorType: intent.actorType,
      reason: intent.reason,
      createdAtMs: round.nowMs,
      expiresAtMs: round.nowMs + holdMs,
      full: false,
    },
  ];
  lookAt(round, round.nowMs + holdMs);
}

/** Traffic first: a drained acting region hands over, then goes to last resort in the same decision. */
function drain(vr: VipRound, intent: Intent): Outcome {
  const region = intent.region ?? '';
  const row = vr.policy.regions[region];
  if (row === undefined) return say('refused', 'no-such-region', `${region} does not carry ${vr.vip.name}`);
  if (!isMember(vr, region)) return say('already-so');
  const cause = causeOfIntent(intent, 'drain');
  // Asked first: nobody is moved for a drain that is then refused.
  const refusal = refuseDrain(vr, region, cause);
  if (refusal !== undefined) return refusal;
  if (vr.vip.mode === 'primary-backup' && region === vr.policy.acting) {
    const target = candidates(vr)[0];
    if (target === undefined) return say('refused', 'last-announcer', `${region} is the only region`);
    const before = vr.round.blocked.length;
    if (!tryMove(vr, intendedMove(vr, intent, target, 'move'))) return answerStops(vr, before);
    finishMove(vr, intent, target);
  }
  return drainRegion(vr, region, cause);
}
