// One TCP connection with a peer: feeds bytes and timers into its state machine and carries the actions out.
// Shell: sockets and timers are here; which connection stays and what is advertised is session.ts's affair.
//
//   socket --bytes--> frame --message--> codec --event--> fsm --actions--> socket, timers, session
import { createConnection, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { decodeMessage, encodeMessage } from './codec.ts';
import { receive } from './frame.ts';
import {
  createFsm,
  createIncomingFsm,
  type Fsm,
  type FsmConfig,
  type FsmEvent,
  nextTimerMs,
  noteSendQueue,
  noteUpdateSent,
  postponeIdleHold,
  step,
  takeDueTimer,
} from './fsm.ts';
import type { EventName, FsmAction, SessionState } from './fsm-table.ts';
import { BGP_VERSION, ERROR_CODE, OPEN_ERROR } from './iana.ts';
import {
  type Message,
  NO_DATA,
  type NotificationMessage,
  type OpenMessage,
  type ProtocolError,
  type RouteRefreshMessage,
  type UpdateMessage,
} from './messages.ts';
import { type LocalSpeaker, type Negotiated, negotiate, openOf } from './negotiation.ts';
import { notificationOf } from './notification.ts';

/** How long a closing connection may take to hand over what is queued before it is reset. */
const CLOSE_GRACE_MS = 1000;

export interface PeeringOptions {
  readonly direction: 'outgoing' | 'incoming';
  readonly fsm: FsmConfig;
  readonly local: LocalSpeaker;
  readonly peerAsn: number;
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly localAddress: string | undefined;
  readonly owner: PeeringOwner;
}

/** What a peering tells its session. All calls are synchronous; `openReceived` may end this or another peering. */
export interface PeeringOwner {
  stateChanged(peering: Peering, previous: SessionState): void;
  /** Answers whether this connection may go on after a valid OPEN (collision detection). */
  openReceived(peering: Peering, negotiated: Negotiated): boolean;
  /** Called before the change of state is. */
  established(): void;
  updateReceived(update: UpdateMessage): void;
  refreshReceived(peering: Peering, refresh: RouteRefreshMessage): void;
  notified(direction: 'in' | 'out', error: ProtocolError): void;
  connectionFailed(reason: string): void;
  /** Something left the write queue. */
  queueMoved(): void;
  /** False while a connection of the peer's making stands: the machine waits on in Idle. */
  mayDial(): boolean;
}

const ERROR_EVENT: Readonly<Record<number, EventName>> = {
  [ERROR_CODE.MESSAGE_HEADER]: 'BGPHeaderErr',
  [ERROR_CODE.OPEN]: 'BGPOpenMsgErr',
  [ERROR_CODE.UPDATE]: 'UpdateMsgErr',
  [ERROR_CODE.ROUTE_REFRESH]: 'RouteRefreshMsgErr',
};

export class Peering {
  readonly direction: 'outgoing' | 'incoming';
  readonly #options: PeeringOptions;
  #fsm: Fsm;
  #socket: Socket | undefined;
  #rest: Uint8Array = NO_DATA;
  #negotiated: Negotiated | undefined;
  #message: Message | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Infinity;
  #isRetired = false;
  readonly #closing = new Set<Promise<void>>();

  constructor(options: PeeringOptions) {
    this.#options = options;
    this.direction = options.direction;
    this.#fsm = options.direction === 'incoming' ? createIncomingFsm(options.fsm) : createFsm(options.fsm);
  }

  get state(): SessionState {
    return this.#fsm.state;
  }

  get connectRetryCounter(): number {
    return this.#fsm.connectRetryCounter;
  }

  get negotiated(): Negotiated | undefined {
    return this.#negotiated;
  }

  get hasSocket(): boolean {
    return this.#socket !== undefined;
  }

  /** Octets that the kernel has not taken yet. */
  get queuedBytes(): number {
    return this.#socket?.writableLength ?? 0;
  }

  /** Resolves when every socket this peering has given up is closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  /** Takes a connection that the peer opened. */
  accept(socket: Socket): void {
    this.#attach(socket);
    this.dispatch({ type: 'TcpConnectionConfirmed' });
  }

  /** Feeds an event into the machine and carries out what it asks for. */
  dispatch(event: FsmEvent): void {
    const previous = this.#fsm.state;
    const { state, actions } = step(this.#fsm, event, performance.now(), Math.random());
    this.#fsm = state;
    for (const action of actions) this.#perform(action);
    this.#armTimer();
    if (this.#fsm.state !== previous) this.#options.owner.stateChanged(this, previous);
  }

  /** Writes an UPDATE or ROUTE-REFRESH; to the kernel within this tick unless something is queued already. */
  send(message: UpdateMessage | RouteRefreshMessage): void {
    this.#write(message);
    if (message.type === 'update') this.#fsm = noteUpdateSent(this.#fsm, performance.now(), Math.random());
  }

  /** The last call: no timer of this peering fires any more. */
  retire(): void {
    this.#isRetired = true;
    clearTimeout(this.#timer);
  }

  #perform(action: FsmAction): void {
    const { owner, local } = this.#options;
    switch (action.type) {
      case 'connect':
        this.#connect();
        break;
      case 'drop':
        this.#release((socket) => socket.end());
        break;
      case 'reset':
        // What the kernel takes at once still goes out before the reset; a peer that reads nothing holds up nothing.
        this.#release((socket) => socket.resetAndDestroy());
        break;
      case 'sendOpen':
        this.#write(openOf(local));
        break;
      case 'sendKeepalive':
        this.#write({ type: 'keepalive' });
        break;
      case 'sendNotification':
        this.#write(notificationOf(action.error));
        owner.notified('out', action.error);
        break;
      case 'established':
        owner.established();
        break;
      case 'deliverUpdate':
        if (this.#message?.type === 'update') owner.updateReceived(this.#message);
        break;
      case 'deliverRefresh':
        if (this.#message?.type === 'route-refresh') owner.refreshReceived(this, this.#message);
        break;
    }
  }

  #connect(): void {
    const { peerAddress, peerPort, localAddress } = this.#options;
    const target = { host: peerAddress, port: peerPort };
    const socket = createConnection(localAddress === undefined ? target : { ...target, localAddress });
    this.#attach(socket);
    socket.once('connect', () => {
      if (this.#socket === socket) this.dispatch({ type: 'Tcp_CR_Acked' });
    });
  }

  #attach(socket: Socket): void {
    socket.setNoDelay(true);
    this.#socket = socket;
    this.#rest = NO_DATA;
    this.#negotiated = undefined;
    socket.on('data', (chunk: Uint8Array) => this.#received(socket, chunk));
    socket.on('drain', () => {
      if (this.#socket === socket) this.#options.owner.queueMoved();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(socket, error.code ?? error.message));
    socket.on('end', () => this.#lost(socket, 'closed by peer'));
    socket.on('close', () => this.#lost(socket, 'closed'));
  }

  #lost(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#options.owner.connectionFailed(reason);
    if (this.#socket === socket) this.dispatch({ type: 'TcpConnectionFails' });
  }

  /** Lets go of the socket; it closes by itself, at the latest after CLOSE_GRACE_MS. */
  #release(close: (socket: Socket) => void): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#negotiated = undefined;
    if (socket === undefined || socket.destroyed) return;
    this.#track(socket);
    if (socket.connecting) socket.destroy();
    else close(socket);
  }

  #track(socket: Socket): void {
    const closed = new Promise<void>((resolve) => {
      const grace = setTimeout(() => socket.resetAndDestroy(), CLOSE_GRACE_MS);
      socket.once('close', () => {
        clearTimeout(grace);
        resolve();
      });
      socket.resume();
    });
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #write(message: Message): void {
    const socket = this.#socket;
    if (socket === undefined || !socket.writable) return;
    socket.write(encodeMessage(message, { as4: this.#negotiated?.as4 ?? true }), () => this.#noteQueue(socket));
    // The send hold timer starts with the first octet that the kernel does not take.
    if (socket.writableLength > 0 && this.#fsm.timers.sendHold === Infinity) this.#noteQueue(socket);
  }

  #noteQueue(socket: Socket): void {
    if (this.#socket !== socket) return;
    const isEmpty = socket.writableLength === 0;
    if (isEmpty && this.#fsm.timers.sendHold === Infinity) return;
    this.#fsm = noteSendQueue(this.#fsm, isEmpty, performance.now());
    this.#armTimer();
  }

  #received(socket: Socket, chunk: Uint8Array): void {
    if (this.#socket !== socket) return;
    const { messages, rest, error } = receive(this.#rest, chunk);
    this.#rest = rest;
    for (const message of messages) {
      this.#readMessage(message);
      // The message may have ended the connection: what follows it is nobody's.
      if (this.#socket !== socket) return;
    }
    if (error !== undefined) this.dispatch({ type: 'BGPHeaderErr', error });
  }

  #readMessage(bytes: Uint8Array): void {
    const { local, peerAsn } = this.#options;
    const isExternal = local.localAsn !== peerAsn;
    const decoded = decodeMessage(bytes, { as4: this.#negotiated?.as4 ?? true, isExternal });
    if (!decoded.ok) {
      this.dispatch({ type: ERROR_EVENT[decoded.error.code] ?? 'BGPHeaderErr', error: decoded.error });
      return;
    }
    this.#message = decoded.value;
    switch (decoded.value.type) {
      case 'open':
        this.#readOpen(decoded.value);
        break;
      case 'notification':
        this.#readNotification(decoded.value);
        break;
      case 'keepalive':
        this.dispatch({ type: 'KeepAliveMsg' });
        break;
      case 'update':
        this.dispatch({ type: 'UpdateMsg' });
        break;
      case 'route-refresh':
        this.dispatch({ type: 'RouteRefreshMsg' });
        break;
    }
  }

  #readOpen(open: OpenMessage): void {
    const { local, peerAsn, owner } = this.#options;
    const negotiated = negotiate(local, peerAsn, open);
    if (!negotiated.ok) {
      this.dispatch({ type: 'BGPOpenMsgErr', error: negotiated.error });
    } else if (this.#fsm.state === 'OpenSent' && !owner.openReceived(this, negotiated.value)) {
      this.dispatch({ type: 'OpenCollisionDump' });
    } else {
      if (this.#fsm.state === 'OpenSent') this.#negotiated = negotiated.value;
      this.dispatch({ type: 'BGPOpen', holdSeconds: negotiated.value.holdSeconds });
    }
  }

  #readNotification(message: NotificationMessage): void {
    const { code, subcode, data } = message;
    this.#options.owner.notified('in', { code, subcode, data });
    const isVersion = code === ERROR_CODE.OPEN && subcode === OPEN_ERROR.UNSUPPORTED_VERSION;
    this.dispatch({ type: isVersion && data[1] !== BGP_VERSION ? 'NotifMsgVerErr' : 'NotifMsg' });
  }

  /** Keeps one timer for the earliest expiry; expiries that only move away leave it as it is. */
  #armTimer(): void {
    const atMs = this.#isRetired ? Infinity : nextTimerMs(this.#fsm);
    if (atMs === Infinity) {
      clearTimeout(this.#timer);
      this.#timerAtMs = Infinity;
    } else if (atMs < this.#timerAtMs) {
      clearTimeout(this.#timer);
      this.#timerAtMs = atMs;
      this.#timer = setTimeout(() => this.#timerFired(), Math.max(0, atMs - performance.now()));
    }
  }

  /**
   * After a pause of the whole process timers run before sockets are read. What the peer sent meanwhile counts first,
   * or a debugger or a paused virtual machine would cost the session.
   */
  #timerFired(): void {
    this.#timerAtMs = Infinity;
    setImmediate(() => {
      if (this.#isRetired) return;
      let due = takeDueTimer(this.#fsm, performance.now());
      while (due !== undefined) {
        this.#fsm = due.fsm;
        if (due.event.type === 'IdleHoldTimer_Expires' && !this.#options.owner.mayDial()) {
          this.#fsm = postponeIdleHold(this.#fsm, performance.now());
        } else {
          this.dispatch(due.event);
        }
        due = takeDueTimer(this.#fsm, performance.now());
      }
      this.#armTimer();
    });
  }
}
