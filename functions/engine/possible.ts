// Which rungs a region may still have on the wire, and when an earlier one is proved gone.
import { prependCount } from '../../shared/ladder.ts';
import type { Nva, Vip } from '../../shared/topology-schema.ts';
import type { NvaView } from './evidence.ts';
import type { Round } from './round.ts';
import type { EngineConfig, RegionPolicy } from './types.ts';

/** Route Server's own hold time: a silently dead NVA's route lives on for that long. */
export const HOLD_TIME_MAX_MS = 180_000;

/** Every rung this row may show on the wire now or later without a further commit. */
export const possible = (row: RegionPolicy): number[] => [row.rung, ...row.maybe.map((entry) => entry.rung)];

/** Whole rungs that survivors reach below their rung: with step 1, one prepend less is a rung less. */
const reach = (minus: number, step: number): number => Math.floor(minus / step);

/** The lowest rung this row's wire may reach; a target must be strictly below it. */
export function lowestPossible(row: RegionPolicy, step: number): number {
  let lowest = row.rung - reach(row.survivors?.minus ?? 0, step);
  for (const entry of row.maybe) lowest = Math.min(lowest, entry.rung - reach(entry.minus ?? 0, step));
  return lowest;
}

/** The highest rung this row's wire may be at: what others must stay above not to steal. */
export const highestPossible = (row: RegionPolicy): number =>
  row.maybe.reduce((highest, entry) => Math.max(highest, entry.rung), row.rung);

/** Prepends this NVA is ordered to announce for the row. */
export function orderedPrepend(
  config: EngineConfig,
  vip: Vip,
  row: RegionPolicy,
  nvas: readonly Nva[],
  nva: Nva,
): number {
  const active = row.active ?? nvas[0]?.name;
  const isStandby = vip.nvas === 'one' && nva.name !== active;
  const minus = row.survivors?.nvas.includes(nva.name) === true ? row.survivors.minus : 0;
  return Math.max(0, prependCount(config.ladder, row.rung, isStandby) - minus);
}

/**
 * True when nothing but the current row (or last resort, which is above all) can be on the wire: every NVA of the
 * region acknowledged this row or a later one, announces accordingly, and Route Server was seen to hold just that.
 */
export function isSettled(round: Round, vip: Vip, region: string, row: RegionPolicy): boolean {
  const nvas = round.regions.get(region)?.nvas ?? [];
  return nvas.every((nva) => {
    const view = round.nvas.get(nva.name);
    return (
      view !== undefined &&
      isAcknowledged(round.config, vip, row, nvas, nva, view) &&
      isProved(round, vip, row, nva, view)
    );
  });
}

/** The NVA has this row's order or a later one, and its announcement agrees with it. */
function isAcknowledged(
  config: EngineConfig,
  vip: Vip,
  row: RegionPolicy,
  nvas: readonly Nva[],
  nva: Nva,
  view: NvaView,
): boolean {
  if (view.report === undefined || view.report.order.generation < row.generation) return false;
  const announced = view.vips.get(vip.name)?.announced;
  if (announced === undefined) return false;
  // Withheld, or withdrawn by the agent's own reflex: nothing of an earlier rung is left to announce.
  if (announced === null) return true;
  if (row.state === 'withheld') return false;
  if (announced.lastResort) return true;
  return announced.rung === row.rung && announced.prepend === orderedPrepend(config, vip, row, nvas, nva);
}

/** Both Route Server instances were read to hold the announcement, or nobody can read them and every bound has passed. */
function isProved(round: Round, vip: Vip, row: RegionPolicy, nva: Nva, view: NvaView): boolean {
  const sinceMs = announcedSinceMs(vip, row, view);
  const learned = round.snapshot.learned[nva.name];
  if (learned === undefined || learned.atMs <= sinceMs + round.config.routeChangeMs) {
    return isProvedByTime(round, view, sinceMs);
  }
  const announced = view.vips.get(vip.name)?.announced ?? null;
  const peers = Object.values(learned.peers);
  if (peers.length < 2) return false;
  return peers.every((routes) => {
    const path = routes[vip.prefix];
    return announced === null ? path === undefined : path !== undefined && path.length === announced.prepend + 1;
  });
}

/** Hold time and two route-change windows with every session up: nothing older can be held any more. */
function isProvedByTime(round: Round, view: NvaView, sinceMs: number): boolean {
  if (!view.isFresh || view.report === undefined) return false;
  const boundMs = HOLD_TIME_MAX_MS + 2 * round.config.routeChangeMs;
  const { report } = view;
  const sessionsSinceMs = report.sessions.map((s) =>
    s.state === 'Established' ? view.receivedAtMs - Math.max(0, report.atMs - s.sinceMs) : Number.POSITIVE_INFINITY,
  );
  if (sessionsSinceMs.length < 2) return false;
  return round.nowMs >= Math.max(sinceMs, ...sessionsSinceMs) + boundMs;
}

/** Receiver's time from which on the present announcement (or absence) has stood. */
function announcedSinceMs(vip: Vip, row: RegionPolicy, view: NvaView): number {
  const told = view.vips.get(vip.name);
  const atMs = view.report?.atMs ?? 0;
  const received = (senderMs: number) => view.receivedAtMs - Math.max(0, atMs - senderMs);
  if (told?.announced) return Math.max(received(told.announced.sinceMs), row.changedAtMs);
  const sessionsMs = view.report?.sessions.map((session) => received(session.sinceMs)) ?? [];
  return Math.max(row.changedAtMs, received(told?.local.sinceMs ?? atMs), ...sessionsMs);
}
