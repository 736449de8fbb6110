// One Route Server instance of the lab: real BGP sessions, passive, AS 65515, hold time 180 s offered.
// Shell around route-server-rib.ts: it owns the listener, the sessions and the timer of the change window.
import { createServer, type Server, type Socket } from 'node:net';
import { CEASE } from '../../nva-agent/bgp/iana.ts';
import type { AsPath, UpdateMessage } from '../../nva-agent/bgp/messages.ts';
import { createSession, rejectConnection, type Session, type SessionEvent } from '../../nva-agent/bgp/session.ts';
import { ROUTE_SERVER_ASN } from '../../shared/asn.ts';
import {
  type AnnouncedRoute,
  applyUpdate,
  closeWindows,
  dropPeer,
  EMPTY_RIB,
  type LearnedRoute,
  learnedRoutes,
  nextWindowMs,
  type Rib,
  type RibSettings,
} from './route-server-rib.ts';

/** Route Server's own timers (FAQ): keepalive 60 s, hold 180 s; the lower offer of both sides holds. */
export const ROUTE_SERVER_HOLD_SECONDS = 180;
/** Pause before a peer that sent too many routes is heard again. */
const LIMIT_PAUSE_MS = 5000;

export interface RouteServerPeer {
  readonly nva: string;
  readonly asn: number;
  /** Source address of its connections; tells the NVAs of a region apart. */
  readonly address: string;
}

export interface RouteServerOptions extends RibSettings {
  /** For people: `rs-we/0`. */
  readonly instance: string;
  readonly routerId: string;
  readonly peers: readonly RouteServerPeer[];
  readonly holdSeconds?: number;
  /** Called after every change of the routes held. */
  readonly onChange: () => void;
}

export interface RouteServerSession {
  readonly nva: string;
  readonly state: string;
  readonly holdSeconds: number | null;
  readonly routesReceived: number;
  readonly updatesIn: number;
  readonly lastError: string | null;
}

export interface RouteServer {
  readonly instance: string;
  readonly port: number;
  routes(): LearnedRoute[];
  sessions(): RouteServerSession[];
  /** Ends the session with this NVA and refuses it, as maintenance does, until `resumeSession`. */
  endSession(nva: string): Promise<void>;
  resumeSession(nva: string): void;
  /** Asks every peer for its routes again (RFC 2918), as Azure does when a virtual network is peered. */
  requestRefresh(): void;
  close(): Promise<void>;
}

/** Starts listening on a free port of loopback. */
export async function startRouteServer(options: RouteServerOptions): Promise<RouteServer> {
  const instance = new Instance(options);
  await instance.listen();
  return instance;
}

class Instance implements RouteServer {
  readonly #options: RouteServerOptions;
  readonly #server: Server;
  readonly #sessions = new Map<string, Session>();
  readonly #errors = new Map<string, string>();
  readonly #ended = new Set<string>();
  #rib: Rib = EMPTY_RIB;
  #windowTimer: NodeJS.Timeout | undefined;
  readonly #pauses = new Set<NodeJS.Timeout>();

  constructor(options: RouteServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    for (const peer of options.peers) this.#sessions.set(peer.nva, this.#createSession(peer));
  }

  get instance(): string {
    return this.#options.instance;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve());
    });
  }

  routes(): LearnedRoute[] {
    return learnedRoutes(this.#rib);
  }

  sessions(): RouteServerSession[] {
    return [...this.#sessions].map(([nva, session]) => {
      const status = session.status();
      return {
        nva,
        state: status.state,
        holdSeconds: status.negotiated?.holdSeconds ?? null,
        routesReceived: this.#rib.peers.get(nva)?.size ?? 0,
        updatesIn: status.updatesIn,
        lastError: this.#errors.get(nva) ?? null,
      };
    });
  }

  async endSession(nva: string): Promise<void> {
    this.#ended.add(nva);
    await this.#sessions.get(nva)?.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, 'maintenance');
  }

  resumeSession(nva: string): void {
    if (this.#ended.delete(nva)) this.#sessions.get(nva)?.start();
  }

  requestRefresh(): void {
    for (const session of this.#sessions.values()) session.requestRefresh();
  }

  async close(): Promise<void> {
    clearTimeout(this.#windowTimer);
    for (const pause of this.#pauses) clearTimeout(pause);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
    await closed;
  }

  #createSession(peer: RouteServerPeer): Session {
    return createSession({
      peerAddress: peer.address,
      peerAsn: peer.asn,
      localAsn: ROUTE_SERVER_ASN,
      routerId: this.#options.routerId,
      holdSeconds: this.#options.holdSeconds ?? ROUTE_SERVER_HOLD_SECONDS,
      passive: true,
      // A peer refused once is heard again soon: Route Server keeps listening.
      idleHoldBaseMs: 100,
      idleHoldMaxMs: 1000,
      onEvent: (event) => this.#onEvent(peer.nva, event),
    });
  }

  #accept(socket: Socket): void {
    const peer = this.#options.peers.find((candidate) => candidate.address === socket.remoteAddress);
    const session = peer === undefined ? undefined : this.#sessions.get(peer.nva);
    if (session === undefined) rejectConnection(socket);
    else session.accept(socket);
  }

  #onEvent(nva: string, event: SessionEvent): void {
    switch (event.type) {
      case 'update':
        this.#update(nva, event.update);
        return;
      case 'state':
        if (event.previous === 'Established') this.#commit(dropPeer(this.#rib, nva));
        return;
      case 'notification':
        this.#errors.set(nva, `${event.direction}: ${event.name}${event.text === undefined ? '' : ` (${event.text})`}`);
        return;
      default:
        return;
    }
  }

  #update(nva: string, update: UpdateMessage): void {
    const outcome = applyUpdate(this.#rib, this.#options, nva, routesOf(update), Date.now());
    if (outcome.type === 'applied') {
      if (outcome.dropped.length > 0) this.#errors.set(nva, `dropped ${outcome.dropped.join(' ')}: loop or AS 0`);
      this.#commit(outcome.rib);
      return;
    }
    this.#errors.set(nva, `${outcome.counted} routes counted, ${this.#options.routeLimit} allowed`);
    void this.#sessions.get(nva)?.stop(CEASE.MAXIMUM_PREFIXES);
    const pause = setTimeout(() => {
      this.#pauses.delete(pause);
      if (!this.#ended.has(nva)) this.#sessions.get(nva)?.start();
    }, LIMIT_PAUSE_MS);
    this.#pauses.add(pause);
  }

  #commit(rib: Rib): void {
    this.#rib = rib;
    this.#armWindow();
    this.#options.onChange();
  }

  #armWindow(): void {
    clearTimeout(this.#windowTimer);
    const dueMs = nextWindowMs(this.#rib, this.#options);
    if (dueMs === undefined) return;
    this.#windowTimer = setTimeout(
      () => this.#commit(closeWindows(this.#rib, this.#options, Date.now())),
      Math.max(0, dueMs - Date.now()) + 1,
    );
  }
}

/** An UPDATE as routes in and out; what RFC 7606 softens counts as withdrawn. */
function routesOf(update: UpdateMessage): { withdrawn: readonly string[]; announced: AnnouncedRoute[] } {
  const { asPath = [], nextHop } = update;
  if (update.treatAsWithdraw === true || nextHop === undefined) {
    return { withdrawn: [...update.withdrawn, ...update.announced], announced: [] };
  }
  const path = flatten(asPath);
  return {
    withdrawn: update.withdrawn,
    announced: update.announced.map((p) => ({ prefix: p, asPath: path, nextHop })),
  };
}

/** An AS_SET counts as one element; its first member stands for it. */
const flatten = (path: AsPath): number[] =>
  path.map((element) => (typeof element === 'number' ? element : (element[0] ?? 0)));
