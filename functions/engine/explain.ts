// What logs, audit, command line and dashboard show of a decision: plain sentences, the same for the same decision.
import { prependCount } from '../../shared/ladder.ts';
import { VERDICT_GLYPHS } from '../../shared/vocabulary.ts';
import { candidates, isMember, targetRung } from './moves.ts';
import { PROVED_AGAIN_MS } from './proved-again.ts';
import { type Round, regionsByRank, type VipRound } from './round.ts';
import { baseOf, lastResortOf } from './rows.ts';
import type { Action, Blocked, Decision, EngineConfig, FusedVerdict, Policy, RegionPolicy, Snapshot } from './types.ts';

/** `9d4h`, `2m30s`, `5s`: the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts: readonly (readonly [string, number])[] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor((seconds % 86_400) / 3600)],
    ['m', Math.floor((seconds % 3600) / 60)],
    ['s', seconds % 60],
  ];
  const first = parts.findIndex(([, count]) => count > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count}${unit}`)
    .join('');
}

/** What was decided of one vip, and why: reason, changes, what was blocked, what became of intents. */
export function explainDecision(decision: Decision, vip: string): string[] {
  const reason = decision.reasons.find((candidate) => candidate.vip === vip);
  return [
    ...(reason === undefined
      ? [`${vip} is not among the vips of this decision`]
      : [`${reason.reason}: ${reason.detail}`]),
    ...decision.actions.filter((action) => action.vip === vip).map(explainAction),
    ...decision.blocked.filter((blocked) => blocked.vip === vip).map((blocked) => explainBlocked(blocked)),
    ...decision.intents
      .filter((outcome) => outcome.vip === vip || outcome.vip === undefined)
      .map(
        (outcome) =>
          `intent ${outcome.intent} ${outcome.outcome}${outcome.reasons.map((r) => `; ${r.code}: ${r.detail}`).join('')}`,
      ),
    ...decision.alerts.filter((alert) => alert.vip === vip).map((alert) => `alert ${alert.reason}: ${alert.detail}`),
  ];
}

/** One change of one region, with what it means on the wire. */
export function explainAction(action: Action): string {
  const { before, after } = action;
  const changes = [
    ...(before.role === after.role ? [] : [`${before.role} -> ${after.role}`]),
    ...(before.rung === after.rung ? [] : [`rung ${before.rung} -> ${after.rung}`]),
    ...(before.state === after.state ? [] : [`${before.state} -> ${after.state}`]),
  ];
  const what = changes.length === 0 ? 'rung unchanged, prepends of its NVAs differ' : changes.join(', ');
  const who = action.actorType === 'automation' ? '' : ` by ${action.actor} (${action.actorType})`;
  return `${action.kind} ${action.region}: ${what}${who}, ${action.reason}: ${action.detail}`;
}

/** One change that was wanted and not made; with `nowMs` it says for how long. */
export function explainBlocked(blocked: Blocked, nowMs?: number): string {
  const { kind, region, rung } = blocked.wanted;
  const where = rung === undefined ? region : `${region} on rung ${rung}`;
  const left =
    blocked.untilMs === undefined || nowMs === undefined ? '' : `, for ${formatDuration(blocked.untilMs - nowMs)} more`;
  return `${kind} to ${where} stopped by ${blocked.guard}${left}: ${blocked.detail}`;
}

/** Everything an operator asks of one vip: who serves, why, on what evidence, what is blocked, what if it died, what next. */
export function explainVip(
  policy: Policy,
  decision: Decision,
  config: EngineConfig,
  vipName: string,
  nowMs: number,
): string[] {
  const vip = config.vips.find((candidate) => candidate.name === vipName);
  const vipPolicy = policy.vips[vipName];
  if (vip === undefined || vipPolicy === undefined) return [`${vipName} is no vip of group ${config.group}`];
  const vr: VipRound = {
    round: quietRound(policy, config, nowMs),
    vip,
    verdicts: decision.verdicts[vipName] ?? {},
    policy: vipPolicy,
  };
  const row = vipPolicy.regions[vipPolicy.acting];
  const reason = decision.reasons.find((candidate) => candidate.vip === vipName);
  return [
    vip.mode === 'active-active'
      ? `${vip.name} ${vip.prefix}   all members act`
      : `${vip.name} ${vip.prefix}   ${vipPolicy.acting} acts for ${formatDuration(nowMs - vipPolicy.actingSinceMs)}${row === undefined ? '' : `, ${rungText(config, row)}`}`,
    ...section('why', [reason === undefined ? 'not decided yet' : `${reason.reason}: ${reason.detail}`]),
    ...section(
      'proof',
      regionsByRank(vr).map((region) => evidenceText(vr, region)),
    ),
    ...section(
      'wire',
      regionsByRank(vr).map((region) => wireText(vr, region)),
    ),
    ...section(
      'blocked',
      decision.blocked.filter((blocked) => blocked.vip === vipName).map((blocked) => explainBlocked(blocked, nowMs)),
    ),
    ...section(
      'held',
      policy.holds
        .filter((hold) => hold.vip === undefined || hold.vip === vipName)
        .map(
          (hold) =>
            `by ${hold.actor} for ${formatDuration(hold.expiresAtMs - nowMs)} more (${hold.id}): ${hold.reason}`,
        ),
    ),
    ...section('if', [fallText(vr)]),
    ...section('next', nextTexts(vr, decision)),
  ];
}

/** Heading once, then aligned lines; nothing to say is nothing shown. */
function section(heading: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `${(i === 0 ? heading : '').padEnd(8)}${line}`);
}

const rungText = (config: EngineConfig, row: RegionPolicy): string =>
  `rung ${row.rung} ×${prependCount(config.ladder, row.rung)}`;

function evidenceText(vr: VipRound, region: string): string {
  const fused: FusedVerdict | undefined = vr.verdicts[region];
  if (fused === undefined) return `${region} ? unknown: no source`;
  const sources = fused.sources.map((source) => {
    const age = source.ageMs === null ? 'never' : `${formatDuration(source.ageMs)} ago`;
    return `${source.source} ${source.says} ${age}${source.detail === undefined ? '' : ` (${source.detail})`}`;
  });
  const since = formatDuration(vr.round.nowMs - fused.sinceMs);
  const ignored = fused.ignored === undefined ? '' : ` (${fused.ignored}, ignored by a forced move)`;
  return `${region} ${VERDICT_GLYPHS[fused.verdict]} ${fused.verdict}${ignored} for ${since}: ${sources.join('; ')}`;
}

function wireText(vr: VipRound, region: string): string {
  const row = vr.policy.regions[region];
  if (row === undefined) return `${region} has no row`;
  const maybe =
    row.maybe.length === 0 ? '' : `, may still show rung ${row.maybe.map((entry) => entry.rung).join(', ')}`;
  const state = row.state === 'withheld' ? ', withheld' : '';
  const survivors = row.survivors === undefined ? '' : `, ${row.survivors.nvas.join(', ')} ${row.survivors.minus} less`;
  const doubt = doubtText(row, vr.round.nowMs);
  const isLast = row.rung === lastResortOf(vr.round.config, vr.vip) ? ' (last resort)' : '';
  return `${region} ${row.role}, ${rungText(vr.round.config, row)}${isLast}${survivors}${maybe}${state}${doubt}`;
}

/** A failed proof, and how far its way back has come. */
function doubtText({ unprovenSinceMs, unprovenAt, provedSinceMs }: RegionPolicy, nowMs: number): string {
  if (unprovenSinceMs === undefined) return '';
  const where = unprovenAt === undefined ? '' : ` at ${unprovenAt}`;
  const seen = provedSinceMs === undefined ? 'not' : `for ${formatDuration(nowMs - provedSinceMs)}`;
  const needed = formatDuration(PROVED_AGAIN_MS);
  return `, its proof failed${where} ${formatDuration(nowMs - unprovenSinceMs)} ago, seen again ${seen} (${needed} clear it)`;
}

/** What the plan table would do if the acting region died this moment. */
function fallText(vr: VipRound): string {
  const { acting } = vr.policy;
  if (vr.vip.mode === 'active-active') return 'a member died now: the others would go one rung below it';
  const target = candidates(vr).find((region) =>
    ['healthy', 'degraded'].includes(vr.verdicts[region]?.verdict ?? 'unknown'),
  );
  if (target === undefined)
    return `${acting} died now: nobody is known to be fit to take over; last resort keeps a route`;
  const { rung, isExhausted } = targetRung(vr, target);
  const exhausted = isExhausted ? ' (headroom exhausted: not below everything else)' : '';
  return `${acting} died now: ${target} would take over on rung ${rung} ×${prependCount(vr.round.config.ladder, rung)}${exhausted}`;
}

function nextTexts(vr: VipRound, decision: Decision): string[] {
  const reason = decision.reasons.find((candidate) => candidate.vip === vr.vip.name)?.reason;
  const texts: string[] = [];
  if (reason === 'waiting-for-failback')
    texts.push(`failback by itself; anycastctl failback ${vr.vip.name} to do it now`);
  if (reason === 'manual-failback') texts.push(`anycastctl failback ${vr.vip.name} --reason "..."`);
  const isCentred = regionsByRank(vr).every((region) => {
    const row = vr.policy.regions[region];
    return row === undefined || !isMember(vr, region) || row.rung === baseOf(vr.round.config, vr.vip, region);
  });
  if (!isCentred) texts.push(`recentring once all has been calm for ${vr.round.config.guards.calmSeconds}s`);
  if (texts.length === 0) texts.push('nothing to do');
  texts.push(`looks again within ${formatDuration(decision.nextLookMs - vr.round.nowMs)}`);
  return texts;
}

/** A round that only answers questions about policy and verdicts. */
function quietRound(policy: Policy, config: EngineConfig, nowMs: number): Round {
  const snapshot: Snapshot = {
    group: config.group,
    decisionId: '',
    nextGeneration: 0,
    seat: { name: '', region: '', leaderSinceMs: 0, followedFresh: true },
    nvas: {},
    observers: {},
    learned: {},
    seatViews: [],
    signals: {},
    vetoes: {},
  };
  return {
    snapshot,
    config,
    nowMs,
    regions: new Map(config.topology.regions.map((region) => [region.name, region])),
    nvas: new Map(),
    holds: policy.holds,
    moves: policy.moves,
    trusted: policy.trusted,
    actions: [],
    blocked: [],
    outcomes: [],
    alerts: [],
    provedAgain: [],
    nextLookMs: nowMs,
  };
}
