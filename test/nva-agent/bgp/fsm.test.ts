// The state machine: every (state, event) pair of RFC 4271 section 8.2.2, then timers, back-off and NOTIFICATIONs.
import { describe, expect, test } from '@jest/globals';
import {
  createFsm,
  createIncomingFsm,
  type Fsm,
  idleHoldMs,
  LARGE_HOLD_MS,
  nextTimerMs,
  noteSendQueue,
  noteUpdateSent,
  postponeIdleHold,
  STABLE_MS,
  step,
  takeDueTimer,
} from '../../../nva-agent/bgp/fsm.ts';
import {
  EVENT_NAMES,
  type EventName,
  type FsmAction,
  SESSION_STATES,
  type SessionState,
} from '../../../nva-agent/bgp/fsm-table.ts';
import { protocolError } from '../../../nva-agent/bgp/messages.ts';

const CONFIG = {
  isPassive: false,
  holdSeconds: 30,
  connectRetryMs: 5000,
  idleHoldBaseMs: 1000,
  idleHoldMaxMs: 30_000,
};
const NOW = 1_000_000;
const FIRST = createFsm(CONFIG);

/** A machine in any state, with the timers that run there. */
function machineIn(state: SessionState): Fsm {
  const timers = { ...FIRST.timers, hold: NOW + 30_000, keepalive: NOW + 10_000 };
  const hasSession = state === 'OpenConfirm' || state === 'Established';
  return { ...FIRST, state, holdSeconds: 30, ...(hasSession ? { timers } : {}) };
}

const short = (action: FsmAction): string =>
  action.type === 'sendNotification' ? `N${action.error.code}/${action.error.subcode}` : action.type;

/** One word per pair: the next state and the actions, in order. */
function outcome(state: SessionState, type: EventName): string {
  const event = { type, holdSeconds: 30, error: protocolError(9, 9) };
  const result = step(machineIn(state), event, NOW);
  return [result.state.state, ...result.actions.map(short)].join(' ');
}

// Written from the RFC's text, not from the table. N is a NOTIFICATION (9/9: the error that came with the event).
const EXPECTED: Readonly<Record<SessionState, Readonly<Partial<Record<EventName, string>> & { otherwise: string }>>> = {
  Idle: {
    ManualStart: 'Connect connect',
    AutomaticStart: 'Connect connect',
    ManualStart_with_PassiveTcpEstablishment: 'Active',
    AutomaticStart_with_PassiveTcpEstablishment: 'Active',
    AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment: 'Active',
    IdleHoldTimer_Expires: 'Connect connect',
    otherwise: 'Idle',
  },
  Connect: {
    ManualStop: 'Idle drop',
    ConnectRetryTimer_Expires: 'Connect drop connect',
    Tcp_CR_Acked: 'OpenSent sendOpen',
    TcpConnectionConfirmed: 'OpenSent sendOpen',
    otherwise: 'Idle drop',
  },
  Active: {
    ManualStop: 'Idle drop',
    ConnectRetryTimer_Expires: 'Connect connect',
    Tcp_CR_Acked: 'OpenSent sendOpen',
    TcpConnectionConfirmed: 'OpenSent sendOpen',
    otherwise: 'Idle drop',
  },
  OpenSent: {
    ManualStop: 'Idle N9/9 drop',
    AutomaticStop: 'Idle N9/9 drop',
    HoldTimer_Expires: 'Idle N4/0 reset',
    SendHoldTimer_Expires: 'Idle reset',
    Tcp_CR_Acked: 'OpenSent',
    TcpConnectionConfirmed: 'OpenSent',
    TcpConnectionFails: 'Active drop',
    BGPOpen: 'OpenConfirm sendKeepalive',
    BGPHeaderErr: 'Idle N9/9 drop',
    BGPOpenMsgErr: 'Idle N9/9 drop',
    OpenCollisionDump: 'Idle N6/7 drop',
    NotifMsgVerErr: 'Idle drop',
    NotifMsg: 'Idle drop',
    otherwise: 'Idle N5/1 drop',
  },
  OpenConfirm: {
    ManualStop: 'Idle N9/9 drop',
    AutomaticStop: 'Idle N9/9 drop',
    HoldTimer_Expires: 'Idle N4/0 reset',
    SendHoldTimer_Expires: 'Idle reset',
    KeepaliveTimer_Expires: 'OpenConfirm sendKeepalive',
    Tcp_CR_Acked: 'OpenConfirm',
    TcpConnectionConfirmed: 'OpenConfirm',
    TcpConnectionFails: 'Idle drop',
    BGPHeaderErr: 'Idle N9/9 drop',
    BGPOpenMsgErr: 'Idle N9/9 drop',
    OpenCollisionDump: 'Idle N6/7 drop',
    NotifMsgVerErr: 'Idle drop',
    NotifMsg: 'Idle drop',
    KeepAliveMsg: 'Established established',
    otherwise: 'Idle N5/2 drop',
  },
  Established: {
    ManualStop: 'Idle N9/9 drop',
    AutomaticStop: 'Idle N9/9 drop',
    HoldTimer_Expires: 'Idle N4/0 reset',
    SendHoldTimer_Expires: 'Idle reset',
    KeepaliveTimer_Expires: 'Established sendKeepalive',
    Tcp_CR_Acked: 'Established',
    TcpConnectionConfirmed: 'Established',
    TcpConnectionFails: 'Idle drop',
    BGPHeaderErr: 'Idle N9/9 drop',
    OpenCollisionDump: 'Idle N6/7 drop',
    NotifMsgVerErr: 'Idle drop',
    NotifMsg: 'Idle drop',
    KeepAliveMsg: 'Established',
    UpdateMsg: 'Established deliverUpdate',
    UpdateMsgErr: 'Idle N9/9 drop',
    RouteRefreshMsg: 'Established deliverRefresh',
    RouteRefreshMsgErr: 'Idle N9/9 drop',
    otherwise: 'Idle N5/3 drop',
  },
};

const isStart = (event: EventName) => event.startsWith('ManualStart') || event.startsWith('AutomaticStart');
const pairs = SESSION_STATES.flatMap((state) => EVENT_NAMES.map((event) => [state, event] as const));

describe('RFC 4271 section 8.2.2, every state and event', () => {
  test.each(pairs)('%s, %s', (state, event) => {
    const row = EXPECTED[state];
    // Starts are ignored in every state but Idle.
    const expected = row[event] ?? (isStart(event) ? state : row.otherwise);
    expect(outcome(state, event)).toBe(expected);
  });

  test.each(pairs)('%s, %s: timers fit the state that follows', (state, event) => {
    const { state: next } = step(machineIn(state), { type: event, holdSeconds: 30 }, NOW);
    const running = Object.entries(next.timers).flatMap(([name, atMs]) => (atMs === Infinity ? [] : [name]));
    const allowed: Readonly<Record<SessionState, readonly string[]>> = {
      Idle: ['idleHold'],
      Connect: ['connectRetry'],
      Active: ['connectRetry'],
      OpenSent: ['hold'],
      OpenConfirm: ['hold', 'keepalive'],
      Established: ['hold', 'keepalive'],
    };
    expect(allowed[next.state]).toEqual(expect.arrayContaining(running));
    for (const atMs of Object.values(next.timers)) expect(atMs).toBeGreaterThan(NOW);
  });

  const endings = pairs.filter(([state, event]) => state !== 'Idle' && outcome(state, event).startsWith('Idle'));
  test.each(endings)('%s, %s: a stopped machine stays stopped, a failed one comes back', (state, event) => {
    const { state: next } = step(machineIn(state), { type: event, holdSeconds: 30 }, NOW);
    const isStopped = event === 'ManualStop' || event === 'AutomaticStop';
    expect(nextTimerMs(next) === Infinity).toBe(isStopped);
  });
});

describe('timers', () => {
  const opened = (holdSeconds: number, jitter = 0) =>
    step(machineIn('OpenSent'), { type: 'BGPOpen', holdSeconds }, NOW, jitter).state;

  test('section 8.2.2: a large hold time until the OPEN has come', () => {
    expect(step(machineIn('Connect'), { type: 'Tcp_CR_Acked' }, NOW).state.timers.hold).toBe(NOW + LARGE_HOLD_MS);
  });
  test('section 4.2: the negotiated hold time, keepalives at a third of it', () => {
    expect(opened(30).timers).toMatchObject({ hold: NOW + 30_000, keepalive: NOW + 10_000, connectRetry: Infinity });
  });
  test('section 4.2: hold time 0 runs neither timer, in no later state', () => {
    const confirmed = opened(0);
    const established = step(confirmed, { type: 'KeepAliveMsg' }, NOW).state;
    const updated = noteUpdateSent(step(established, { type: 'UpdateMsg' }, NOW).state, NOW);
    for (const fsm of [confirmed, established, updated]) expect(nextTimerMs(fsm)).toBe(Infinity);
  });
  test.each([
    ['KeepAliveMsg', 30_000],
    ['UpdateMsg', 30_000],
    ['RouteRefreshMsg', 1],
  ] as const)('section 6.5: %s in Established leaves %i ms of hold time', (type, leftMs) => {
    const late = NOW + 29_999;
    expect(step(machineIn('Established'), { type }, late).state.timers.hold).toBe(late + leftMs);
  });
  test('section 10: jitter shortens by up to a quarter, and never the hold time', () => {
    expect(opened(30, 0.999).timers.keepalive).toBeCloseTo(NOW + 7502.5, 0);
    expect(opened(30, 0.999).timers.hold).toBe(NOW + 30_000);
  });
  test('section 8.2.2: an UPDATE sent restarts the keepalive timer', () => {
    expect(noteUpdateSent(machineIn('Established'), NOW + 5000).timers.keepalive).toBe(NOW + 15_000);
  });
  test('RFC 9687: the send hold timer runs while something is queued, at least eight minutes', () => {
    const queued = noteSendQueue(machineIn('Established'), false, NOW);
    expect(queued.timers.sendHold).toBe(NOW + 480_000);
    expect(noteSendQueue({ ...queued, holdSeconds: 600 }, false, NOW).timers.sendHold).toBe(NOW + 1_200_000);
    expect(noteSendQueue(queued, true, NOW).timers.sendHold).toBe(Infinity);
    expect(noteSendQueue({ ...queued, holdSeconds: 0 }, false, NOW).timers.sendHold).toBe(Infinity);
  });
  test('the earliest timer is due first, once', () => {
    const fsm = machineIn('Established');
    expect(nextTimerMs(fsm)).toBe(NOW + 10_000);
    expect(takeDueTimer(fsm, NOW + 9999)).toBeUndefined();
    const due = takeDueTimer(fsm, NOW + 10_000);
    expect(due?.event).toEqual({ type: 'KeepaliveTimer_Expires' });
    expect(due?.fsm.timers.keepalive).toBe(Infinity);
    expect(takeDueTimer(fsm, NOW + 30_000)?.event).toEqual({ type: 'HoldTimer_Expires' });
  });
  test('a machine that waits for another connection looks again after the base time', () => {
    expect(postponeIdleHold(FIRST, NOW).timers.idleHold).toBe(NOW + 1000);
  });
});

describe('back-off', () => {
  const failTimes = (count: number, fsm: Fsm = FIRST): Fsm => {
    let next = fsm;
    for (let failures = 0; failures < count; failures += 1) {
      next = step({ ...next, state: 'Connect' }, { type: 'TcpConnectionFails' }, NOW).state;
    }
    return next;
  };
  test.each([
    [1, 1000],
    [2, 2000],
    [5, 16_000],
    [6, 30_000],
    [10_000, 30_000],
  ])('after %i failures %i ms', (count, ms) => {
    const fsm = failTimes(count);
    expect(idleHoldMs(fsm)).toBe(ms);
    expect(fsm.timers.idleHold).toBe(NOW + ms);
  });
  test('jitter shortens the pause by up to a quarter', () => {
    const { state } = step({ ...FIRST, state: 'Connect' }, { type: 'TcpConnectionFails' }, NOW, 0.5);
    expect(state.timers.idleHold).toBe(NOW + 875);
  });
  const established = (fsm: Fsm) => step({ ...fsm, state: 'OpenConfirm' }, { type: 'KeepAliveMsg' }, NOW).state;
  test('a session that flaps is backed off', () => {
    const flapped = step(established(failTimes(3)), { type: 'NotifMsg' }, NOW + STABLE_MS - 1).state;
    expect(flapped.connectRetryCounter).toBe(4);
  });
  test('a session that stood for a minute starts anew', () => {
    const ended = step(established(failTimes(3)), { type: 'TcpConnectionFails' }, NOW + STABLE_MS).state;
    expect(ended.connectRetryCounter).toBe(1);
    expect(
      step({ ...ended, state: 'Connect' }, { type: 'TcpConnectionFails' }, NOW + STABLE_MS).state.connectRetryCounter,
    ).toBe(2);
  });
  test('a lost collision is no failure', () => {
    const lost = step(machineIn('OpenConfirm'), { type: 'OpenCollisionDump' }, NOW).state;
    expect(lost).toMatchObject({ state: 'Idle', connectRetryCounter: 0 });
  });
  test('section 8.2.2: a manual stop clears the counter, an automatic one counts', () => {
    expect(step({ ...failTimes(3), state: 'Connect' }, { type: 'ManualStop' }, NOW).state.connectRetryCounter).toBe(0);
    expect(step({ ...failTimes(3), state: 'Connect' }, { type: 'AutomaticStop' }, NOW).state.connectRetryCounter).toBe(
      4,
    );
  });
});

test('a stop without words is an administrative shutdown', () => {
  const { actions } = step(machineIn('Established'), { type: 'ManualStop' }, NOW);
  expect(actions[0]).toMatchObject({ type: 'sendNotification', error: { code: 6, subcode: 2 } });
});

test('the machine of an incoming connection waits in Active for it', () => {
  const incoming = createIncomingFsm(CONFIG);
  expect(incoming.state).toBe('Active');
  expect(step(incoming, { type: 'TcpConnectionConfirmed' }, NOW).actions).toEqual([{ type: 'sendOpen' }]);
});

test('a step leaves its argument as it was', () => {
  const fsm = machineIn('OpenSent');
  const before = structuredClone(fsm);
  step(fsm, { type: 'BGPOpen', holdSeconds: 9 }, NOW);
  expect(fsm).toEqual(before);
});
