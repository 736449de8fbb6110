// Watches the kernel of the on-premises router: every change of the vip's route with its time, so that a gap cannot hide.
import type { LabContext } from './context.ts';
import { VIP } from './plan.ts';
import type { LabProcess } from './processes.ts';

/** Changes kept; a scenario makes a handful. */
const CHANGES_MAX = 10_000;

export interface RouteChange {
  readonly atMs: number;
  /** Null: the route is gone. */
  readonly nextHop: string | null;
}

/** One line of `ip monitor route`, or undefined when it is about something else. BIRD replaces a route in one step. */
export function parseRouteChange(line: string, address: string, atMs: number): RouteChange | undefined {
  const match = /^(Deleted )?(\S+) via (\S+) /.exec(line);
  if (match?.[2] !== address) return undefined;
  return { atMs, nextHop: match[1] === undefined ? (match[3] ?? null) : null };
}

export interface RouteWatch {
  readonly process: LabProcess;
  since(fromMs: number): readonly RouteChange[];
}

export function startRouteWatch({ plan, processes }: LabContext, nowMs: () => number): RouteWatch {
  const changes: RouteChange[] = [];
  const process = processes.start({
    name: 'route-watch',
    namespace: plan.onPremises,
    argv: ['ip', '-o', 'monitor', 'route'],
    onLine: (line) => {
      const change = parseRouteChange(line, VIP.address, nowMs());
      if (change !== undefined) changes.push(change);
      if (changes.length > CHANGES_MAX) changes.shift();
    },
  });
  return { process, since: (fromMs) => changes.filter((change) => change.atMs >= fromMs) };
}
