// Drain and its reverse: last resort, proof that another region answers, only then withheld. Sessions stay up.
import { lastWireChangeMs } from './guards.ts';
import { isMember } from './moves.ts';
import { highestPossible } from './possible.ts';
import { automation, type Cause, lookAt, regionsByRank, rowOf, type VipRound, verdictOf } from './round.ts';
import { baseOf, changeRow, lastResortOf, putRow } from './rows.ts';
import type { IntentOutcome } from './types.ts';

type Outcome = Pick<IntentOutcome, 'outcome' | 'reasons'>;
const done: Outcome = { outcome: 'carried-out', reasons: [] };
const refuse = (code: string, detail: string): Outcome => ({ outcome: 'refused', reasons: [{ code, detail }] });

/** Sends a region to last resort, if another member is there to answer. */
export function drainRegion(vr: VipRound, region: string, cause: Cause): Outcome {
  const stop = refuseDrain(vr, region, cause);
  if (stop !== undefined) return stop;
  changeRow(vr, region, { role: 'drained', rung: lastResortOf(vr.round.config, vr.vip) }, cause);
  return done;
}

/** Why this region may not be drained whoever asks, or undefined when it may. */
export function refuseDrain(vr: VipRound, region: string, cause: Cause): Outcome | undefined {
  const stop = whyNothingChanges(vr);
  if (stop !== undefined) return stop;
  const others = Object.keys(vr.policy.regions).filter((other) => other !== region && isMember(vr, other));
  if (others.some((other) => isServing(vr, other))) return undefined;
  const detail = `no other region is known to answer for ${vr.vip.name}`;
  vr.round.blocked.push(blockedDrain(vr, region, 'drain', detail, cause.intent));
  return refuse('last-announcer', detail);
}

/** Brings a drained region back on a rung that takes nothing from the acting one. */
export function undrainRegion(vr: VipRound, region: string, cause: Cause): Outcome {
  const row = vr.policy.regions[region];
  if (row === undefined) return refuse('no-such-region', `${region} does not carry ${vr.vip.name}`);
  if (row.role === 'out') return refuse('out', `${region} is no member of ${vr.vip.name}`);
  if (row.role !== 'drained') return { outcome: 'already-so', reasons: [] };
  const stop = whyNothingChanges(vr);
  if (stop !== undefined) return stop;
  const isActive = vr.vip.mode === 'active-active';
  const rung = isActive ? baseOf(vr.round.config, vr.vip, region) : modestRung(vr, region);
  changeRow(vr, region, { role: isActive ? 'primary' : 'backup', rung, state: 'announced' }, cause);
  const { seen, ...rest } = rowOf(vr, region);
  // Health while it was drained says nothing: the wait for failback begins now.
  const restarted = seen === undefined ? {} : { seen: { ...seen, sinceMs: vr.round.nowMs } };
  putRow(vr, region, { ...rest, ...restarted, leftOn: 'human' });
  return done;
}

/** The base, or the first rung above everything the acting region may have; last resort at most. */
export function modestRung(vr: VipRound, region: string): number {
  const { config } = vr.round;
  const base = baseOf(config, vr.vip, region);
  const acting = vr.policy.regions[vr.policy.acting];
  if (acting === undefined || vr.policy.acting === region) return base;
  return Math.min(lastResortOf(config, vr.vip), Math.max(base, highestPossible(acting) + 1));
}

function whyNothingChanges(vr: VipRound): Outcome | undefined {
  if (vr.round.config.guards.mode === 'shadow') return refuse('shadow', 'shadow mode: decided, not acted on');
  if (!vr.round.trusted) return refuse('untrusted-ledger', 'the ledger was rebuilt; a person must trust it first');
  return undefined;
}

/** Healthy, announcing, with a session: users can be answered there. */
function isServing(vr: VipRound, region: string): boolean {
  const row = rowOf(vr, region);
  const { verdict } = verdictOf(vr, region);
  if (row.state !== 'announced' || (verdict !== 'healthy' && verdict !== 'degraded')) return false;
  return announcingNvas(vr, region).length > 0;
}

function announcingNvas(vr: VipRound, region: string): string[] {
  const nvas = vr.round.regions.get(region)?.nvas ?? [];
  return nvas.flatMap(({ name }) => {
    const view = vr.round.nvas.get(name);
    const isAnnouncing = view?.isFresh === true && view.sessionsUp > 0 && !!view.vips.get(vr.vip.name)?.announced;
    return isAnnouncing ? [name] : [];
  });
}

/** Takes drained and excluded regions off the wire once another region is proved to answer. */
export function finishDrains(vr: VipRound): void {
  for (const region of regionsByRank(vr)) {
    const row = rowOf(vr, region);
    if ((row.role !== 'drained' && row.role !== 'out') || row.state === 'withheld') continue;
    if (whyNothingChanges(vr) !== undefined) continue;
    const dueMs = lastWireChangeMs(vr, region) + vr.round.config.routeChangeMs;
    if (vr.round.nowMs < dueMs) {
      lookAt(vr.round, dueMs);
      continue;
    }
    const prover = regionsByRank(vr).find((other) => other !== region && isProvedToAnswer(vr, other, row.changedAtMs));
    if (prover === undefined) {
      const detail = `no other region is proved to answer for ${vr.vip.name}`;
      vr.round.blocked.push(blockedDrain(vr, region, 'withhold', detail));
      continue;
    }
    changeRow(
      vr,
      region,
      { state: 'withheld' },
      automation('withhold', 'prefix-withheld', `${prover} is proved to answer`),
    );
  }
}

/** An observer is answered by it, or both Route Server instances hold its route and its application is healthy. */
function isProvedToAnswer(vr: VipRound, region: string, sinceMs: number): boolean {
  if (!isMember(vr, region) || !isServing(vr, region)) return false;
  const { snapshot, nowMs, config } = vr.round;
  const observed = Object.values(snapshot.observers).some(({ receivedAtMs, report }) => {
    if (nowMs - receivedAtMs > 3 * config.reportMs || receivedAtMs < sinceMs + 2 * config.reportMs) return false;
    const seen = report.vips.find((candidate) => candidate.vip === vr.vip.name);
    return seen?.answeredBy === region && seen.requests > 0 && seen.failures === 0;
  });
  if (observed) return true;
  return announcingNvas(vr, region).some((name) => {
    const learned = snapshot.learned[name];
    if (learned === undefined || learned.atMs <= sinceMs) return false;
    const peers = Object.values(learned.peers);
    return peers.length >= 2 && peers.every((routes) => routes[vr.vip.prefix] !== undefined);
  });
}

const blockedDrain = (vr: VipRound, region: string, kind: 'drain' | 'withhold', detail: string, intent?: string) => ({
  vip: vr.vip.name,
  wanted: { kind, region },
  guard: 'last-announcer' as const,
  detail,
  ...(intent === undefined ? {} : { intent }),
});
