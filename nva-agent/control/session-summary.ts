// What the BGP sessions amount to together: how many are up, and whether every peer was told the same.
import type { ReportSession } from '../../shared/report.ts';

/** One session down of several is no failure: the other instance of Route Server has every route. */
export type BgpState = 'up' | 'degraded' | 'down';

export interface SessionSummary {
  readonly state: BgpState;
  /** Prefixes that the peers of the sessions that are up were told differently, or only some of them. Empty as it should be. */
  readonly differing: readonly string[];
}

export function summariseSessions(sessions: readonly ReportSession[]): SessionSummary {
  const up = sessions.filter((session) => session.state === 'Established');
  const state = up.length === sessions.length ? 'up' : 'degraded';
  return { state: up.length === 0 ? 'down' : state, differing: differingPrefixes(up) };
}

function differingPrefixes(sessions: readonly ReportSession[]): string[] {
  const told = sessions.map(({ routes }) => new Map(routes.map((route) => [route.prefix, JSON.stringify(route)])));
  const prefixes = new Set(told.flatMap((routes) => [...routes.keys()]));
  return [...prefixes].filter((prefix) => new Set(told.map((routes) => routes.get(prefix))).size > 1).sort();
}
