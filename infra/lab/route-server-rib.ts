// The routes one Route Server instance holds from its peers, with Azure's habits: loop drop, route counting, and at most
// one change per prefix and window. Pure: time comes in, state comes out.
import { ROUTE_SERVER_ASN } from '../../shared/asn.ts';

export interface LearnedRoute {
  readonly prefix: string;
  readonly nva: string;
  readonly asPath: readonly number[];
  readonly nextHop: string;
  /** When this instance took the route over, epoch ms. */
  readonly sinceMs: number;
}

/** A route as a peer announced it. */
export interface AnnouncedRoute {
  readonly prefix: string;
  readonly asPath: readonly number[];
  readonly nextHop: string;
}

export interface RibSettings {
  /** Current routes plus those of the incoming UPDATE may not exceed this (Route Server FAQ). */
  readonly routeLimit: number;
  /** Least time between two applied changes of a prefix; 0 applies each at once. */
  readonly routeChangeMs: number;
}

interface Slot {
  /** What is applied now: the route, or null when withdrawn. */
  readonly applied: LearnedRoute | null;
  readonly changedAtMs: number;
  /** What waits for the window to close. */
  readonly waiting?: { readonly route: LearnedRoute | null };
}

/** By NVA, then prefix. */
export interface Rib {
  readonly peers: ReadonlyMap<string, ReadonlyMap<string, Slot>>;
}

export const EMPTY_RIB: Rib = { peers: new Map() };

export type UpdateOutcome =
  | { readonly type: 'applied'; readonly rib: Rib; readonly dropped: readonly string[] }
  | { readonly type: 'limit-exceeded'; readonly counted: number };

/** What a peer's UPDATE does. `dropped` names prefixes refused for a loop or a zero in the path. */
export function applyUpdate(
  rib: Rib,
  settings: RibSettings,
  nva: string,
  update: { readonly withdrawn: readonly string[]; readonly announced: readonly AnnouncedRoute[] },
  nowMs: number,
): UpdateOutcome {
  const before = rib.peers.get(nva) ?? new Map<string, Slot>();
  const current = [...before.values()].filter((slot) => newest(slot) !== null).length;
  const counted = current + update.announced.length;
  if (counted > settings.routeLimit) return { type: 'limit-exceeded', counted };
  const slots = new Map(before);
  const dropped: string[] = [];
  const put = (prefix: string, route: LearnedRoute | null) =>
    slots.set(prefix, changeSlot(slots.get(prefix), route, settings.routeChangeMs, nowMs));
  for (const prefix of update.withdrawn) if (slots.has(prefix)) put(prefix, null);
  for (const route of update.announced) {
    if (isRefused(route.asPath)) {
      dropped.push(route.prefix);
      if (slots.has(route.prefix)) put(route.prefix, null);
    } else {
      put(route.prefix, { ...route, nva, sinceMs: nowMs });
    }
  }
  return { type: 'applied', rib: withPeer(rib, nva, slots), dropped };
}

/** 65515 is Route Server's own number (a loop); a route with AS 0 is dropped too (RFC 7607). */
const isRefused = (path: readonly number[]): boolean => path.includes(ROUTE_SERVER_ASN) || path.includes(0);

const newest = (slot: Slot): LearnedRoute | null => (slot.waiting === undefined ? slot.applied : slot.waiting.route);

function changeSlot(slot: Slot | undefined, route: LearnedRoute | null, windowMs: number, nowMs: number): Slot {
  if (slot === undefined) return { applied: route, changedAtMs: nowMs };
  if (nowMs - slot.changedAtMs < windowMs) return { ...slot, waiting: { route } };
  const isSame = route !== null && slot.applied !== null && samePath(route, slot.applied);
  return isSame ? { applied: slot.applied, changedAtMs: slot.changedAtMs } : { applied: route, changedAtMs: nowMs };
}

const samePath = (a: LearnedRoute, b: LearnedRoute): boolean =>
  a.nextHop === b.nextHop && a.asPath.join() === b.asPath.join();

function withPeer(rib: Rib, nva: string, slots: ReadonlyMap<string, Slot>): Rib {
  return { peers: new Map([...rib.peers, [nva, slots]]) };
}

/** A closed session: its routes go at once, whatever the window says. */
export function dropPeer(rib: Rib, nva: string): Rib {
  return { peers: new Map([...rib.peers].filter(([name]) => name !== nva)) };
}

/** Applies what waited and whose window has closed. */
export function closeWindows(rib: Rib, settings: RibSettings, nowMs: number): Rib {
  const peers = [...rib.peers].map(([nva, slots]) => {
    const entries = [...slots].map(([prefix, slot]): [string, Slot] =>
      slot.waiting !== undefined && nowMs - slot.changedAtMs >= settings.routeChangeMs
        ? [prefix, { applied: slot.waiting.route, changedAtMs: nowMs }]
        : [prefix, slot],
    );
    return [nva, new Map(entries)] as const;
  });
  return { peers: new Map(peers) };
}

/** When the next waiting change is due, epoch ms, or undefined when none waits. */
export function nextWindowMs(rib: Rib, settings: RibSettings): number | undefined {
  const due = [...rib.peers.values()].flatMap((slots) =>
    [...slots.values()].filter((slot) => slot.waiting !== undefined).map((s) => s.changedAtMs + settings.routeChangeMs),
  );
  return due.length === 0 ? undefined : Math.min(...due);
}

/** Every route held, by prefix then NVA. */
export function learnedRoutes(rib: Rib): LearnedRoute[] {
  return [...rib.peers.values()]
    .flatMap((slots) => [...slots.values()].flatMap((slot) => (slot.applied === null ? [] : [slot.applied])))
    .sort((a, b) => (a.prefix === b.prefix ? compare(a.nva, b.nva) : compare(a.prefix, b.prefix)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
