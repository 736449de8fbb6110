// What a look reads of a report, and what it does not: a look that would read the same comes out the same.
import type { LearnedEvidence, Snapshot } from '../../functions/engine/types.ts';
import type { StoredEvidence } from '../../functions/ports.ts';
import type { ObserverReport, Report, ReportSession } from '../../shared/report.ts';

const AGES_MS = 1e9;
/** By then every change made so far has long settled, and what never ages is still to come. */
export const LATER_MS = AGES_MS / 2;

/** Reports moved into the future together with their senders' clocks: what they say stays, their ages never matter. */
export const neverAging = (nvas: Snapshot['nvas']): Snapshot['nvas'] =>
  Object.fromEntries(
    Object.entries(nvas).map(([name, { report }]) => {
      if (report === undefined) return [name, {}];
      const moved = { ...report.report, atMs: report.report.atMs + AGES_MS };
      return [name, { report: { receivedAtMs: report.receivedAtMs + AGES_MS, report: moved } }];
    }),
  );

export const reportsOf = ({ nvas }: Pick<Snapshot, 'nvas'>): StoredEvidence['reports'] =>
  Object.fromEntries(
    Object.entries(nvas).flatMap(([nva, { report }]) => (report === undefined ? [] : [[nva, report]])),
  );

/** Readings of Route Server moved likewise: what they say stays, and it was read after everything else. */
export const neverStale = (learned: Snapshot['learned']): Snapshot['learned'] =>
  Object.fromEntries(
    Object.entries(learned).map(([nva, evidence]) => [nva, { ...evidence, atMs: evidence.atMs + AGES_MS }]),
  );

/** The same routes from the same peers. */
export function holdsTheSame(before: LearnedEvidence['peers'] | undefined, now: LearnedEvidence['peers']): boolean {
  if (before === undefined) return false;
  const peers = Object.keys(now);
  return (
    Object.keys(before).length === peers.length &&
    peers.every((peer) => {
      const [known, routes] = [before[peer] ?? {}, now[peer] ?? {}];
      const prefixes = Object.keys(routes);
      return (
        Object.keys(known).length === prefixes.length &&
        prefixes.every((prefix) => known[prefix]?.join() === routes[prefix]?.join())
      );
    })
  );
}

/** Windows, latencies and penalties of agents are for people: no look reads them. */
export function readsTheSame(known: Report, report: Report): boolean {
  if (known.stopping !== report.stopping) return false;
  const areVipsTheSame =
    known.vips === report.vips ||
    report.vips.every(({ local, announced }, i) => {
      const before = known.vips[i];
      return (
        before?.local.verdict === local.verdict &&
        before.local.sinceMs === local.sinceMs &&
        before.local.detail === local.detail &&
        before.announced?.rung === announced?.rung &&
        before.announced?.prepend === announced?.prepend &&
        before.announced?.lastResort === announced?.lastResort &&
        before.announced?.sinceMs === announced?.sinceMs
      );
    });
  if (!areVipsTheSame) return false;
  return (
    known.sessions === report.sessions ||
    report.sessions.every((session, i) => {
      const before = known.sessions[i];
      return before?.state === session.state && before.sinceMs === session.sinceMs && sameRoutes(before, session);
    })
  );
}

const sameRoutes = (before: ReportSession, now: ReportSession): boolean =>
  before.routes.length === now.routes.length &&
  now.routes.every(({ prefix, asPath }, i) => {
    const route = before.routes[i];
    return route?.prefix === prefix && route.asPath.length === asPath.length;
  });

export const senderOf = (report: Report | ObserverReport): string => ('nva' in report ? report.nva : report.observer);
