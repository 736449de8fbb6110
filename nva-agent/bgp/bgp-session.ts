// The session behind session.ts: up to two connections, of which one survives, and the Adj-RIB-Out of that one.
// Shell: it joins peering.ts (sockets, state machines), collision.ts and rib-out.ts.
import type { Socket } from 'node:net';
import { addressOctets, readUint32 } from './bytes.ts';
import { encodeMessage } from './codec.ts';
import { resolveCollision } from './collision.ts';
import { SESSION_STATES, type SessionState } from './fsm-table.ts';
import { AFI_IPV4, BGP_PORT, CEASE, errorName, REFRESH, SAFI_UNICAST } from './iana.ts';
import type { ProtocolError, Route, RouteRefreshMessage, UpdateMessage } from './messages.ts';
import type { Negotiated } from './negotiation.ts';
import { cease, notificationOf, shutdownText } from './notification.ts';
import { Peering, type PeeringOwner } from './peering.ts';
import { checkRoutes, FORBIDDEN_ASNS, PEER_ROUTE_LIMIT, type PlannedUpdate, planUpdates } from './rib-out.ts';
import type { Session, SessionOptions, SessionStatus, SetResult } from './session.ts';

/** UPDATEs wait in the desired set, not in memory, once this many octets are queued for a slow reader. */
export const WRITE_QUEUE_BYTES_MAX = 256 * 1024;

/** Repeated withdrawals of one UPDATE: 500 prefixes of at most 5 octets fit into 4096. */
const WITHDRAWN_AGAIN_MAX = 500;

const DEFAULTS = { holdSeconds: 30, connectRetryMs: 5000, idleHoldBaseMs: 1000, idleHoldMaxMs: 30_000 } as const;
const END_OF_RIB: UpdateMessage = { type: 'update', withdrawn: [], announced: [] };
const HOLD_SECONDS_MAX = 65535;

/** Refuses a connection that belongs to no session: Cease, Connection Rejected (RFC 4486). */
export function rejectConnection(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.end(encodeMessage(notificationOf(cease(CEASE.CONNECTION_REJECTED)), { as4: true }), () => socket.destroy());
}

export class BgpSession implements Session, PeeringOwner {
  readonly #options: SessionOptions;
  readonly #own: Peering;
  #incoming: Peering | undefined;
  #isStopped = true;
  #lastState: SessionState = 'Idle';
  #desired: ReadonlyMap<string, Route> = new Map();
  readonly #sent = new Map<string, Route>();
  readonly #resend = new Set<string>();
  #plan: PlannedUpdate[] | undefined;
  #marks = { beginRefresh: false, endRefresh: false, endOfRib: false };
  #updatesIn = 0;
  #updatesOut = 0;
  #establishedCount = 0;
  #lastNotification: SessionStatus['lastNotification'];

  constructor(options: SessionOptions) {
    checkOptions(options);
    this.#options = options;
    this.#own = this.#createPeering('outgoing');
  }

  get peerAddress(): string {
    return this.#options.peerAddress;
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    const isPassive = this.#options.passive === true;
    // The peer's first connection or ours may not reach the caller before it holds the session.
    queueMicrotask(() => {
      if (this.#isStopped) return;
      this.#own.dispatch({ type: isPassive ? 'ManualStart_with_PassiveTcpEstablishment' : 'ManualStart' });
    });
  }

  set(routes: readonly Route[]): SetResult {
    const { localAsn, forbiddenAsns = FORBIDDEN_ASNS, peerRouteLimit = PEER_ROUTE_LIMIT } = this.#options;
    const problems = checkRoutes(routes, { localAsn, forbiddenAsns, peerRouteLimit });
    if (problems.length > 0) return { ok: false, problems };
    this.#desired = new Map(routes.map((route) => [route.prefix, route]));
    this.#plan = undefined;
    this.#flush();
    return { ok: true };
  }

  resend(prefixes: readonly string[]): void {
    const peering = this.#established();
    if (peering === undefined) return;
    for (const prefix of prefixes) if (this.#desired.has(prefix)) this.#resend.add(prefix);
    this.#plan = undefined;
    const gone = prefixes.filter((prefix) => !this.#desired.has(prefix));
    for (let at = 0; at < gone.length; at += WITHDRAWN_AGAIN_MAX) {
      const withdrawn = gone.slice(at, at + WITHDRAWN_AGAIN_MAX);
      this.#sendPlanned(peering, { update: { type: 'update', withdrawn, announced: [] }, routes: [] });
    }
    this.#flush();
  }

  async stop(subcode: number = CEASE.ADMINISTRATIVE_SHUTDOWN, text = ''): Promise<void> {
    this.#isStopped = true;
    const peerings = this.#peerings();
    for (const peering of peerings) peering.dispatch({ type: 'ManualStop', error: cease(subcode, text) });
    await Promise.all(peerings.map((peering) => peering.closed()));
  }

  accept(socket: Socket): void {
    if (this.#isStopped) {
      rejectConnection(socket);
      return;
    }
    // A peer that opens again has given up its last attempt; one that is Established is left to collision detection.
    if (this.#incoming !== undefined && this.#incoming.state !== 'Established') {
      this.#incoming.dispatch({ type: 'OpenCollisionDump' });
    }
    if (this.#incoming !== undefined) {
      rejectConnection(socket);
      return;
    }
    this.#incoming = this.#createPeering('incoming');
    this.#incoming.accept(socket);
  }

  state(): SessionState {
    return this.#leading().state;
  }

  status(): SessionStatus {
    const leading = this.#leading();
    const { negotiated } = leading;
    return {
      state: leading.state,
      connectRetryCounter: this.#own.connectRetryCounter,
      routesDesired: this.#desired.size,
      routesSent: this.#sent.size,
      isSynced: this.#isSynced(),
      queuedBytes: leading.queuedBytes,
      updatesIn: this.#updatesIn,
      updatesOut: this.#updatesOut,
      establishedCount: this.#establishedCount,
      ...(negotiated === undefined ? {} : { negotiated }),
      ...(this.#lastNotification === undefined ? {} : { lastNotification: this.#lastNotification }),
    };
  }

  adjRibOut(): Route[] {
    return [...this.#sent.values()];
  }

  requestRefresh(): boolean {
    const peering = this.#established();
    if (peering?.negotiated?.routeRefresh !== true) return false;
    peering.send({ type: 'route-refresh', afi: AFI_IPV4, safi: SAFI_UNICAST, subtype: REFRESH.REQUEST });
    return true;
  }

  stateChanged(peering: Peering, previous: SessionState): void {
    if (previous === 'Established') this.#sent.clear();
    if (peering === this.#incoming && !peering.hasSocket) {
      peering.retire();
      this.#incoming = undefined;
    }
    const { state } = this.#leading();
    if (state === this.#lastState) return;
    const last = this.#lastState;
    this.#lastState = state;
    this.#options.onEvent({ type: 'state', state, previous: last });
    if (state === 'Established') this.#flush();
  }

  openReceived(peering: Peering, negotiated: Negotiated): boolean {
    const other = this.#peerings().find((candidate) => candidate !== peering && isNegotiated(candidate));
    if (other === undefined) return true;
    const { localAsn, peerAsn, routerId } = this.#options;
    const verdict = resolveCollision({
      localId: idOf(routerId),
      peerId: idOf(negotiated.peerRouterId),
      localAsn,
      peerAsn,
      isExistingEstablished: other.state === 'Established',
      isNewFromPeer: peering.direction === 'incoming',
    });
    if (verdict === 'close-existing') other.dispatch({ type: 'OpenCollisionDump' });
    return verdict === 'close-existing';
  }

  established(): void {
    this.#establishedCount += 1;
    this.#sent.clear();
    this.#resend.clear();
    this.#plan = undefined;
    this.#marks = { beginRefresh: false, endRefresh: false, endOfRib: true };
  }

  updateReceived(update: UpdateMessage): void {
    this.#updatesIn += 1;
    this.#options.onEvent({ type: 'update', update });
  }

  refreshReceived(peering: Peering, refresh: RouteRefreshMessage): void {
    this.#options.onEvent({ type: 'route-refresh', refresh });
    const isOurs = refresh.afi === AFI_IPV4 && refresh.safi === SAFI_UNICAST && refresh.subtype === REFRESH.REQUEST;
    if (!isOurs) return;
    for (const prefix of this.#desired.keys()) this.#resend.add(prefix);
    this.#plan = undefined;
    const isEnhanced = peering.negotiated?.enhancedRouteRefresh === true;
    this.#marks = { ...this.#marks, beginRefresh: isEnhanced, endRefresh: isEnhanced };
    this.#flush();
  }

  notified(direction: 'in' | 'out', error: ProtocolError): void {
    const { code, subcode } = error;
    const text = shutdownText(error);
    const notification = {
      direction,
      code,
      subcode,
      name: errorName(code, subcode),
      ...(text === undefined ? {} : { text }),
    };
    this.#lastNotification = notification;
    this.#options.onEvent({ type: 'notification', ...notification });
  }

  connectionFailed(reason: string): void {
    this.#options.onEvent({ type: 'connection-failed', reason });
  }

  queueMoved(): void {
    this.#flush();
  }

  mayDial(): boolean {
    return !this.#isStopped && (this.#incoming === undefined || !isNegotiated(this.#incoming));
  }

  #createPeering(direction: 'outgoing' | 'incoming'): Peering {
    const { options, owner } = { options: { ...DEFAULTS, ...withoutUndefined(this.#options) }, owner: this };
    const { holdSeconds, connectRetryMs, idleHoldBaseMs, idleHoldMaxMs, peerAddress, peerAsn } = options;
    return new Peering({
      direction,
      fsm: { isPassive: options.passive === true, holdSeconds, connectRetryMs, idleHoldBaseMs, idleHoldMaxMs },
      local: { localAsn: options.localAsn, routerId: options.routerId, holdSeconds },
      peerAsn,
      peerAddress,
      peerPort: options.peerPort ?? BGP_PORT,
      localAddress: options.localAddress,
      owner,
    });
  }

  #peerings(): Peering[] {
    return this.#incoming === undefined ? [this.#own] : [this.#own, this.#incoming];
  }

  #leading(): Peering {
    const incoming = this.#incoming;
    return incoming !== undefined && rank(incoming) > rank(this.#own) ? incoming : this.#own;
  }

  #established(): Peering | undefined {
    const leading = this.#leading();
    return leading.state === 'Established' ? leading : undefined;
  }

  /** Without a plan something changed that has not been looked at: the write queue was full. */
  #isSynced(): boolean {
    const { beginRefresh, endRefresh, endOfRib } = this.#marks;
    const isSent = this.#established() !== undefined && this.#plan?.length === 0;
    return isSent && !beginRefresh && !endRefresh && !endOfRib;
  }

  #planNow(as4: boolean): PlannedUpdate[] {
    const { peerRouteLimit = PEER_ROUTE_LIMIT } = this.#options;
    return planUpdates({ sent: this.#sent, desired: this.#desired, resend: this.#resend, peerRouteLimit, as4 });
  }

  /** Hands UPDATEs to the socket until peer and desired set agree, or the write queue is full; `drain` comes back here. */
  #flush(): void {
    const peering = this.#established();
    // While a slow reader lets the queue stand, planning would be thrown away by the next change.
    if (peering === undefined || !hasRoom(peering)) return;
    if (this.#marks.beginRefresh) {
      this.#marks.beginRefresh = false;
      peering.send(refreshMark(REFRESH.BEGIN));
    }
    // The first planned UPDATE is taken from the end.
    this.#plan ??= this.#planNow(peering.negotiated?.as4 ?? true).reverse();
    while (hasRoom(peering)) {
      const planned = this.#plan?.pop();
      if (planned === undefined) break;
      this.#sendPlanned(peering, planned);
    }
    if (this.#plan?.length === 0 && hasRoom(peering)) this.#sendEndMarks(peering);
  }

  #sendPlanned(peering: Peering, { update, routes }: PlannedUpdate): void {
    peering.send(update);
    this.#updatesOut += 1;
    for (const prefix of update.withdrawn) this.#sent.delete(prefix);
    for (const route of routes) {
      this.#sent.set(route.prefix, route);
      this.#resend.delete(route.prefix);
    }
    this.#options.onEvent({ type: 'advertised', announced: update.announced, withdrawn: update.withdrawn });
  }

  #sendEndMarks(peering: Peering): void {
    if (this.#marks.endRefresh) peering.send(refreshMark(REFRESH.END));
    if (this.#marks.endOfRib) peering.send(END_OF_RIB);
    this.#marks = { beginRefresh: false, endRefresh: false, endOfRib: false };
  }
}

function refreshMark(subtype: number): RouteRefreshMessage {
  return { type: 'route-refresh', afi: AFI_IPV4, safi: SAFI_UNICAST, subtype };
}

function hasRoom(peering: Peering): boolean {
  return peering.state === 'Established' && peering.queuedBytes < WRITE_QUEUE_BYTES_MAX;
}

function isNegotiated(peering: Peering): boolean {
  return peering.state === 'OpenConfirm' || peering.state === 'Established';
}

function rank(peering: Peering): number {
  return SESSION_STATES.indexOf(peering.state);
}

function idOf(routerId: string): number {
  return readUint32(Uint8Array.from(addressOctets(routerId)), 0);
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

function checkOptions(options: SessionOptions): void {
  const { holdSeconds = DEFAULTS.holdSeconds, localAsn, peerAsn } = options;
  const isHold =
    Number.isInteger(holdSeconds) && (holdSeconds === 0 || (holdSeconds >= 3 && holdSeconds <= HOLD_SECONDS_MAX));
  if (!isHold) throw new RangeError(`hold time ${holdSeconds} s: 0 or 3 to ${HOLD_SECONDS_MAX} (RFC 4271 section 4.2)`);
  for (const asn of [localAsn, peerAsn]) {
    if (!Number.isInteger(asn) || asn < 1 || asn > 0xffffffff) throw new RangeError(`${asn} is not an ASN`);
  }
  if (idOf(options.routerId) === 0) throw new RangeError('router id 0.0.0.0');
}
