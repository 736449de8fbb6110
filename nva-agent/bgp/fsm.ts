// The BGP finite state machine of one connection as one literal table (RFC 4271 section 8.2.2).
// It must never know sockets, clocks or routes: time and jitter are arguments, what to do is a returned list.
//
//          start / idle hold over            TCP up: OPEN out            OPEN in: KEEPALIVE out
//   Idle --------------------------> Connect ----------------> OpenSent ------------------------> OpenConfirm
//    ^  \--- passive start --> Active ---^--- TCP in: OPEN out ---^  |                                 | KEEPALIVE in
//    |                            ^----------- TCP lost -------------/                                 v
//    \------------------- any error, NOTIFICATION, stop or hold expiry --------------------------- Established
//
// How it differs from the RFC's text, and why:
// - One machine per TCP connection, as section 8.2.1 suggests; session.ts keeps one per connection and lets collision.ts
//   choose. So a second connection (events 16, 17 in OpenSent and later) is another machine's affair and ignored here.
// - DelayOpen and TrackTcpState are optional and not offered: events 12, 14, 15 and 20 do not exist.
// - A passive machine never dials: it listens until stopped, as operators expect of `passive`.
// - A NOTIFICATION received in OpenSent is not answered with another one.
// - Damping of peer oscillations is always on: every failure waits in Idle for IdleHoldTimer, longer each time.
// - RFC 9687's SendHoldTimer, RFC 2918's ROUTE-REFRESH and RFC 7313's error for it are added as events.
import { CEASE, ERROR_CODE, FSM_ERROR } from './iana.ts';
import { type ProtocolError, protocolError } from './messages.ts';
import { cease } from './notification.ts';

export const SESSION_STATES = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** Event names of RFC 4271 section 8.1, with their numbers where they have one. */
export const EVENT_NAMES = [
  'ManualStart', // 1
  'ManualStop', // 2
  'AutomaticStart', // 3
  'ManualStart_with_PassiveTcpEstablishment', // 4
  'AutomaticStart_with_PassiveTcpEstablishment', // 5
  'AutomaticStart_with_DampPeerOscillations', // 6
  'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment', // 7
  'AutomaticStop', // 8
  'ConnectRetryTimer_Expires', // 9
  'HoldTimer_Expires', // 10
  'KeepaliveTimer_Expires', // 11
  'IdleHoldTimer_Expires', // 13
  'Tcp_CR_Acked', // 16
  'TcpConnectionConfirmed', // 17
  'TcpConnectionFails', // 18
  'BGPOpen', // 19
  'BGPHeaderErr', // 21
  'BGPOpenMsgErr', // 22
  'OpenCollisionDump', // 23
  'NotifMsgVerErr', // 24
  'NotifMsg', // 25
  'KeepAliveMsg', // 26
  'UpdateMsg', // 27
  'UpdateMsgErr', // 28
  'RouteRefreshMsg', // RFC 2918
  'RouteRefreshMsgErr', // RFC 7313
  'SendHoldTimer_Expires', // RFC 9687
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

/** `holdSeconds`: the negotiated time, with BGPOpen. `error`: with the events that a NOTIFICATION follows. */
export interface FsmEvent {
  readonly type: EventName;
  readonly holdSeconds?: number;
  readonly error?: ProtocolError;
}

export const TIMER_NAMES = ['connectRetry', 'hold', 'keepalive', 'idleHold', 'sendHold'] as const;
export type TimerName = (typeof TIMER_NAMES)[number];

/** Session attributes of RFC 4271 section 8. Timers are the time they expire at, in ms; Infinity when stopped. */
export interface Fsm {
  readonly state: SessionState;
  readonly config: FsmConfig;
  readonly connectRetryCounter: number;
  readonly holdSeconds: number;
  readonly establishedAtMs: number;
  readonly timers: Readonly<Record<TimerName, number>>;
}

/** `idleHoldBaseMs` doubles with each failure up to `idleHoldMaxMs`; all times before jitter. */
export interface FsmConfig {
  readonly isPassive: boolean;
  readonly holdSeconds: number;
  readonly connectRetryMs: number;
  readonly idleHoldBaseMs: number;
  readonly idleHoldMaxMs: number;
}

/** What the shell has to do, in this order. `reset` closes without waiting for what is still queued. */
export type FsmAction =
  | { readonly type: 'connect' | 'drop' | 'reset' | 'sendOpen' | 'sendKeepalive' | 'established' }
  | { readonly type: 'deliverUpdate' | 'deliverRefresh' }
  | { readonly type: 'sendNotification'; readonly error: ProtocolError };

export interface FsmStep {
  readonly state: Fsm;
  readonly actions: readonly FsmAction[];
}

/** RFC 4271 section 8.2.2: "a HoldTimer value of 4 minutes is suggested" while the peer's OPEN is awaited. */
export const LARGE_HOLD_MS = 240_000;
/** RFC 9687 section 4: at least 8 minutes, twice the hold time if that is more. */
export const SEND_HOLD_MS_MIN = 480_000;
/** A session that stood this long counts as stable: the back-off starts anew after it. */
export const STABLE_MS = 60_000;
/** RFC 4271 section 10: keepalives at a third of the hold time. */
const KEEPALIVES_PER_HOLD = 3;
/** RFC 4271 section 10: timers are shortened by up to a quarter, so that peers do not synchronise. */
const JITTER_SHARE = 0.25;

/** Words of the table. Those about timers and counters change the machine; the others become actions. */
type Word =
  | 'clearCounter'
  | 'count'
  | 'startConnectRetry'
  | 'startIdleHold'
  | 'startLargeHold'
  | 'startHold'
  | 'startKeepalive'
  | 'stopTimers'
  | 'negotiate'
  | 'notify'
  | 'notifyCease'
  | 'notifyCollision'
  | 'notifyHoldExpired'
  | 'notifyFsmError'
  | Exclude<FsmAction['type'], 'sendNotification'>;

interface Transition {
  readonly next: SessionState;
  readonly words: readonly Word[];
}

const to = (next: SessionState, ...words: Word[]): Transition => ({ next, words });

/** The common ends. A stop does not start IdleHoldTimer: only a start leads out of Idle again. */
const FAIL = to('Idle', 'stopTimers', 'drop', 'count', 'startIdleHold');
const REFUSE = to('Idle', 'notify', 'stopTimers', 'drop', 'count', 'startIdleHold');
const FSM_ERROR_END = to('Idle', 'notifyFsmError', 'stopTimers', 'drop', 'count', 'startIdleHold');
const MANUAL_STOP = to('Idle', 'notifyCease', 'stopTimers', 'drop', 'clearCounter');
const AUTOMATIC_STOP = to('Idle', 'notifyCease', 'stopTimers', 'drop', 'count');
const COLLISION = to('Idle', 'notifyCollision', 'stopTimers', 'drop', 'startIdleHold');
const HOLD_EXPIRED = to('Idle', 'notifyHoldExpired', 'stopTimers', 'reset', 'count', 'startIdleHold');
const SEND_HOLD_EXPIRED = to('Idle', 'stopTimers', 'reset', 'count', 'startIdleHold');
/** Event 24: the peer speaks another version; the RFC does not count it. */
const VERSION_ERROR = to('Idle', 'stopTimers', 'drop', 'startIdleHold');

/** `otherwise` is the RFC's "any other event"; an event that is neither there nor listed changes nothing. */
interface StateRow {
  readonly on: Readonly<Partial<Record<EventName, Transition>>>;
  readonly otherwise?: Transition;
}

const stay = (state: SessionState): Transition => to(state);

/** RFC 4271 section 8.2.2: start events are ignored in every state but Idle. */
const ignoreStarts = (state: SessionState): Partial<Record<EventName, Transition>> => ({
  ManualStart: stay(state),
  AutomaticStart: stay(state),
  ManualStart_with_PassiveTcpEstablishment: stay(state),
  AutomaticStart_with_PassiveTcpEstablishment: stay(state),
  AutomaticStart_with_DampPeerOscillations: stay(state),
  AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment: stay(state),
});

export const TABLE: Readonly<Record<SessionState, StateRow>> = {
  Idle: {
    on: {
      ManualStart: to('Connect', 'stopTimers', 'clearCounter', 'startConnectRetry', 'connect'),
      AutomaticStart: to('Connect', 'stopTimers', 'clearCounter', 'startConnectRetry', 'connect'),
      ManualStart_with_PassiveTcpEstablishment: to('Active', 'stopTimers', 'clearCounter'),
      AutomaticStart_with_PassiveTcpEstablishment: to('Active', 'stopTimers', 'clearCounter'),
      AutomaticStart_with_DampPeerOscillations: to('Idle', 'startIdleHold'),
      AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment: to('Active', 'stopTimers'),
      IdleHoldTimer_Expires: to('Connect', 'stopTimers', 'startConnectRetry', 'connect'),
      ManualStop: to('Idle', 'stopTimers', 'clearCounter'),
      AutomaticStop: to('Idle', 'stopTimers'),
    },
  },
  Connect: {
    on: {
      ...ignoreStarts('Connect'),
      ManualStop: to('Idle', 'stopTimers', 'drop', 'clearCounter'),
      AutomaticStop: to('Idle', 'stopTimers', 'drop', 'count'),
      ConnectRetryTimer_Expires: to('Connect', 'drop', 'startConnectRetry', 'connect'),
      Tcp_CR_Acked: to('OpenSent', 'stopTimers', 'sendOpen', 'startLargeHold'),
      TcpConnectionConfirmed: to('OpenSent', 'stopTimers', 'sendOpen', 'startLargeHold'),
      NotifMsgVerErr: VERSION_ERROR,
    },
    otherwise: FAIL,
  },
  Active: {
    on: {
      ...ignoreStarts('Active'),
      ManualStop: to('Idle', 'stopTimers', 'drop', 'clearCounter'),
      AutomaticStop: to('Idle', 'stopTimers', 'drop', 'count'),
      ConnectRetryTimer_Expires: to('Connect', 'startConnectRetry', 'connect'),
      Tcp_CR_Acked: to('OpenSent', 'stopTimers', 'sendOpen', 'startLargeHold'),
      TcpConnectionConfirmed: to('OpenSent', 'stopTimers', 'sendOpen', 'startLargeHold'),
      NotifMsgVerErr: VERSION_ERROR,
    },
    otherwise: FAIL,
  },
  OpenSent: {
    on: {
      ...ignoreStarts('OpenSent'),
      ManualStop: MANUAL_STOP,
      AutomaticStop: AUTOMATIC_STOP,
      HoldTimer_Expires: HOLD_EXPIRED,
      SendHoldTimer_Expires: SEND_HOLD_EXPIRED,
      Tcp_CR_Acked: stay('OpenSent'),
      TcpConnectionConfirmed: stay('OpenSent'),
      TcpConnectionFails: to('Active', 'stopTimers', 'drop', 'startConnectRetry'),
      BGPOpen: to('OpenConfirm', 'stopTimers', 'negotiate', 'sendKeepalive', 'startHold', 'startKeepalive'),
      BGPHeaderErr: REFUSE,
      BGPOpenMsgErr: REFUSE,
      OpenCollisionDump: COLLISION,
      NotifMsgVerErr: VERSION_ERROR,
      NotifMsg: FAIL,
    },
    otherwise: FSM_ERROR_END,
  },
  OpenConfirm: {
    on: {
      ...ignoreStarts('OpenConfirm'),
      ManualStop: MANUAL_STOP,
      AutomaticStop: AUTOMATIC_STOP,
      HoldTimer_Expires: HOLD_EXPIRED,
      SendHoldTimer_Expires: SEND_HOLD_EXPIRED,
      KeepaliveTimer_Expires: to('OpenConfirm', 'sendKeepalive', 'startKeepalive'),
      Tcp_CR_Acked: stay('OpenConfirm'),
      TcpConnectionConfirmed: stay('OpenConfirm'),
      TcpConnectionFails: FAIL,
      BGPHeaderErr: REFUSE,
      BGPOpenMsgErr: REFUSE,
      OpenCollisionDump: COLLISION,
      NotifMsgVerErr: VERSION_ERROR,
      NotifMsg: FAIL,
      KeepAliveMsg: to('Established', 'startHold', 'established'),
    },
    otherwise: FSM_ERROR_END,
  },
  Established: {
    on: {
      ...ignoreStarts('Established'),
      ManualStop: MANUAL_STOP,
      AutomaticStop: AUTOMATIC_STOP,
      HoldTimer_Expires: HOLD_EXPIRED,
      SendHoldTimer_Expires: SEND_HOLD_EXPIRED,
      KeepaliveTimer_Expires: to('Established', 'sendKeepalive', 'startKeepalive'),
      Tcp_CR_Acked: stay('Established'),
      TcpConnectionConfirmed: stay('Established'),
      TcpConnectionFails: FAIL,
      BGPHeaderErr: REFUSE,
      OpenCollisionDump: COLLISION,
      NotifMsgVerErr: FAIL,
      NotifMsg: FAIL,
      KeepAliveMsg: to('Established', 'startHold'),
      UpdateMsg: to('Established', 'startHold', 'deliverUpdate'),
      UpdateMsgErr: REFUSE,
      RouteRefreshMsg: to('Established', 'deliverRefresh'),
      RouteRefreshMsgErr: REFUSE,
    },
    otherwise: FSM_ERROR_END,
  },
};

const STOPPED: Fsm['timers'] = {
  connectRetry: Infinity,
  hold: Infinity,
  keepalive: Infinity,
  idleHold: Infinity,
  sendHold: Infinity,
};

/** A machine at rest. */
export function createFsm(config: FsmConfig): Fsm {
  return { state: 'Idle', config, connectRetryCounter: 0, holdSeconds: 0, establishedAtMs: Infinity, timers: STOPPED };
}

/** The machine of a connection that the peer opened: waiting in Active for TcpConnectionConfirmed. */
export function createIncomingFsm(config: FsmConfig): Fsm {
  return { ...createFsm({ ...config, isPassive: true }), state: 'Active' };
}

/** The row of the table for a state and an event; undefined: nothing happens. */
export function transitionOf(state: SessionState, event: EventName): Transition | undefined {
  const row = TABLE[state];
  return row.on[event] ?? row.otherwise;
}

/**
 * One step of the machine. `jitter` in [0, 1) shortens the timers it starts by up to a quarter (RFC 4271 section 10).
 */
export function step(fsm: Fsm, event: FsmEvent, nowMs: number, jitter = 0): FsmStep {
  const transition = transitionOf(fsm.state, event.type);
  if (transition === undefined) return { state: fsm, actions: [] };
  let state = fsm;
  const actions: FsmAction[] = [];
  for (const word of transition.words) {
    const changed = changeMachine(state, word, event, nowMs, 1 - jitter * JITTER_SHARE);
    if (changed !== undefined) state = changed;
    else actions.push(actionOf(word, fsm.state, event));
  }
  const establishedAtMs = enteredEstablished(fsm, transition.next) ? nowMs : state.establishedAtMs;
  return { state: { ...state, state: transition.next, establishedAtMs }, actions };
}

function enteredEstablished(fsm: Fsm, next: SessionState): boolean {
  return fsm.state !== 'Established' && next === 'Established';
}

/** The machine after a word about timers or counters; undefined for the words that are actions. */
function changeMachine(fsm: Fsm, word: Word, event: FsmEvent, nowMs: number, share: number): Fsm | undefined {
  const { config, timers } = fsm;
  switch (word) {
    case 'clearCounter':
      return { ...fsm, connectRetryCounter: 0 };
    case 'count':
      return { ...fsm, connectRetryCounter: countFailure(fsm, nowMs), establishedAtMs: Infinity };
    case 'negotiate':
      return { ...fsm, holdSeconds: event.holdSeconds ?? 0 };
    case 'stopTimers':
      return { ...fsm, timers: STOPPED };
    case 'startConnectRetry':
      return { ...fsm, timers: { ...timers, connectRetry: nowMs + config.connectRetryMs * share } };
    case 'startIdleHold':
      return { ...fsm, timers: { ...timers, idleHold: nowMs + idleHoldMs(fsm) * share } };
    case 'startLargeHold':
      return { ...fsm, timers: { ...timers, hold: nowMs + LARGE_HOLD_MS } };
    case 'startHold':
      return { ...fsm, timers: { ...timers, hold: afterSeconds(fsm.holdSeconds, nowMs, 1) } };
    case 'startKeepalive':
      return restartKeepalive(fsm, nowMs, share);
    default:
      return undefined;
  }
}

/** A hold time of 0 means that neither hold nor keepalive timer runs (RFC 4271 section 4.2). */
function afterSeconds(seconds: number, nowMs: number, share: number): number {
  return seconds === 0 ? Infinity : nowMs + seconds * 1000 * share;
}

function restartKeepalive(fsm: Fsm, nowMs: number, share: number): Fsm {
  const keepalive = afterSeconds(fsm.holdSeconds / KEEPALIVES_PER_HOLD, nowMs, share);
  return { ...fsm, timers: { ...fsm.timers, keepalive } };
}

function countFailure(fsm: Fsm, nowMs: number): number {
  return nowMs - fsm.establishedAtMs >= STABLE_MS ? 1 : fsm.connectRetryCounter + 1;
}

/** Exponential back-off: base after the first failure, doubled after each further one, bounded. */
export function idleHoldMs(fsm: Fsm): number {
  const { idleHoldBaseMs, idleHoldMaxMs } = fsm.config;
  return Math.min(idleHoldMaxMs, idleHoldBaseMs * 2 ** Math.min(30, Math.max(0, fsm.connectRetryCounter - 1)));
}

function actionOf(word: Word, from: SessionState, event: FsmEvent): FsmAction {
  switch (word) {
    case 'notify':
      return sendNotification(event.error ?? protocolError(ERROR_CODE.FSM, 0));
    case 'notifyCease':
      return sendNotification(event.error ?? cease(CEASE.ADMINISTRATIVE_SHUTDOWN));
    case 'notifyCollision':
      return sendNotification(cease(CEASE.CONNECTION_COLLISION));
    case 'notifyHoldExpired':
      return sendNotification(protocolError(ERROR_CODE.HOLD_TIMER_EXPIRED, 0));
    case 'notifyFsmError':
      return sendNotification(protocolError(ERROR_CODE.FSM, FSM_SUBCODE[from] ?? 0));
    default:
      return { type: word as Exclude<FsmAction['type'], 'sendNotification'> };
  }
}

function sendNotification(error: ProtocolError): FsmAction {
  return { type: 'sendNotification', error };
}

/** RFC 6608. */
const FSM_SUBCODE: Readonly<Partial<Record<SessionState, number>>> = {
  OpenSent: FSM_ERROR.IN_OPEN_SENT,
  OpenConfirm: FSM_ERROR.IN_OPEN_CONFIRM,
  Established: FSM_ERROR.IN_ESTABLISHED,
};

/** RFC 4271 section 8.2.2, Established: each UPDATE sent restarts the keepalive timer, unless the hold time is zero. */
export function noteUpdateSent(fsm: Fsm, nowMs: number, jitter = 0): Fsm {
  return restartKeepalive(fsm, nowMs, 1 - jitter * JITTER_SHARE);
}

/** RFC 9687: the send hold timer runs while something is queued, and starts anew with every bit of progress. */
export function noteSendQueue(fsm: Fsm, isEmpty: boolean, nowMs: number): Fsm {
  const isRunning = !isEmpty && fsm.holdSeconds > 0 && fsm.state !== 'Idle';
  const sendHold = isRunning ? nowMs + Math.max(SEND_HOLD_MS_MIN, 2000 * fsm.holdSeconds) : Infinity;
  return { ...fsm, timers: { ...fsm.timers, sendHold } };
}

/** A machine in Idle that should wait on while a connection of the peer's making stands. */
export function postponeIdleHold(fsm: Fsm, nowMs: number): Fsm {
  return { ...fsm, timers: { ...fsm.timers, idleHold: nowMs + fsm.config.idleHoldBaseMs } };
}

const EXPIRY: Readonly<Record<TimerName, EventName>> = {
  connectRetry: 'ConnectRetryTimer_Expires',
  hold: 'HoldTimer_Expires',
  keepalive: 'KeepaliveTimer_Expires',
  idleHold: 'IdleHoldTimer_Expires',
  sendHold: 'SendHoldTimer_Expires',
};

/** When the next timer expires, in ms; Infinity if none runs. */
export function nextTimerMs(fsm: Fsm): number {
  return Math.min(...TIMER_NAMES.map((name) => fsm.timers[name]));
}

/** The first timer that is due, stopped, and its event; undefined if none is. */
export function takeDueTimer(fsm: Fsm, nowMs: number): { readonly fsm: Fsm; readonly event: FsmEvent } | undefined {
  const name = TIMER_NAMES.find((timer) => fsm.timers[timer] <= nowMs);
  if (name === undefined) return undefined;
  return { fsm: { ...fsm, timers: { ...fsm.timers, [name]: Infinity } }, event: { type: EXPIRY[name] } };
}
