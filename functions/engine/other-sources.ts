// What everybody but the region's own agents says of one vip in one region, with the freshness and weight of each.
//
//   source                                        fresh for                   unhealthy when              counts as
//   queries (all together)                        3 intervals                 they say so                 a source
//   observers (all together), acting region only  3 report periods            all asked, none answered    a source
//   seats that ask the application (together)     3 ticks                     an answer not as expected,  a source
//                                                                             and no seat was answered well
//   Route Server: its routes, else its metric     3 readings; 20 minutes      holds no route, no session  confirms a source
//
// No answer, no reading and no measurement are unknown, never unhealthy.
import type { Region, Vip } from '../../shared/topology-schema.ts';
import type { Verdict } from '../../shared/vocabulary.ts';
import { type NvaView, STALE_PERIODS } from './evidence.ts';
import type { Round } from './round.ts';
import type { AppEvidence, FusedVerdict, VipPolicy } from './types.ts';

/** A query's answer counts for this many of its intervals. */
const SIGNAL_INTERVALS = 3;
/** An application's answer to a seat counts for this many ticks. */
export const APP_TICKS = 3;
/** Learned routes are read once a minute when all is calm; a reading counts for this long. */
export const LEARNED_FRESH_MS = 180_000;
/** The metric has grains of five minutes and is published minutes late; a measurement counts for this long. */
export const PEER_STATUS_FRESH_MS = 1_200_000;

type Sources = FusedVerdict['sources'][number][];

/** The vip and region that is spoken of. */
export interface Spoken {
  readonly round: Round;
  readonly vip: Vip;
  readonly region: Region;
  readonly policy: VipPolicy;
  /** What the region's own agents say. */
  readonly agent: Verdict;
}

/** How many independent other sources say unhealthy. Adds every source that says anything to `sources`. */
export function hearOthers(of: Spoken, sources: Sources): number {
  let unhealthy = 0;
  if (signalFails(of, sources)) unhealthy += 1;
  if (isActing(of) && of.vip.mode === 'primary-backup' && observersFail(of, sources)) unhealthy += 1;
  if (appsFail(of, sources)) unhealthy += 1;
  const routeServer = hearRouteServer(of, sources);
  if (routeServer !== 'unhealthy') return unhealthy;
  if (unhealthy > 0) return unhealthy + 1;
  doubt(of);
  return 0;
}

const isActing = ({ region, policy }: Spoken): boolean => region.name === policy.acting;

function signalFails({ round, vip, region }: Spoken, sources: Sources): boolean {
  const signal = round.snapshot.signals[vip.name]?.[region.name];
  if (signal === undefined) return false;
  const ageMs = round.nowMs - signal.atMs;
  const isFresh = ageMs <= signalFreshMs(vip);
  const parts = Object.entries(signal.parts ?? {});
  const detail = parts.length < 2 ? undefined : parts.map(([i, part]) => `query ${i} ${part.verdict}`).join(', ');
  const says = isFresh ? signal.verdict : 'absent';
  sources.push({ source: 'signal', says, ageMs, ...(detail === undefined ? {} : { detail }) });
  return isFresh && signal.verdict === 'unhealthy';
}

/** For how long a query's answer counts. */
export const signalFreshMs = (vip: Vip): number =>
  SIGNAL_INTERVALS * 1000 * Math.max(60, ...vip.signals.map((signal) => signal.intervalSeconds));

/** Every fresh observer asked and none was answered, long enough after a move for it to have arrived. */
function observersFail({ round, vip, policy }: Spoken, sources: Sources): boolean {
  const { nowMs, config, snapshot } = round;
  let asked = 0;
  let failed = 0;
  for (const [name, { receivedAtMs, report }] of Object.entries(snapshot.observers)) {
    const ageMs = nowMs - receivedAtMs;
    const seen = report.vips.find((candidate) => candidate.vip === vip.name);
    if (seen === undefined || seen.requests === 0) continue;
    if (ageMs > STALE_PERIODS * config.reportMs) {
      sources.push({ source: name, says: 'absent', ageMs });
      continue;
    }
    const isFailing = seen.failures >= seen.requests;
    asked += 1;
    if (isFailing) failed += 1;
    const detail = isFailing ? 'no answer' : `answered by ${seen.answeredBy ?? 'nobody'}`;
    sources.push({ source: name, says: isFailing ? 'unhealthy' : 'healthy', ageMs, detail });
  }
  const settledMs = Math.max(policy.actingSinceMs, policy.changedAtMs) + 2 * config.routeChangeMs;
  return asked > 0 && failed === asked && nowMs >= settledMs;
}

// ---------------------------------------------------------------- seats

const appFreshMs = (round: Round): number => APP_TICKS * 1000 * round.config.topology.timing.tickSeconds;

/** What each seat of the deployment was answered by the application of this region. */
function appsOf({ round, vip, region }: Pick<Spoken, 'round' | 'vip' | 'region'>): [string, AppEvidence][] {
  const { apps } = round.snapshot;
  if (apps === undefined) return [];
  return round.config.topology.seats.flatMap((seat): [string, AppEvidence][] => {
    const seen = apps[seat.name]?.[vip.name]?.[region.name];
    return seen === undefined ? [] : [[seat.name, seen]];
  });
}

/** All seats together are one source: what one is answered, the others are. One good answer outweighs bad ones. */
function appsFail(of: Spoken, sources: Sources): boolean {
  let isAnsweredWell = false;
  let isAnsweredBadly = false;
  for (const [seat, { atMs, verdict, detail }] of appsOf(of)) {
    const ageMs = of.round.nowMs - atMs;
    const isFresh = ageMs <= appFreshMs(of.round);
    sources.push({ source: `application from ${seat}`, says: isFresh ? verdict : 'absent', ageMs, detail });
    if (isFresh && verdict === 'healthy') isAnsweredWell = true;
    if (isFresh && verdict === 'unhealthy') isAnsweredBadly = true;
  }
  return isAnsweredBadly && !isAnsweredWell;
}

/**
 * Whether outside evidence speaks for a region that left on it: every kind that is configured and fresh must, and one
 * must at least. What a query drove away, a query must call back.
 */
export function speaksFor(round: Round, vip: Vip, region: Region): boolean {
  const { nowMs } = round;
  const signal = round.snapshot.signals[vip.name]?.[region.name];
  const isCalled = signal?.verdict === 'healthy' && nowMs - signal.atMs <= signalFreshMs(vip);
  if (vip.signals.length > 0 || signal !== undefined) return isCalled;
  const fresh = appsOf({ round, vip, region }).filter(([, { atMs }]) => nowMs - atMs <= appFreshMs(round));
  return fresh.some(([, { verdict }]) => verdict === 'healthy');
}

// ---------------------------------------------------------------- Route Server

type Said = 'healthy' | 'unhealthy' | undefined;

/** Its routes count before its metric: they are newer, and the route is what carries users. */
function hearRouteServer(of: Spoken, sources: Sources): Said {
  const metric = hearMetric(of, sources);
  return hearRoutes(of, sources) ?? metric;
}

const viewsOf = ({ round, region }: Spoken): NvaView[] =>
  region.nvas.flatMap((nva) => {
    const view = round.nvas.get(nva.name);
    return view?.isFresh === true ? [view] : [];
  });

/** When something began that the sender dates, on our clock. */
const beganMs = (view: NvaView, sinceMs: number): number =>
  view.receivedAtMs - Math.max(0, (view.report?.atMs ?? sinceMs) - sinceMs);

/** Whether it holds what agents have announced for long enough to be held. */
function hearRoutes(of: Spoken, sources: Sources): Said {
  const { round, vip } = of;
  const settleMs = 2 * Math.max(round.config.routeChangeMs, round.config.reportMs);
  let newestMs: number | undefined;
  let instances = 0;
  let holding = 0;
  for (const view of viewsOf(of)) {
    const learned = round.snapshot.learned[view.name];
    const announced = view.vips.get(vip.name)?.announced;
    if (learned === undefined || !announced || round.nowMs - learned.atMs > LEARNED_FRESH_MS) continue;
    if (learned.atMs - beganMs(view, announced.sinceMs) < settleMs) continue;
    newestMs = Math.max(newestMs ?? 0, learned.atMs);
    for (const routes of Object.values(learned.peers)) {
      instances += 1;
      if (routes[vip.prefix] !== undefined) holding += 1;
    }
  }
  if (newestMs === undefined || instances === 0) return undefined;
  const says = holding > 0 ? 'healthy' : 'unhealthy';
  const detail = `${holding} of ${instances} instances hold the route`;
  sources.push({ source: 'route-server', says, ageMs: round.nowMs - newestMs, detail });
  return says;
}

/** A measurement from before the session began says nothing of it. */
function hearMetric(of: Spoken, sources: Sources): Said {
  const { round, region } = of;
  const status = round.snapshot.peerStatus?.[region.name];
  if (status === undefined) return undefined;
  let newestMs: number | undefined;
  let measured = 0;
  let up = 0;
  for (const view of viewsOf(of)) {
    const address = region.nvas.find((nva) => nva.name === view.name)?.address ?? '';
    const began = (view.report?.sessions ?? []).flatMap(({ state, sinceMs }) =>
      state === 'Established' ? [beganMs(view, sinceMs)] : [],
    );
    for (const { isUp, atMs } of Object.values(status.peers[address] ?? {})) {
      const isEarlier = !isUp && began.some((sinceMs) => sinceMs > atMs);
      if (round.nowMs - atMs > PEER_STATUS_FRESH_MS || isEarlier) continue;
      newestMs = Math.max(newestMs ?? 0, atMs);
      measured += 1;
      if (isUp) up += 1;
    }
  }
  if (newestMs === undefined) return undefined;
  const says = up > 0 ? 'healthy' : 'unhealthy';
  const detail = `${up} of ${measured} sessions up by its metric`;
  sources.push({ source: 'route-server metric', says, ageMs: round.nowMs - newestMs, detail });
  return says;
}

/** Alone it moves nothing, however sure it is: it may be late, filtered or wrong. A person hears of it. */
function doubt(of: Spoken): void {
  const { round, vip, region, policy, agent } = of;
  if (!isActing(of) || agent !== 'healthy' || policy.regions[region.name]?.state !== 'announced') return;
  const detail = `${region.name} is healthy by its own agents, but Route Server holds no route or session of it`;
  round.alerts.push({ vip: vip.name, region: region.name, reason: 'route-server-doubt', detail });
}
