// Whether what a daemon says it exports is what was wanted; and how long to wait before trying again.
// It must never know the daemon, nor the time.
import type { Route } from '../bgp/messages.ts';
import type { DaemonPeer, ExportedRoute } from './route-daemon.ts';

const BACKOFF_MS_FIRST = 100;
const BACKOFF_MS_MAX = 5000;

/** Pause before the attempt after this many failures in a row: doubled each time, at most five seconds. */
export const backoffMs = (failures: number): number =>
  Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** Math.min(failures - 1, 16));

/** Every difference between the desired set and what an Established peer is sent, for people; empty when there is none. */
export function differences(desired: readonly Route[], peer: DaemonPeer): string[] {
  const exported = new Map(peer.routes.map((route) => [route.prefix, route]));
  const wrong = desired.flatMap((route) => {
    const found = exported.get(route.prefix);
    if (found === undefined) return [`${route.prefix} is not sent to ${peer.address}`];
    return isSame(route, found) ? [] : [`${route.prefix} is sent to ${peer.address} with other attributes`];
  });
  const wanted = new Set(desired.map(({ prefix }) => prefix));
  const extra = [...exported.keys()].filter((prefix) => !wanted.has(prefix));
  return [...wrong, ...extra.map((prefix) => `${prefix} is still sent to ${peer.address}`)];
}

/** The first ASN of a desired path is the speaker's own, which the daemon adds by itself. */
function isSame(wanted: Route, found: ExportedRoute): boolean {
  const path = wanted.asPath.slice(1);
  return (
    path.length === found.asPath.length &&
    path.every((asn, i) => asn === found.asPath[i]) &&
    // A missing MED counts as 0 (RFC 4271 section 9.1.2.2).
    (wanted.med ?? 0) === (found.med ?? 0) &&
    (found.communities === undefined || sameSet(wanted.communities ?? [], found.communities))
  );
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().join(' ') === [...b].sort().join(' ');
