// What a look reads of a report, and what it does not: a look that would read the same comes out the same.
import type { Snapshot } from '../../functions/engine/types.ts';
import type { ObserverReport, Report, ReportSession } from '../../shared/report.ts';

const AGES_MS = 1e9;

/** Reports moved into the future together with their senders' clocks: what they say stays, their ages never matter. */
export const neverAging = (nvas: Snapshot['nvas']): Snapshot['nvas'] =>
  Object.fromEntries(
    Object.entries(nvas).map(([name, { report }]) => {
      if (report === undefined) return [name, {}];
      const moved = { ...report.report, atMs: report.report.atMs + AGES_MS };
      return [name, { report: { receivedAtMs: report.receivedAtMs + AGES_MS, report: moved } }];
    }),
  );

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
