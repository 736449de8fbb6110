// The BGP finite state machine of one connection as one literal table (RFC 4271 section 8.2.2).
// It must never know sockets, clocks or routes; fsm.ts carries its words out.
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
import type { ProtocolError } from './messages.ts';

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

/** What the shell has to do, in this order. `reset` closes without waiting for what is still queued. */
export type FsmAction =
  | { readonly type: 'connect' | 'drop' | 'reset' | 'sendOpen' | 'sendKeepalive' | 'established' }
  | { readonly type: 'deliverUpdate' | 'deliverRefresh' }
  | { readonly type: 'sendNotification'; readonly error: ProtocolError };

/** Words of the table. Those about timers and counters change the machine; the others become actions. */
export type Word =
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

export interface Transition {
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

/** The row of the table for a state and an event; undefined: nothing happens. */
export function transitionOf(state: SessionState, event: EventName): Transition | undefined {
  const row = TABLE[state];
  return row.on[event] ?? row.otherwise;
}
