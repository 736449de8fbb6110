// What each NVA's reports, the probe of its agent and other seats say about the NVA itself, before any vip is looked at.
import type { Report, ReportVip } from '../../shared/report.ts';
import { lookAt, type Round } from './round.ts';
import type { EngineConfig, Snapshot } from './types.ts';

/** A report older than this many periods by the receiver's clock is absent. */
export const STALE_PERIODS = 3;
/** From here on a report is overdue and the control plane asks the agent itself. */
export const PROBE_PERIODS = 1.5;
/** From here on an agent that does not answer either is lost. */
export const LOST_PERIODS = 2;
/** Regions that fell silent within this many periods of each other did so at once: the seat suspects itself. */
export const TOGETHER_PERIODS = 5;

export interface NvaView {
  readonly name: string;
  readonly region: string;
  readonly report: Report | undefined;
  readonly receivedAtMs: number;
  readonly isFresh: boolean;
  /** Silent, not answering, and neither another seat nor doubt about this seat says otherwise. */
  readonly isLost: boolean;
  /** Why silence does not count as loss, for people. */
  readonly doubt?: string;
  readonly sessionsUp: number;
  readonly vips: ReadonlyMap<string, ReportVip>;
}

/** NVAs whose agents the control plane should probe now: overdue, and not probed since for a period. */
export function probesWanted(snapshot: Snapshot, config: EngineConfig, nowMs: number): string[] {
  return groupNvas(config)
    .filter(({ name }) => {
      const evidence = snapshot.nvas[name];
      if (evidence?.report === undefined) return false;
      const isOverdue = nowMs - evidence.report.receivedAtMs >= PROBE_PERIODS * config.reportMs;
      return isOverdue && (evidence.probe === undefined || nowMs - evidence.probe.atMs >= config.reportMs);
    })
    .map(({ name }) => name);
}

type GroupNva = { readonly name: string; readonly region: string };
/** A configuration never changes, so neither does the answer; each look asks more than once. */
const grouped = new WeakMap<EngineConfig, readonly GroupNva[]>();

/** All NVAs of regions that any vip of the group is in. */
export function groupNvas(config: EngineConfig): readonly GroupNva[] {
  const known = grouped.get(config);
  if (known !== undefined) return known;
  const members = new Set(config.vips.flatMap((vip) => vip.regions));
  const found = config.topology.regions
    .filter((region) => members.has(region.name))
    .flatMap((region) => region.nvas.map((nva) => ({ name: nva.name, region: region.name })));
  grouped.set(config, found);
  return found;
}

/** Looks at every NVA once. */
export function viewNvas(round: Omit<Round, 'nvas'>): Map<string, NvaView> {
  const { config, snapshot, nowMs } = round;
  const nvas = groupNvas(config);
  const silent = new Map(
    nvas.filter(({ name }) => isSilent(snapshot, config, name, nowMs)).map((nva) => [nva.name, nva]),
  );
  const suspected = suspectedRegions(snapshot, config, nvas, new Set(silent.keys()));
  return new Map(
    nvas.map(({ name, region }) => {
      const evidence = snapshot.nvas[name]?.report;
      const ageMs = evidence === undefined ? Number.POSITIVE_INFINITY : nowMs - evidence.receivedAtMs;
      if (evidence !== undefined) lookAtReport(round, evidence.receivedAtMs);
      const doubt = silent.has(name) ? doubtLoss(snapshot, config, name, suspected.has(region), nowMs) : undefined;
      return [
        name,
        {
          name,
          region,
          report: evidence?.report,
          receivedAtMs: evidence?.receivedAtMs ?? 0,
          isFresh: ageMs <= STALE_PERIODS * config.reportMs,
          isLost: silent.has(name) && doubt === undefined,
          ...(doubt === undefined ? {} : { doubt }),
          sessionsUp: evidence?.report.sessions.filter((session) => session.state === 'Established').length ?? 0,
          vips: new Map(evidence?.report.vips.map((vip) => [vip.vip, vip]) ?? []),
        },
      ];
    }),
  );
}

function lookAtReport(round: Omit<Round, 'nvas'>, receivedAtMs: number): void {
  const { reportMs } = round.config;
  for (const periods of [PROBE_PERIODS, LOST_PERIODS, STALE_PERIODS]) {
    // Just after the last moment at which it still counts.
    lookAt(round as Round, receivedAtMs + Math.ceil(periods * reportMs) + (periods === STALE_PERIODS ? 1 : 0));
  }
}

/** Two periods without a report, and the agent did not answer our own question either. */
function isSilent(snapshot: Snapshot, config: EngineConfig, name: string, nowMs: number): boolean {
  const evidence = snapshot.nvas[name];
  if (evidence?.report === undefined || evidence.probe === undefined) return false;
  const { receivedAtMs } = evidence.report;
  return (
    nowMs - receivedAtMs >= LOST_PERIODS * config.reportMs &&
    evidence.probe.outcome === 'failed' &&
    evidence.probe.atMs > receivedAtMs
  );
}

/** Regions whose silence may be this seat's own deafness: its own region, or several that fell silent at once. */
function suspectedRegions(
  snapshot: Snapshot,
  config: EngineConfig,
  nvas: readonly { readonly name: string; readonly region: string }[],
  silent: ReadonlySet<string>,
): Set<string> {
  const heardAtMs = new Map<string, number>();
  for (const region of new Set(nvas.map((nva) => nva.region))) {
    const own = nvas.filter((nva) => nva.region === region);
    if (!own.every((nva) => silent.has(nva.name))) continue;
    heardAtMs.set(region, Math.max(...own.map((nva) => snapshot.nvas[nva.name]?.report?.receivedAtMs ?? 0)));
  }
  const windowMs = TOGETHER_PERIODS * config.reportMs;
  const isTogether = (region: string, atMs: number) =>
    [...heardAtMs].some(([other, otherMs]) => other !== region && Math.abs(otherMs - atMs) <= windowMs);
  return new Set(
    [...heardAtMs]
      .filter(([region, atMs]) => region === snapshot.seat.region || isTogether(region, atMs))
      .map(([r]) => r),
  );
}

/** Why this NVA's silence is not a loss, or undefined when it is one. */
function doubtLoss(
  snapshot: Snapshot,
  config: EngineConfig,
  name: string,
  isSeatSuspect: boolean,
  nowMs: number,
): string | undefined {
  const fresh = snapshot.seatViews.filter(
    (view) => view.seat !== snapshot.seat.name && nowMs - view.atMs <= STALE_PERIODS * config.reportMs,
  );
  const hearing = fresh.find((view) => nowMs - (view.heardAtMs[name] ?? 0) < LOST_PERIODS * config.reportMs);
  if (hearing !== undefined) return `seat ${hearing.seat} still hears it`;
  if (!isSeatSuspect) return undefined;
  // A seat that hears others but not this one shares our view: then it is not our own deafness.
  const agreeing = fresh.some((view) =>
    Object.values(view.heardAtMs).some((heardAtMs) => nowMs - heardAtMs < LOST_PERIODS * config.reportMs),
  );
  return agreeing ? undefined : `seat ${snapshot.seat.name} may be cut off itself`;
}
