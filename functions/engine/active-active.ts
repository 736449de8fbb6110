// Active-active: all members act on one rung. A silently lost member's route attracts its share until it expires,
// so the others go one rung lower until it is back; an unhealthy member left by its own reflex.
import { guardMove, lastWireChangeMs } from './guards.ts';
import { isMember } from './moves.ts';
import { lowestPossible } from './possible.ts';
import { automation, lookAt, regionsByRank, rowOf, type VipRound, verdictOf } from './round.ts';
import { baseOf, changeRow } from './rows.ts';
import type { VipReason } from './types.ts';

/** Keeps the members equal, or the living ones below the lost. */
export function followMembers(vr: VipRound): VipReason {
  const members = regionsByRank(vr).filter((region) => isMember(vr, region));
  const lost = members.filter((region) => verdictOf(vr, region).verdict === 'lost');
  const well = members.filter((region) => ['healthy', 'degraded'].includes(verdictOf(vr, region).verdict));
  if (well.length === 0) return nobodyWell(vr, members);
  if (lost.length > 0) return goBelow(vr, members, lost, well);
  levelOut(vr, members);
  return { vip: vr.vip.name, reason: 'steady', detail: `${well.length} of ${members.length} members are well` };
}

function nobodyWell(vr: VipRound, members: readonly string[]): VipReason {
  const isUnknown = members.some((region) => verdictOf(vr, region).verdict === 'unknown');
  const reason = isUnknown ? 'evidence-unknown' : 'none-healthy';
  const detail = isUnknown ? 'nothing certain is known of any member' : 'no member is healthy';
  if (!isUnknown) vr.round.alerts.push({ vip: vr.vip.name, reason, detail });
  return { vip: vr.vip.name, reason, detail };
}

function goBelow(
  vr: VipRound,
  members: readonly string[],
  lost: readonly string[],
  well: readonly string[],
): VipReason {
  const { step } = vr.round.config.ladder;
  const detail = `${lost.join(', ')} is lost`;
  const floor = Math.min(...lost.map((region) => lowestPossible(rowOf(vr, region), step))) - 1;
  const others = members.filter((region) => !lost.includes(region));
  const lower = others.filter((region) => rowOf(vr, region).rung > floor);
  if (floor < 0) {
    const alert = {
      vip: vr.vip.name,
      reason: 'headroom-exhausted' as const,
      detail: `${detail}; no rung is left below it`,
    };
    vr.round.alerts.push(alert);
    return { vip: vr.vip.name, reason: 'headroom-exhausted', detail: alert.detail };
  }
  if (lower.length > 0 && isAllowed(vr, well[0] ?? '', detail, floor)) {
    for (const region of lower) changeRow(vr, region, { rung: floor }, automation('move', 'member-lost', detail));
  }
  return { vip: vr.vip.name, reason: 'member-lost', detail };
}

/** The guards that hold even a necessary change of one vip. */
function isAllowed(vr: VipRound, target: string, detail: string, rung: number): boolean {
  const move = { target, cause: automation('move', 'member-lost', detail), isNecessary: true, force: [] };
  const stops = guardMove(vr, move, { rung, isExhausted: false });
  for (const stop of stops) {
    vr.round.blocked.push({ vip: vr.vip.name, wanted: { kind: 'move', region: target, rung }, ...stop });
    if (stop.untilMs !== undefined) lookAt(vr.round, stop.untilMs);
  }
  return stops.length === 0;
}

/** Everybody back on the common rung, once nobody is lost or unknown and the route-change window has closed. */
function levelOut(vr: VipRound, members: readonly string[]): void {
  const { config, nowMs, trusted } = vr.round;
  const off = members.filter((region) => rowOf(vr, region).rung !== baseOf(config, vr.vip, region));
  if (off.length === 0 || config.guards.mode === 'shadow' || !trusted) return;
  if (members.some((region) => verdictOf(vr, region).verdict === 'unknown')) return;
  const dueMs = Math.max(...off.map((region) => lastWireChangeMs(vr, region))) + config.routeChangeMs;
  if (nowMs < dueMs) {
    lookAt(vr.round, dueMs);
    return;
  }
  for (const region of off) {
    const rung = baseOf(config, vr.vip, region);
    changeRow(vr, region, { rung }, automation('recentre', 'recentre', 'all members are back'));
  }
}
