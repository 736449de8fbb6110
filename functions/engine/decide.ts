// The one door of the decision engine: from everything observed, the policy and the time to the next policy and why.
// It never reads a clock, never logs, and keeps no step of its own in flight: asked again with the same, it changes nothing.

import type { Vip } from '../../shared/topology-schema.ts';
import { followMembers } from './active-active.ts';
import { finishDrains } from './drain.ts';
import { viewNvas } from './evidence.ts';
import { followIntents } from './intents.ts';
import { keepMembers } from './membership.ts';
import { followPlan } from './plan.ts';
import { isSettled } from './possible.ts';
import { followDoubt } from './proved-again.ts';
import { recentre } from './recentre.ts';
import { LOOK_MS_MAX, lookAt, type Round, regionsByRank, type VipRound } from './round.ts';
import { keepSurvivors } from './survivors.ts';
import type {
  Action,
  Decision,
  EngineConfig,
  FusedVerdict,
  Policy,
  RegionPolicy,
  Snapshot,
  VipPolicy,
  VipReason,
} from './types.ts';
import { fuseVip } from './verdicts.ts';

/** Decides for every vip of the group. Times are epoch ms on the control plane's clock. */
export function decide(snapshot: Snapshot, policy: Policy, config: EngineConfig, nowMs: number): Decision {
  const round = openRound(snapshot, policy, config, nowMs);
  const known = keepMembers(policy, config, snapshot, nowMs);
  const vips = [...config.vips].sort(byPriority).flatMap((vip) => {
    const vipPolicy = known[vip.name];
    return vipPolicy === undefined ? [] : [openVip(round, vip, vipPolicy)];
  });
  const intents = followIntents(round, vips, policy.intents);
  const reasons = vips.map((vr) => decideVip(vr));
  return close(round, policy, vips, intents, reasons);
}

function openRound(snapshot: Snapshot, policy: Policy, config: EngineConfig, nowMs: number): Round {
  const opening: Omit<Round, 'nvas'> = {
    snapshot,
    config,
    nowMs,
    regions: new Map(config.topology.regions.map((region) => [region.name, region])),
    holds: policy.holds.filter((hold) => hold.expiresAtMs > nowMs),
    moves: policy.moves,
    trusted: policy.trusted,
    actions: [],
    blocked: [],
    outcomes: [],
    alerts: [],
    provedAgain: [],
    nextLookMs: nowMs + LOOK_MS_MAX,
  };
  const round: Round = Object.assign(opening, { nvas: viewNvas(opening) });
  for (const hold of round.holds) lookAt(round, hold.expiresAtMs);
  return round;
}

function openVip(round: Round, vip: Vip, policy: VipPolicy): VipRound {
  const verdicts = fuseVip(round, vip, policy);
  const regions = keepRows(round, vip, policy, verdicts);
  return { round, vip, verdicts, policy: regions === policy.regions ? policy : { ...policy, regions } };
}

/** Brings each row's memory up to date; the same object when nothing is new. */
function keepRows(
  round: Round,
  vip: Vip,
  policy: VipPolicy,
  verdicts: Readonly<Record<string, FusedVerdict>>,
): VipPolicy['regions'] {
  let regions = policy.regions;
  for (const [name, row] of Object.entries(policy.regions)) {
    const fused = verdicts[name];
    const kept = fused === undefined ? row : keepRow(round, vip, name, row, fused);
    if (kept !== row) regions = { ...regions, [name]: kept };
  }
  return regions;
}

function keepRow(round: Round, vip: Vip, region: string, before: RegionPolicy, fused: FusedVerdict): RegionPolicy {
  let row = before;
  if (row.maybe.length > 0 && isSettled(round, vip, region, row)) row = { ...row, maybe: [] };
  const verdict = fused.ignored ?? fused.verdict;
  if (verdict !== 'unknown' && row.seen?.verdict !== verdict) {
    row = { ...row, seen: { verdict, sinceMs: round.nowMs } };
  }
  row = followDoubt(round, vip, region, row, fused);
  const isIsolated = hasNoSession(round, region);
  if (isIsolated === true && row.isolatedSinceMs === undefined) row = { ...row, isolatedSinceMs: round.nowMs };
  if (isIsolated === false && row.isolatedSinceMs !== undefined) {
    const { isolatedSinceMs: _over, ...rest } = row;
    row = rest;
  }
  if (row.ignoreUntilMs !== undefined) {
    if (round.nowMs >= row.ignoreUntilMs) {
      const { ignoreUntilMs: _expired, ...rest } = row;
      row = rest;
    } else lookAt(round, row.ignoreUntilMs);
  }
  return row;
}

/** True when fresh reports of all NVAs show no session, false when one shows some, undefined when nobody tells. */
function hasNoSession(round: Round, region: string): boolean | undefined {
  const views = (round.regions.get(region)?.nvas ?? []).map((nva) => round.nvas.get(nva.name));
  if (views.some((view) => view?.isFresh === true && view.sessionsUp > 0)) return false;
  return views.some((view) => view?.isFresh === true && (view.report?.sessions.length ?? 0) > 0) ? true : undefined;
}

function decideVip(vr: VipRound): VipReason {
  for (const region of regionsByRank(vr)) {
    keepSurvivors(vr, region, region === vr.policy.acting || vr.vip.mode === 'active-active');
  }
  const reason = reasonOf(vr);
  finishDrains(vr);
  recentre(vr);
  return reason;
}

function reasonOf(vr: VipRound): VipReason {
  if (vr.movedBy !== undefined) {
    return { vip: vr.vip.name, reason: 'intent', detail: `${vr.policy.acting} acts by intent ${vr.movedBy}` };
  }
  return vr.vip.mode === 'active-active' ? followMembers(vr) : followPlan(vr);
}

/** Takeovers before everything else, then by the vip's priority; delivery follows this order. */
const URGENCY: readonly Action['kind'][] = [
  'takeover',
  'survivor',
  'move',
  'failback',
  'drain',
  'undrain',
  'adopt',
  'role',
  'withhold',
  'recentre',
];

function byUrgency(actions: readonly Action[], vips: readonly VipRound[]): Action[] {
  if (actions.length < 2) return [...actions];
  const places = new Map(vips.map((vr, i) => [vr.vip.name, i]));
  const place = (action: Action) => places.get(action.vip) ?? 0;
  return [...actions].sort((x, y) => URGENCY.indexOf(x.kind) - URGENCY.indexOf(y.kind) || place(x) - place(y));
}

/** Important vips first, so that a budget that does not suffice for all is spent on them whatever the file's order. */
const byPriority = (a: Vip, b: Vip): number => b.priority - a.priority || (a.name < b.name ? -1 : 1);

function close(
  round: Round,
  before: Policy,
  vips: readonly VipRound[],
  intents: Policy['intents'],
  reasons: readonly VipReason[],
): Decision {
  const entries = vips.map((vr): [string, VipPolicy] => {
    const isNew = before.vips[vr.vip.name] !== vr.policy;
    return [vr.vip.name, isNew ? { ...vr.policy, decision: round.snapshot.decisionId } : vr.policy];
  });
  const changed =
    entries.some(([name, policy]) => before.vips[name] !== policy) ||
    Object.keys(before.vips).length !== entries.length ||
    intents.length !== before.intents.length ||
    round.holds.length !== before.holds.length ||
    round.holds.some((hold, i) => hold !== before.holds[i]) ||
    round.moves !== before.moves ||
    round.trusted !== before.trusted;
  const policy: Policy = changed
    ? {
        v: 1,
        vips: Object.fromEntries(entries),
        intents,
        holds: round.holds,
        moves: round.moves,
        trusted: round.trusted,
      }
    : before;
  return {
    policy,
    changed,
    actions: byUrgency(round.actions, vips),
    reasons,
    blocked: round.blocked,
    intents: round.outcomes,
    alerts: round.alerts,
    provedAgain: round.provedAgain,
    verdicts: Object.fromEntries(vips.map((vr) => [vr.vip.name, vr.verdicts])),
    nextLookMs: round.nextLookMs,
  };
}
