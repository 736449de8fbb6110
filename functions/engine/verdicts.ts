// Verdict fusion: from every source's fresh view of one vip in one region to one verdict with what it rests on.
//
//   agent (fresh, own window)      healthy, degraded, unhealthy     counts alone
//   agent overdue 2 periods, probe failed, nobody contradicts       lost
//   agent stale or never heard                                      unknown, never unhealthy
//   no Route Server session on any NVA for ISOLATED_PERIODS         lost (the region cannot announce)
//   one other source says unhealthy (queries, observers, seats)     degraded
//   two independent other sources say unhealthy                     unhealthy
//   one other source, and Route Server holds no route of it         unhealthy
//   Route Server's routes or metric alone                           changes nothing, is shown and alerted
//   forced move: whatever speaks against the region is ignored      unknown
import type { Region, Vip } from '../../shared/topology-schema.ts';
import type { Verdict } from '../../shared/vocabulary.ts';
import { LOST_PERIODS, type NvaView, PROBE_PERIODS, STALE_PERIODS } from './evidence.ts';
import { hearOthers } from './other-sources.ts';
import { lookAt, type Round } from './round.ts';
import type { FusedVerdict, RegionPolicy, VipPolicy } from './types.ts';

/** A region without any Route Server session is lost after this many report periods; restarts are shorter. */
export const ISOLATED_PERIODS = 3;

type Source = FusedVerdict['sources'][number];
interface Fused {
  readonly verdict: Verdict;
  readonly sinceMs: number;
  readonly basis: FusedVerdict['basis'];
}

const BETTER: Readonly<Record<Verdict, number>> = { healthy: 0, degraded: 1, unknown: 2, unhealthy: 3, lost: 4 };

/** The verdicts of every region this vip's policy knows. */
export function fuseVip(round: Round, vip: Vip, policy: VipPolicy): Record<string, FusedVerdict> {
  const verdicts: Record<string, FusedVerdict> = {};
  for (const name of Object.keys(policy.regions)) {
    const region = round.regions.get(name);
    const row = policy.regions[name];
    if (region !== undefined && row !== undefined) verdicts[name] = fuse(round, vip, region, row, policy);
  }
  return verdicts;
}

function fuse(round: Round, vip: Vip, region: Region, row: RegionPolicy, policy: VipPolicy): FusedVerdict {
  const sources: Source[] = [];
  let best: Fused | undefined;
  for (const nva of region.nvas) {
    const view = round.nvas.get(nva.name);
    if (view === undefined) continue;
    const said = nvaVerdict(round, vip, view, row);
    sources.push({
      source: nva.name,
      says: said.isAbsent ? 'absent' : said.verdict,
      ageMs: view.report === undefined ? null : round.nowMs - view.receivedAtMs,
      ...(said.detail === undefined ? {} : { detail: said.detail }),
    });
    if (best === undefined || isBetter(said, best)) best = said;
  }
  const agent = best ?? { verdict: 'unknown', sinceMs: round.nowMs, basis: 'agent' };
  const others = hearOthers({ round, vip, region, policy, agent: agent.verdict }, sources);
  const fused = judgeOthers(round, agent, others, row);
  // A person forced traffic here: nothing that speaks against it counts until then.
  const isForced = row.ignoreUntilMs !== undefined && round.nowMs < row.ignoreUntilMs && fused.verdict !== 'healthy';
  const { verdict, sinceMs, basis } = fused;
  return isForced
    ? { verdict: 'unknown', ignored: verdict, sinceMs, basis, sources }
    : { verdict, sinceMs, basis, sources };
}

/** Among equals the longest-standing counts: the region carries the vip as long as one NVA does. */
function isBetter(a: Fused, b: Fused): boolean {
  return BETTER[a.verdict] < BETTER[b.verdict] || (a.verdict === b.verdict && a.sinceMs < b.sinceMs);
}

type Said = Fused & { readonly isAbsent?: boolean; readonly detail?: string };

/** What one NVA means for one vip. */
export function nvaVerdict(round: Round, vip: Vip, view: NvaView, row: RegionPolicy): Said {
  const { nowMs, config } = round;
  const receivedAtMs = view.report === undefined ? nowMs : view.receivedAtMs;
  const overdueSinceMs = receivedAtMs + Math.ceil(LOST_PERIODS * config.reportMs);
  const witness = view.isLost ? observerAnswered(round, vip, view) : undefined;
  if (view.isLost && witness === undefined) {
    return {
      verdict: 'lost',
      sinceMs: overdueSinceMs,
      basis: 'silence',
      detail: 'silent, and its agent does not answer',
    };
  }
  if (!view.isFresh || view.report === undefined) {
    const old =
      witness === undefined ? 'report is too old' : `its agent does not answer, but observer ${witness} is answered`;
    const detail = view.report === undefined ? 'never reported' : (view.doubt ?? old);
    return { verdict: 'unknown', sinceMs: overdueSinceMs, basis: 'agent', isAbsent: true, detail };
  }
  if (view.report.sessions.length > 0 && view.sessionsUp === 0) {
    return isolated(round, vip, view, row);
  }
  return localVerdict(vip, view, view.report.atMs);
}

function isolated(round: Round, vip: Vip, view: NvaView, row: RegionPolicy): Said {
  const sinceMs = row.isolatedSinceMs ?? round.nowMs;
  const detail = 'no Route Server session';
  const lostAtMs = sinceMs + ISOLATED_PERIODS * round.config.reportMs;
  if (round.nowMs < lostAtMs || observerAnswered(round, vip, view) !== undefined) {
    lookAt(round, lostAtMs);
    return { verdict: 'unknown', sinceMs, basis: 'agent', detail };
  }
  return { verdict: 'lost', sinceMs, basis: 'silence', detail };
}

function localVerdict(vip: Vip, view: NvaView, atMs: number): Said {
  const told = view.vips.get(vip.name);
  if (told === undefined) {
    return {
      verdict: 'unknown',
      sinceMs: view.receivedAtMs,
      basis: 'agent',
      isAbsent: true,
      detail: 'vip not in report',
    };
  }
  const sinceMs = view.receivedAtMs - Math.max(0, atMs - told.local.sinceMs);
  // An agent that says goodbye goes to last resort: as good as its own failure, and known in time.
  if (view.report?.stopping === true) {
    return { verdict: 'unhealthy', sinceMs: view.receivedAtMs, basis: 'agent', detail: 'agent is stopping' };
  }
  return {
    verdict: told.local.verdict,
    sinceMs,
    basis: 'agent',
    ...(told.local.detail === undefined ? {} : { detail: told.local.detail }),
  };
}

/** The observer that this region answered throughout a period in which the agent was already overdue, if any. */
function observerAnswered(round: Round, vip: Vip, view: NvaView): string | undefined {
  const { nowMs, config, snapshot } = round;
  const overdueAtMs =
    view.isFresh && view.sessionsUp === 0 ? view.receivedAtMs : view.receivedAtMs + PROBE_PERIODS * config.reportMs;
  const answered = Object.entries(snapshot.observers).find(([, { receivedAtMs, report }]) => {
    if (nowMs - receivedAtMs > STALE_PERIODS * config.reportMs || receivedAtMs < overdueAtMs) return false;
    const seen = report.vips.find((candidate) => candidate.vip === vip.name);
    return seen !== undefined && seen.answeredBy === view.region && seen.requests > 0 && seen.failures === 0;
  });
  return answered?.[0];
}

function judgeOthers(round: Round, agent: Fused, unhealthyOthers: number, row: RegionPolicy): Fused {
  if (unhealthyOthers === 0 || agent.verdict === 'unhealthy' || agent.verdict === 'lost') return agent;
  const verdict = unhealthyOthers >= 2 ? 'unhealthy' : 'degraded';
  if (verdict === 'degraded' && agent.verdict !== 'healthy') return agent;
  // Other sources do not say since when; the ledger remembers.
  const sinceMs = row.seen?.verdict === verdict ? row.seen.sinceMs : round.nowMs;
  return { verdict, sinceMs, basis: 'external' };
}
