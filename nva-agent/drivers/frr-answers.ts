// Reads the JSON that FRR answers: the state of a neighbour and the routes it is sent.
// It must never know processes or the time.
import { z } from 'zod';
import { SESSION_STATES } from '../../shared/report.ts';
import { BGP_PORT } from '../bgp/iana.ts';
import type { DaemonPeer, ExportedRoute } from './route-daemon.ts';

const neighbor = z.object({
  bgpState: z.string(),
  bgpTimerHoldTimeMsecs: z.number().optional(),
  hostForeign: z.string().optional(),
  portForeign: z.number().optional(),
});
const advertised = z.object({
  advertisedRoutes: z
    .record(z.string(), z.object({ path: z.string().default(''), metric: z.number().default(0) }))
    .optional(),
});

/** The JSON documents of several commands of one vtysh: each begins and ends with a brace in the first column. */
export function splitDocuments(output: string): unknown[] {
  return output
    .split(/^(?=\{)/m)
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)) as unknown);
}

/** A peer from `show bgp neighbors X json` and `... advertised-routes json`; undefined when FRR has no such neighbour. */
export function readPeer(
  address: string,
  shown: unknown,
  sent: unknown,
  isOurs: (prefix: string) => boolean,
): DaemonPeer | undefined {
  const found = z.record(z.string(), z.unknown()).safeParse(shown);
  const parsed = neighbor.safeParse(found.data?.[address]);
  if (!parsed.success) return undefined;
  const { bgpState, bgpTimerHoldTimeMsecs, portForeign } = parsed.data;
  const state = SESSION_STATES.find((known) => known === bgpState) ?? 'Idle';
  const isUp = state === 'Established';
  return {
    address,
    port: portForeign ?? BGP_PORT,
    state,
    holdSeconds: isUp ? Math.round((bgpTimerHoldTimeMsecs ?? 0) / 1000) : null,
    routes: isUp ? readAdvertised(sent).filter(({ prefix }) => isOurs(prefix)) : [],
  };
}

/** FRR tells no communities here, and a missing MED as 0. */
function readAdvertised(sent: unknown): ExportedRoute[] {
  const parsed = advertised.safeParse(sent);
  return Object.entries(parsed.data?.advertisedRoutes ?? {}).map(([prefix, { path, metric }]) => ({
    prefix,
    asPath: path.split(' ').filter(Boolean).map(Number),
    med: metric === 0 ? null : metric,
  }));
}
