// Drift: an agent or Route Server that, long after the last change, differs from what stands in the policy. Pure.
import type { ReportSession } from '../shared/report.ts';
import { compareSequence } from '../shared/vocabulary.ts';
import { nvasOf } from './deployment.ts';
import { compileOrders } from './engine/orders.ts';
import type { EngineConfig } from './engine/types.ts';
import type { Ledger } from './ledger.ts';
import { expectedPath } from './prove.ts';
import type { Sight } from './snapshot.ts';

export interface Drift {
  readonly vip: string;
  readonly region: string;
  readonly nva: string;
  /** Route Server instance, as the topology names it. */
  readonly peer: string;
  /** `session` tells the peer something else; `route-server` holds something else. */
  readonly where: 'session' | 'route-server';
  readonly detail: string;
}

/** A change may take two windows of Route Server to arrive; before that a difference is no drift. */
const WINDOWS = 2;
/** Differences remembered; more than that is one condition with many faces. */
const DRIFTS_MAX = 500;

/** Differences that cannot be explained by a change still on its way. Silent or lagging agents are not judged. */
export function findDrift(ledger: Ledger, sight: Sight, config: EngineConfig, nowMs: number): Drift[] {
  const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  const orders = compileOrders(ledger.policy, config, newest, nowMs);
  const settleMs = WINDOWS * Math.max(config.routeChangeMs, config.reportMs);
  return nvasOf(config).flatMap(({ region, nva }) => {
    const heard = sight.evidence.reports[nva.name];
    const isFresh = heard !== undefined && nowMs - heard.receivedAtMs <= 3 * config.reportMs;
    if (!isFresh || compareSequence(heard.report.order, newest) < 0) return [];
    const learned = sight.proofs.learned[nva.name];
    return (orders[nva.name]?.vips ?? []).flatMap((row): Drift[] => {
      const announced = heard.report.vips.find((vip) => vip.vip === row.vip)?.announced;
      // The agent's own reflex is a change too; its clock tells how long ago, within its own report.
      const reflexAgeMs = announced == null ? 0 : heard.report.atMs - announced.sinceMs;
      const changedAtMs = ledger.policy.vips[row.vip]?.changedAtMs ?? nowMs;
      const expected = expectedPath(nva, row, heard.report);
      if (expected === undefined || nowMs - changedAtMs < settleMs || reflexAgeMs < settleMs) return [];
      const wanted = expected === 'withheld' ? [] : expected;
      const isWanted = (path: readonly number[]) =>
        path.length === wanted.length && path.every((asn, i) => asn === wanted[i]);
      const sessions = heard.report.sessions.filter((session) => session.state === 'Established');
      const tells = ({ routes }: ReportSession) =>
        isWanted(routes.find((route) => route.prefix === row.prefix)?.asPath ?? []);
      const found = (where: Drift['where'], peer: string, path: readonly number[] = []): Drift[] => {
        if (isWanted(path)) return [];
        const isTold = where === 'route-server' && sessions.some((one) => one.peer === peer && tells(one));
        const why = isTold ? '; nothing to repair by order, its session tells it what is ordered' : '';
        const detail = `${peer} has ${path.join(' ') || 'nothing'}, ordered ${wanted.join(' ') || 'nothing'}${why}`;
        return [{ vip: row.vip, region: region.name, nva: nva.name, peer, where, detail }];
      };
      const isRead =
        learned !== undefined &&
        learned.atMs - changedAtMs >= settleMs &&
        nowMs - learned.atMs < settleMs + reflexAgeMs;
      return [
        ...sessions.flatMap(({ peer, routes }) =>
          found('session', peer, routes.find((route) => route.prefix === row.prefix)?.asPath),
        ),
        ...(isRead
          ? Object.entries(learned.peers).flatMap(([peer, routes]) => found('route-server', peer, routes[row.prefix]))
          : []),
      ];
    });
  });
}

export const driftKey = (drift: Drift): string => `drift|${drift.where}|${drift.nva}|${drift.peer}|${drift.vip}`;

export interface Repair {
  /** Differences because of which orders are given anew, now. */
  readonly drifts: readonly Drift[];
  /** What is to be remembered; the same object when nothing is new. */
  readonly states: Ledger['drift'];
}

/**
 * A session that differs on two ticks has the whole order given anew, which every NVA must acknowledge; once per budget
 * window. Where Route Server alone differs there is nothing to order: its session was told already what it should hold.
 * What stands after that needs a person: it stays an alert in the status.
 */
export function followDrift(
  known: Ledger['drift'],
  drifts: readonly Drift[],
  config: EngineConfig,
  nowMs: number,
  mayAct: boolean,
): Repair {
  const tickMs = config.topology.timing.tickSeconds * 1000;
  const windowMs = config.guards.windowSeconds * 1000;
  const isRecent = (repairedAtMs: number | null) => repairedAtMs !== null && nowMs - repairedAtMs < windowMs;
  const seen = drifts.slice(0, DRIFTS_MAX);
  const due = seen.filter((drift) => {
    const state = known[driftKey(drift)];
    return (
      mayAct &&
      drift.where === 'session' &&
      state !== undefined &&
      nowMs - state.sinceMs >= tickMs &&
      !isRecent(state.repairedAtMs)
    );
  });
  const present = seen.map((drift): [string, Ledger['drift'][string]] => {
    const state = known[driftKey(drift)] ?? { sinceMs: nowMs, repairedAtMs: null };
    return [driftKey(drift), due.includes(drift) ? { ...state, repairedAtMs: nowMs } : state];
  });
  // Gone for now, perhaps only until the new order is acknowledged: its repair still counts.
  const resting = Object.entries(known).filter(([, state]) => isRecent(state.repairedAtMs));
  const states = Object.fromEntries([...resting, ...present]);
  const isSame =
    Object.keys(states).length === Object.keys(known).length &&
    Object.entries(states).every(([key, state]) => known[key] === state);
  return { drifts: due, states: isSame ? known : states };
}
