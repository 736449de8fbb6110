// Steps of the BGP state machine: the table's words carried out on timers and counters, the rest returned as actions.
// It must never know sockets, clocks or routes: time and jitter are arguments, what to do is a returned list.

import { type EventName, type FsmAction, type SessionState, transitionOf, type Word } from './fsm-table.ts';
import { CEASE, ERROR_CODE, FSM_ERROR } from './iana.ts';
import { type ProtocolError, protocolError } from './messages.ts';
import { cease } from './notification.ts';

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
