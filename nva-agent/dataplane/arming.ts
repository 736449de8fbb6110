// Decides which vips hand their unknown packets to which NVA right now: one pure step per event.
// It must never know sockets, nftables or the clock.
//
//            arm                peer confirms              unconfirmed too long
//   (none) -------> waiting ------------------> active ---------------------------> waiting
//     ^                |  disarm, cap             |  disarm, cap
//     +----------------+--------------------------+          The peer's own arming is mirrored until it lets go.
//
// Only an end or another peer takes the element out of the kernel. While waiting it is no longer refreshed and runs out
// by itself: a moment in which one of the two agents was not scheduled costs no connection.
import type { Heartbeat, HeartbeatVip } from './heartbeat.ts';
import type { ArmedElement } from './second-chance-rules.ts';

/** Heartbeat and refresh period while anything is armed. */
export const HEARTBEAT_MS = 500;
/** Heartbeat period while nothing is: enough to say beforehand whether the tunnel works. */
export const IDLE_HEARTBEAT_MS = 5000;
/** A confirmation counts this long after the heartbeat that it confirms was sent. */
export const CONFIRMED_MS = 1500;
/** A peer that asked and has been silent this long does not ask any more; our element has run out long before. */
export const SILENT_MS = 5000;
/** Endings remembered for people. */
const ENDED_MAX = 32;

export interface ArmingPeer {
  readonly nva: string;
  readonly address: string;
  readonly innerAddress: string;
}

export interface ArmingVip {
  readonly vip: string;
  readonly address: string;
  /** Longest time from the first arming of a switch to its end. */
  readonly capMs: number;
  readonly peers: readonly string[];
}

export interface ArmingConfig {
  /** This NVA's address and a random number of this start. */
  readonly address: string;
  readonly boot: number;
  readonly peers: readonly ArmingPeer[];
  readonly vips: readonly ArmingVip[];
}

export interface Arm {
  readonly peer: string;
  readonly phase: 'waiting' | 'active';
  /** Ordered here, or mirrored from the peer. */
  readonly by: 'order' | 'peer';
  /** Since when this NVA has been armed towards that peer without a break. */
  readonly sinceMs: number;
  readonly endsMs: number;
}

/** Nothing is handed over from here: the asked NVAs mirror it and hand packets over to this one. */
export interface Ask {
  readonly peers: readonly string[];
  readonly sinceMs: number;
  readonly endsMs: number;
}

export const ENDINGS = ['disarmed', 'cap', 'peer-let-go', 'not-served'] as const;
export type Ending = (typeof ENDINGS)[number];

interface PeerView {
  readonly heard: Heartbeat | undefined;
  readonly heardMs: number;
  /** When the newest of our heartbeats that the peer says it heard was sent. */
  readonly confirmedMs: number;
  readonly sentMs: number;
  /** Which start of the peer our newest heartbeat to it said to have heard. */
  readonly toldBoot: number;
}

export interface ArmingState {
  readonly config: ArmingConfig;
  readonly peers: ReadonlyMap<string, PeerView>;
  readonly arms: ReadonlyMap<string, Arm>;
  /** Vips whose packets are asked back of several NVAs, because nobody knows which of them takes over. */
  readonly asks: ReadonlyMap<string, Ask>;
  /** Since when each `vip peer` pair has been asking: the newest switch is the one to mirror. */
  readonly askedSinceMs: ReadonlyMap<string, number>;
  /** `vip peer` pairs whose asking is not mirrored any more, until the peer has let go once. */
  readonly declined: ReadonlySet<string>;
  readonly ended: readonly {
    readonly vip: string;
    readonly peer: string;
    readonly why: Ending;
    readonly atMs: number;
  }[];
}

export type ArmingEvent =
  | { readonly type: 'arm'; readonly vip: string; readonly peer: string; readonly capMs?: number }
  | { readonly type: 'ask'; readonly vip: string; readonly peers: readonly string[] }
  | { readonly type: 'disarm'; readonly vip: string }
  | { readonly type: 'heard'; readonly heartbeat: Heartbeat }
  | { readonly type: 'reconfigured'; readonly config: ArmingConfig }
  | { readonly type: 'tick' };

export type ArmingEffect =
  | { readonly type: 'send'; readonly peer: ArmingPeer; readonly heartbeat: Heartbeat }
  | { readonly type: 'refresh'; readonly elements: readonly ArmedElement[] }
  | { readonly type: 'clear'; readonly elements: readonly ArmedElement[] };

/** Whether both sides hand over this vip's unknown packets to each other: the peer said so since it heard of this arming. */
export function isMutual(state: ArmingState, name: string): boolean {
  const standing = state.arms.get(name);
  const address = state.config.vips.find((vip) => vip.vip === name)?.address ?? '';
  if (standing?.phase !== 'active') return false;
  const view = state.peers.get(standing.peer) ?? UNSEEN;
  // What it said of an arming that has ended since is worth nothing: it is about to let go.
  return view.confirmedMs >= standing.sinceMs && vipHeard(view, address)?.isActive === true;
}

/** Whether an asked peer hands this vip's packets over to this NVA: it said so after it had heard the asking. */
export function isHandingOver(state: ArmingState, name: string, peer: string): boolean {
  const address = state.config.vips.find((vip) => vip.vip === name)?.address ?? '';
  const view = state.peers.get(peer) ?? UNSEEN;
  const askedMs = state.asks.get(name)?.sinceMs ?? Number.POSITIVE_INFINITY;
  return view.confirmedMs >= askedMs && vipHeard(view, address)?.isActive === true;
}

const NEVER = Number.NEGATIVE_INFINITY;
const UNSEEN: PeerView = { heard: undefined, heardMs: NEVER, confirmedMs: NEVER, sentMs: NEVER, toldBoot: 0 };

export const initialArming = (config: ArmingConfig): ArmingState => ({
  config,
  peers: new Map(),
  arms: new Map(),
  asks: new Map(),
  askedSinceMs: new Map(),
  declined: new Set(),
  ended: [],
});

/** Whether the peer confirmed through the tunnel, both ways and at full size, within CONFIRMED_MS. */
export const isConfirmed = (state: ArmingState, peer: string, nowMs: number): boolean =>
  nowMs - (state.peers.get(peer) ?? UNSEEN).confirmedMs <= CONFIRMED_MS;

/** Whether the tunnel to the peer was proved lately, by the slow heartbeats of idle times. */
export const isProved = (state: ArmingState, peer: string, nowMs: number): boolean =>
  nowMs - (state.peers.get(peer) ?? UNSEEN).confirmedMs <= 2.5 * IDLE_HEARTBEAT_MS;

/** What follows from one event. `nowMs` is a clock of this process that never jumps. */
export function step(
  state: ArmingState,
  event: ArmingEvent,
  nowMs: number,
): { readonly state: ArmingState; readonly effects: readonly ArmingEffect[] } {
  const taken = settle(mirror(take(state, event, nowMs), nowMs), nowMs);
  const sends = heartbeatsDue(state, taken, event, nowMs);
  const peers = new Map(taken.peers);
  for (const { peer, heartbeat } of sends) {
    peers.set(peer.nva, { ...(peers.get(peer.nva) ?? UNSEEN), sentMs: nowMs, toldBoot: heartbeat.echoBoot });
  }
  return { state: { ...taken, peers }, effects: [...ruleEffects(state, taken, event), ...sends] };
}

function take(state: ArmingState, event: ArmingEvent, nowMs: number): ArmingState {
  switch (event.type) {
    case 'arm':
      return arm(state, event, 'order', nowMs);
    case 'ask':
      return ask(state, event.vip, event.peers, nowMs);
    case 'disarm':
      return end({ ...state, asks: without(state.asks, [event.vip]) }, event.vip, 'disarmed', nowMs);
    case 'heard':
      return hear(state, event.heartbeat, nowMs);
    case 'reconfigured': {
      const known = new Set(event.config.vips.map((vip) => vip.vip));
      const gone = [...state.arms.keys(), ...state.asks.keys()].filter((vip) => !known.has(vip));
      const ended = gone.reduce((next, vip) => end(next, vip, 'not-served', nowMs), state);
      const peers = new Map([...ended.peers].filter(([nva]) => event.config.peers.some((peer) => peer.nva === nva)));
      return { ...ended, peers, asks: without(ended.asks, gone), config: event.config };
    }
    case 'tick':
      return state;
  }
}

function arm(
  state: ArmingState,
  wish: { readonly vip: string; readonly peer: string; readonly capMs?: number },
  by: Arm['by'],
  nowMs: number,
): ArmingState {
  const vip = state.config.vips.find((candidate) => candidate.vip === wish.vip);
  if (vip === undefined || !vip.peers.includes(wish.peer)) return state;
  const capMs = Math.min(wish.capMs ?? vip.capMs, vip.capMs);
  const before = state.arms.get(wish.vip);
  // Another peer is another switch, which waits for that one to confirm.
  const { phase, sinceMs } = before?.peer === wish.peer ? before : { phase: 'waiting' as const, sinceMs: nowMs };
  const arms = new Map(state.arms).set(wish.vip, { peer: wish.peer, phase, by, sinceMs, endsMs: nowMs + capMs });
  return { ...state, arms };
}

function ask(state: ArmingState, name: string, wanted: readonly string[], nowMs: number): ArmingState {
  const vip = state.config.vips.find((candidate) => candidate.vip === name);
  const peers = wanted.filter((peer) => vip?.peers.includes(peer) === true);
  if (vip === undefined || peers.length === 0) return state;
  return { ...state, asks: new Map(state.asks).set(name, { peers, sinceMs: nowMs, endsMs: nowMs + vip.capMs }) };
}

const without = (asks: ArmingState['asks'], names: readonly string[]): ArmingState['asks'] =>
  new Map([...asks].filter(([name]) => !names.includes(name)));

const isAskedOf = (state: ArmingState, peer: string): boolean =>
  [...state.asks.values()].some(({ peers }) => peers.includes(peer));

function end(state: ArmingState, vip: string, why: Ending, nowMs: number): ArmingState {
  const standing = state.arms.get(vip);
  if (standing === undefined) return state;
  const arms = new Map(state.arms);
  arms.delete(vip);
  const ended = [...state.ended, { vip, peer: standing.peer, why, atMs: nowMs }].slice(-ENDED_MAX);
  // The peer may go on asking for a while: that is the switch that has just ended, not a new one.
  const declined = why === 'peer-let-go' ? state.declined : new Set(state.declined).add(pair(vip, standing.peer));
  return { ...state, arms, ended, declined };
}

function hear(state: ArmingState, heartbeat: Heartbeat, nowMs: number): ArmingState {
  const peer = state.config.peers.find((candidate) => candidate.address === heartbeat.from);
  // Two topologies that disagree about who is who: nothing is learned, so nothing is armed.
  if (peer === undefined || heartbeat.to !== state.config.address) return state;
  const before = state.peers.get(peer.nva) ?? UNSEEN;
  const isEcho = heartbeat.echoBoot === state.config.boot && heartbeat.echoMs <= nowMs;
  const confirmedMs = isEcho ? Math.max(before.confirmedMs, heartbeat.echoMs) : before.confirmedMs;
  const peers = new Map(state.peers).set(peer.nva, { ...before, heard: heartbeat, heardMs: nowMs, confirmedMs });
  return { ...state, peers };
}

const heardLately = (view: PeerView, nowMs: number): boolean => nowMs - view.heardMs <= CONFIRMED_MS;

const vipHeard = (view: PeerView | undefined, address: string): HeartbeatVip | undefined =>
  view?.heard?.vips.find((candidate) => candidate.address === address);

const pair = (vip: string, peer: string): string => `${vip} ${peer}`;

/** Takes over what a peer has armed towards us and lets go when it does: one order to one side arms both. */
function mirror(state: ArmingState, nowMs: number): ArmingState {
  let next = state;
  for (const vip of state.config.vips) {
    const asking = vip.peers.filter((nva) => isAsking(state.peers.get(nva), vip.address, nowMs));
    next = noteAsking(next, vip, asking, nowMs);
    const { askedSinceMs, declined } = next;
    const sinceMs = (peer: string) => askedSinceMs.get(pair(vip.vip, peer)) ?? nowMs;
    const standing = next.arms.get(vip.vip);
    const wanted = asking
      .filter((peer) => !declined.has(pair(vip.vip, peer)))
      .reduce<string | undefined>(
        (best, peer) => (best === undefined || sinceMs(peer) > sinceMs(best) ? peer : best),
        undefined,
      );
    const isNewer = standing?.by === 'peer' && wanted !== standing.peer;
    if (wanted !== undefined && (standing === undefined || isNewer)) {
      next = arm(next, { vip: vip.vip, peer: wanted }, 'peer', nowMs);
    } else if (standing?.by === 'peer' && !asking.includes(standing.peer)) {
      next = end(next, vip.vip, 'peer-let-go', nowMs);
    }
  }
  return next;
}

function noteAsking(state: ArmingState, vip: ArmingVip, asking: readonly string[], nowMs: number): ArmingState {
  const declined = new Set(state.declined);
  const askedSinceMs = new Map(state.askedSinceMs);
  for (const peer of vip.peers) {
    const key = pair(vip.vip, peer);
    if (asking.includes(peer)) {
      if (!askedSinceMs.has(key)) askedSinceMs.set(key, nowMs);
      continue;
    }
    declined.delete(key);
    askedSinceMs.delete(key);
  }
  return { ...state, declined, askedSinceMs };
}

const isAsking = (view: PeerView | undefined, address: string, nowMs: number): boolean =>
  view !== undefined && nowMs - view.heardMs <= SILENT_MS && vipHeard(view, address)?.isAsked === true;

/** Caps, and phases as the peers' confirmations have it. */
function settle(state: ArmingState, nowMs: number): ArmingState {
  const overdue = [...state.arms].filter(([, standing]) => nowMs >= standing.endsMs).map(([vip]) => vip);
  const capped = overdue.reduce((next, vip) => end(next, vip, 'cap', nowMs), state);
  const arms = new Map(
    [...capped.arms].map(([name, standing]): [string, Arm] => {
      const address = capped.config.vips.find((vip) => vip.vip === name)?.address ?? '';
      const serves = vipHeard(capped.peers.get(standing.peer), address) !== undefined;
      const isActive = serves && isConfirmed(capped, standing.peer, nowMs);
      return [name, { ...standing, phase: isActive ? 'active' : 'waiting' }];
    }),
  );
  const over = [...capped.asks].filter(([, { endsMs }]) => nowMs >= endsMs).map(([vip]) => vip);
  return { ...capped, arms, asks: without(capped.asks, over) };
}

function heartbeatsDue(
  before: ArmingState,
  state: ArmingState,
  event: ArmingEvent,
  nowMs: number,
): Extract<ArmingEffect, { type: 'send' }>[] {
  return state.config.peers
    .filter((peer) => isDue(state, peer, event, nowMs) || isNews(before, state, peer))
    .map((peer) => ({ type: 'send', peer, heartbeat: heartbeatTo(state, peer, nowMs) }));
}

/** What this peer wants to know at once: a vip became active towards it, for which a switch may wait, or it is over. */
function isNews(before: ArmingState, after: ArmingState, peer: ArmingPeer): boolean {
  const isActive = (arm: Arm | undefined) => arm?.peer === peer.nva && arm.phase === 'active';
  const hasBegun = [...after.arms].some(([vip, arm]) => isActive(arm) && !isActive(before.arms.get(vip)));
  const isOver = [...before.arms].some(([vip, arm]) => arm.peer === peer.nva && after.arms.get(vip)?.peer !== peer.nva);
  return hasBegun || isOver || (isAskedOf(before, peer.nva) && !isAskedOf(after, peer.nva));
}

function isDue(state: ArmingState, peer: ArmingPeer, event: ArmingEvent, nowMs: number): boolean {
  const view = state.peers.get(peer.nva) ?? UNSEEN;
  const isArmed = [...state.arms.values()].some((standing) => standing.peer === peer.nva);
  if (event.type === 'arm') return isArmed && event.peer === peer.nva;
  if (event.type === 'ask') return isAskedOf(state, peer.nva);
  if (event.type === 'heard') {
    if (event.heartbeat.from !== peer.address) return false;
    // A start of the peer that is new to us is answered at once, so that the tunnel is proved before anything needs it.
    if (view.heard !== undefined && view.heard.boot !== view.toldBoot) return true;
    // Answer at once a peer that is armed and does not know yet that it is heard; it then knows, so this ends.
    const isAsking = event.heartbeat.vips.some((vip) => vip.isAsked);
    const knowsUs = event.heartbeat.echoBoot === state.config.boot && nowMs - event.heartbeat.echoMs <= CONFIRMED_MS;
    return isAsking && !knowsUs && nowMs - view.sentMs >= HEARTBEAT_MS / 10;
  }
  if (event.type !== 'tick') return false;
  const isWanted =
    isArmed ||
    isAskedOf(state, peer.nva) ||
    (heardLately(view, nowMs) && view.heard?.vips.some((vip) => vip.isAsked) === true);
  // A tick may come a little early; half a period of slack keeps the rhythm.
  return nowMs - view.sentMs >= (isWanted ? HEARTBEAT_MS / 2 : IDLE_HEARTBEAT_MS - HEARTBEAT_MS / 2);
}

function heartbeatTo(state: ArmingState, peer: ArmingPeer, nowMs: number): Heartbeat {
  const heard = state.peers.get(peer.nva)?.heard;
  return {
    from: state.config.address,
    to: peer.address,
    boot: state.config.boot,
    sentMs: nowMs,
    echoBoot: heard?.boot ?? 0,
    echoMs: heard?.sentMs ?? 0,
    vips: state.config.vips
      .filter((vip) => vip.peers.includes(peer.nva))
      .map((vip) => {
        const standing = state.arms.get(vip.vip);
        // Only what was ordered here is asked of the peer: two mirrors would keep each other armed for ever.
        const isTowards = standing?.peer === peer.nva;
        return {
          address: vip.address,
          isAsked: (isTowards && standing.by === 'order') || state.asks.get(vip.vip)?.peers.includes(peer.nva) === true,
          isActive: isTowards && standing.phase === 'active',
        };
      }),
  };
}

function elementsOf(state: ArmingState, arms: Iterable<readonly [string, Arm]>): Map<string, ArmedElement> {
  return new Map(
    [...arms].flatMap(([name, standing]) => {
      const vip = state.config.vips.find((candidate) => candidate.vip === name);
      const peer = state.config.peers.find((candidate) => candidate.nva === standing.peer);
      return vip === undefined || peer === undefined
        ? []
        : [[name, { address: vip.address, innerAddress: peer.innerAddress }]];
    }),
  );
}

const activeOf = (state: ArmingState): Map<string, ArmedElement> =>
  elementsOf(
    state,
    [...state.arms].filter(([, standing]) => standing.phase === 'active'),
  );

function ruleEffects(before: ArmingState, after: ArmingState, event: ArmingEvent): ArmingEffect[] {
  const was = activeOf(before);
  const is = activeOf(after);
  // One that waits may still have an element that runs out; the kernel refuses to give it another owner.
  const isOver = (vip: string) => after.arms.get(vip)?.peer !== before.arms.get(vip)?.peer;
  const ended = [...elementsOf(before, before.arms)].filter(([vip]) => isOver(vip));
  const begun = [...is].filter(([vip, element]) => was.get(vip)?.innerAddress !== element.innerAddress);
  const refreshed = event.type === 'tick' ? [...is.values()] : begun.map(([, element]) => element);
  return [
    ...(ended.length === 0 ? [] : [{ type: 'clear' as const, elements: ended.map(([, element]) => element) }]),
    ...(refreshed.length === 0 ? [] : [{ type: 'refresh' as const, elements: refreshed }]),
  ];
}
