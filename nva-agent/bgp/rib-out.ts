// Adj-RIB-Out: the whole desired set in, the UPDATEs between it and what was sent out.
// It must never know sockets or time; what was sent and what is wanted are arguments.
//
//   sent     desired       goes out
//   -------  ------------  ------------------------------------------------------------
//   -        route         announce
//   route    same route    nothing, unless a refresh asks for it
//   route    other route   announce: ONE replacing UPDATE, never withdraw and announce
//   route    -             withdraw
import { parseCommunity } from './attribute-values.ts';
import { attributeOctets } from './attributes-out.ts';
import { parseAddress } from './bytes.ts';
import { MESSAGE_BYTES_MAX } from './iana.ts';
import type { PathAttributes, Route, UpdateMessage } from './messages.ts';
import { parsePrefix } from './nlri.ts';
import { UPDATE_FIXED_BYTES } from './update.ts';

/** Azure Route Server counts current routes + routes in the UPDATE against this and drops the session beyond it. */
export const PEER_ROUTE_LIMIT = 4000;

/** Azure drops routes with these in the path: nobody, Microsoft's edge, Route Server itself. */
export const FORBIDDEN_ASNS: readonly number[] = [0, 12076, 65515];

/** RFC 4271 section 4.3 leaves one octet for a segment; longer paths are a configuration error long before that. */
export const AS_PATH_LENGTH_MAX = 255;

const UINT32_MAX = 0xffffffff;

export interface RouteRules {
  readonly localAsn: number;
  readonly forbiddenAsns: readonly number[];
  readonly peerRouteLimit: number;
}

/** Every problem of a desired set, each naming its prefix; empty if it may be sent. */
export function checkRoutes(routes: readonly Route[], rules: RouteRules): string[] {
  const problems = routes.flatMap((route) => checkRoute(route, rules).map((problem) => `${route.prefix}: ${problem}`));
  for (const prefix of duplicates(routes)) problems.push(`${prefix}: given more than once`);
  // One place is kept free: a full table could not replace a single route within the limit.
  if (routes.length >= rules.peerRouteLimit) {
    problems.push(
      `${routes.length} routes: the peer's limit is ${rules.peerRouteLimit}, and a replacement counts as one more`,
    );
  }
  return problems;
}

function duplicates(routes: readonly Route[]): Set<string> {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const { prefix } of routes) (seen.has(prefix) ? again : seen).add(prefix);
  return again;
}

function checkRoute(route: Route, rules: RouteRules): string[] {
  const { asPath } = route;
  const problems: string[] = [];
  if (parsePrefix(route.prefix) === undefined) problems.push('not an IPv4 prefix without host bits');
  if (!isHostAddress(route.nextHop)) problems.push(`next hop ${route.nextHop} is not a host address`);
  if (asPath[0] !== rules.localAsn) problems.push(`AS path must start with ${rules.localAsn}`);
  if (asPath.length > AS_PATH_LENGTH_MAX) problems.push(`AS path longer than ${AS_PATH_LENGTH_MAX}`);
  for (const asn of new Set(asPath)) {
    if (!isUint32(asn)) problems.push(`${asn} is not an ASN`);
    if (rules.forbiddenAsns.includes(asn)) problems.push(`AS ${asn} may not stand in a path`);
  }
  for (const [name, value] of [
    ['MED', route.med],
    ['local preference', route.localPref],
  ] as const) {
    if (value !== undefined && !isUint32(value)) problems.push(`${name} ${value} is not an unsigned 32-bit number`);
  }
  return [...problems, ...checkCommunities(route)];
}

function checkCommunities(route: Route): string[] {
  return [
    ...(route.communities ?? []).filter((text) => parseCommunity(text, 2, 0xffff) === undefined),
    ...(route.largeCommunities ?? []).filter((text) => parseCommunity(text, 3, UINT32_MAX) === undefined),
  ].map((text) => `${text} is not a community`);
}

function isHostAddress(text: string): boolean {
  const first = parseAddress(text)?.[0];
  return first !== undefined && first > 0 && first < 224;
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= UINT32_MAX;
}

/** `sent` is what the peer holds from us, `resend` the prefixes that a refresh or a new session wants again. */
export interface RibView {
  readonly sent: ReadonlyMap<string, Route>;
  readonly desired: ReadonlyMap<string, Route>;
  readonly resend: ReadonlySet<string>;
  readonly peerRouteLimit: number;
  readonly as4: boolean;
}

/** One UPDATE to send, and the routes it announces, to be remembered as sent. */
export interface PlannedUpdate {
  readonly update: UpdateMessage;
  readonly routes: readonly Route[];
}

/**
 * The UPDATEs that bring the peer from `sent` to `desired`: withdrawals first (they make room), then one group of
 * UPDATEs per set of equal attributes, each at most 4096 octets and with current + batch within the peer's limit.
 */
export function planUpdates(rib: RibView): PlannedUpdate[] {
  const withdrawn = [...rib.sent.keys()].filter((prefix) => !rib.desired.has(prefix));
  const changed = [...rib.desired.values()].filter((route) => isDue(rib, route));
  const planned = packPrefixes(withdrawn, MESSAGE_BYTES_MAX - UPDATE_FIXED_BYTES, Infinity).map(withdrawal);
  const held = new Set([...rib.sent.keys()].filter((prefix) => rib.desired.has(prefix)));
  for (const group of groupByAttributes(changed)) planned.push(...announceGroup(group, held, rib));
  return planned;
}

function isDue(rib: RibView, route: Route): boolean {
  const sent = rib.sent.get(route.prefix);
  return sent === undefined || rib.resend.has(route.prefix) || !haveEqualAttributes(sent, route);
}

function withdrawal(withdrawn: string[]): PlannedUpdate {
  return { update: { type: 'update', withdrawn, announced: [] }, routes: [] };
}

/** Announces routes of equal attributes; `held` grows with what the peer will count as current. */
function announceGroup(group: readonly Route[], held: Set<string>, rib: RibView): PlannedUpdate[] {
  const [first] = group;
  if (first === undefined) return [];
  const attributes = routeAttributes(first);
  const room = MESSAGE_BYTES_MAX - UPDATE_FIXED_BYTES - attributeOctets(attributes, rib.as4).length;
  const planned: PlannedUpdate[] = [];
  let at = 0;
  while (at < group.length) {
    const batchMax = Math.max(1, rib.peerRouteLimit - held.size);
    const count = countFitting(group, at, room, batchMax);
    const routes = group.slice(at, at + count);
    const announced = routes.map((route) => route.prefix);
    planned.push({ update: { type: 'update', withdrawn: [], announced, ...attributes }, routes });
    for (const prefix of announced) held.add(prefix);
    at += count;
  }
  return planned;
}

function countFitting(group: readonly Route[], at: number, room: number, countMax: number): number {
  let count = 0;
  let bytes = 0;
  for (const route of group.slice(at, at + Math.min(countMax, room))) {
    bytes += prefixBytes(route.prefix);
    if (bytes > room) break;
    count += 1;
  }
  return Math.max(1, count);
}

function packPrefixes(prefixes: readonly string[], room: number, countMax: number): string[][] {
  const batches: string[][] = [];
  let batch: string[] = [];
  let bytes = 0;
  for (const prefix of prefixes) {
    if (bytes + prefixBytes(prefix) > room || batch.length >= countMax) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(prefix);
    bytes += prefixBytes(prefix);
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/** Octets of a prefix as NLRI. */
function prefixBytes(prefix: string): number {
  return 1 + ((Number(prefix.slice(prefix.indexOf('/') + 1)) + 7) >>> 3);
}

function groupByAttributes(routes: readonly Route[]): Route[][] {
  const groups = new Map<string, Route[]>();
  for (const route of routes) {
    const key = attributesKey(route);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [route]);
    else group.push(route);
  }
  return [...groups.values()];
}

function haveEqualAttributes(a: Route, b: Route): boolean {
  return a === b || attributesKey(a) === attributesKey(b);
}

/** Equal for routes that differ in nothing but their prefix. */
function attributesKey(route: Route): string {
  const { asPath, nextHop, med, localPref, communities = [], largeCommunities = [] } = route;
  return JSON.stringify([asPath, nextHop, med ?? null, localPref ?? null, communities, largeCommunities]);
}

/** The attributes of an originated route: ORIGIN is IGP (RFC 4271 section 5.1.1: interior to the originating AS). */
export function routeAttributes(route: Route): PathAttributes {
  const { prefix: _prefix, ...attributes } = route;
  return { origin: 'igp', ...attributes };
}

/** When a route that changed at `lastChangeMs` may change again: Azure applies about one change per prefix and window. */
export function nextSendMs(lastChangeMs: number | undefined, windowMs: number, nowMs: number): number {
  return lastChangeMs === undefined ? nowMs : Math.max(nowMs, lastChangeMs + windowMs);
}
