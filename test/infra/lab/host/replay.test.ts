// Replay as a table: action list and history in, new decisions and open tasks out.
import { describe, expect, test } from '@jest/globals';
import { replay } from '../../../../infra/lab/host/replay.ts';
import type { Decision } from '../../../../infra/lab/host/replay-state.ts';
import {
  type Action,
  ActionType,
  type EventBody,
  EventType,
  type HistoryEvent,
} from '../../../../infra/lab/host/wire.ts';

const START_MS = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

// ----- actions, as the SDK returns them
const activity = (functionName: string): Action => ({ actionType: ActionType.CallActivity, functionName });
const retried = (functionName: string, maxNumberOfAttempts: number): Action => ({
  actionType: ActionType.CallActivityWithRetry,
  functionName,
  retryOptions: { firstRetryIntervalInMilliseconds: 1000, maxNumberOfAttempts, backoffCoefficient: 2 },
});
const timer = (afterMs: number, isCanceled = false): Action => ({
  actionType: ActionType.CreateTimer,
  fireAt: new Date(START_MS + afterMs).toISOString(),
  isCanceled,
});
const event = (externalEventName: string): Action => ({
  actionType: ActionType.WaitForExternalEvent,
  externalEventName,
});
const any = (...compoundActions: Action[]): Action => ({ actionType: ActionType.WhenAny, compoundActions });
const all = (...compoundActions: Action[]): Action => ({ actionType: ActionType.WhenAll, compoundActions });
const signal: Action = { actionType: ActionType.SignalEntity, instanceId: '@e@k', operation: 'op', input: 1 };
const call: Action = { actionType: ActionType.CallEntity, instanceId: '@e@k', operation: 'op', input: 1 };
const continueAsNew: Action = { actionType: ActionType.ContinueAsNew, input: { next: 1 } };
const lock: Action = {
  actionType: ActionType.LockEntities,
  lockRequestId: 'lock-1',
  lockSet: [
    { name: 'E', key: 'a' },
    { name: 'E', key: 'b' },
  ],
};
const release: Action = { actionType: ActionType.ReleaseEntities };

// ----- history
const turn = (afterMs = 0): EventBody & { atMs: number } => ({
  EventType: EventType.OrchestratorStarted,
  EventId: -1,
  atMs: afterMs,
});
const started: EventBody = {
  EventType: EventType.ExecutionStarted,
  EventId: -1,
  Name: 'o',
  Version: '',
  Input: 'null',
  OrchestrationInstance: { InstanceId: 'i', ExecutionId: 'x' },
  ParentInstance: null,
};
const scheduled = (EventId: number, Name: string): EventBody => ({ EventType: EventType.TaskScheduled, EventId, Name });
const completed = (TaskScheduledId: number): EventBody => ({
  EventType: EventType.TaskCompleted,
  EventId: -1,
  TaskScheduledId,
  Result: 'null',
});
const failed = (TaskScheduledId: number): EventBody => ({
  EventType: EventType.TaskFailed,
  EventId: -1,
  TaskScheduledId,
  Reason: 'r',
  Details: '',
});
const created = (EventId: number): EventBody => ({ EventType: EventType.TimerCreated, EventId, FireAt: '' });
const fired = (TimerId: number): EventBody => ({ EventType: EventType.TimerFired, EventId: -1, TimerId, FireAt: '' });
const raised = (Name: string): EventBody => ({ EventType: EventType.EventRaised, EventId: -1, Name, Input: null });
const sent = (EventId: number, InstanceId = '@e@k'): EventBody => ({
  EventType: EventType.EventSent,
  EventId,
  InstanceId,
  Name: 'op',
  Input: '{}',
});
const child = (EventId: number, Name: string): EventBody => ({
  EventType: EventType.SubOrchestrationInstanceCreated,
  EventId,
  Name,
  InstanceId: 'c',
});

function run(actions: readonly Action[], events: readonly (EventBody & { atMs?: number })[]) {
  let atMs = 0;
  const history = events.map((body) => {
    atMs = body.atMs ?? atMs;
    return { ...body, Timestamp: new Date(START_MS + atMs).toISOString() } as HistoryEvent;
  });
  return replay({ actions, history, instanceId: 'i', executionId: 'x' });
}

/** A decision in short: 'activity 0 A', 'timer 1 +1000'. */
function short(decision: Decision): string {
  switch (decision.type) {
    case 'timer':
      return `timer ${decision.id} +${decision.fireAtMs - START_MS}`;
    case 'message':
      return `${decision.name} ${decision.id} ${decision.target}`;
    default:
      return `${decision.type} ${decision.id} ${decision.name}`;
  }
}

const BEGIN = [turn(), started];

type Row = readonly [string, readonly Action[], readonly (EventBody & { atMs?: number })[], string, string];
const ROWS: readonly Row[] = [
  // name, actions, history, new decisions, 'walked' and number of open tasks
  ['no action', [], BEGIN, '', 'walked 0'],
  ['one activity', [activity('A')], BEGIN, 'activity 0 A', 'waiting 1'],
  ['scheduled before', [activity('A')], [...BEGIN, scheduled(0, 'A')], '', 'waiting 1'],
  [
    'completed',
    [activity('A'), activity('B')],
    [...BEGIN, scheduled(0, 'A'), turn(), completed(0)],
    'activity 1 B',
    'waiting 1',
  ],
  ['a failed one is waited for alike', [activity('A')], [...BEGIN, scheduled(0, 'A'), failed(0)], '', 'walked 0'],
  ['all: every part at once', [all(activity('A'), timer(5))], BEGIN, 'activity 0 A, timer 1 +5', 'waiting 2'],
  [
    'all: waits for every part, although one failed',
    [all(activity('A'), activity('B')), activity('C')],
    [...BEGIN, scheduled(0, 'A'), scheduled(1, 'B'), failed(0)],
    '',
    'waiting 1',
  ],
  [
    'any: goes on with the first, the other stays open',
    [any(activity('A'), timer(5))],
    [...BEGIN, scheduled(0, 'A'), created(1), completed(0)],
    '',
    'walked 1',
  ],
  [
    'any: a cancelled timer is not open',
    [any(activity('A'), timer(5, true))],
    [...BEGIN, scheduled(0, 'A'), created(1), completed(0)],
    '',
    'walked 0',
  ],
  ['a cancelled timer that fires all the same', [timer(5, true)], [...BEGIN, created(0), fired(0)], '', 'walked 0'],
  ['waiting for an event is no open task', [event('e')], BEGIN, '', 'waiting 0'],
  ['an event that came', [event('e'), activity('A')], [...BEGIN, raised('e')], 'activity 0 A', 'waiting 1'],
  [
    'an event that came too early',
    [activity('A'), event('e')],
    [...BEGIN, scheduled(0, 'A'), raised('e'), completed(0)],
    '',
    'walked 0',
  ],
  ['an event of another name', [event('e')], [...BEGIN, raised('f')], '', 'waiting 0'],
  [
    'a retry waits first',
    [retried('A', 3)],
    [...BEGIN, scheduled(0, 'A'), turn(10), failed(0)],
    'timer 1 +1010',
    'waiting 1',
  ],
  [
    'a retry tries again under a new id',
    [retried('A', 3)],
    [...BEGIN, scheduled(0, 'A'), turn(10), failed(0), created(1), turn(1010), fired(1)],
    'activity 2 A',
    'waiting 1',
  ],
  [
    'the delay grows',
    [retried('A', 3)],
    [
      ...BEGIN,
      scheduled(0, 'A'),
      turn(0),
      failed(0),
      created(1),
      turn(1000),
      fired(1),
      scheduled(2, 'A'),
      turn(1000),
      failed(2),
    ],
    'timer 3 +3000',
    'waiting 1',
  ],
  [
    'the last attempt too is followed by a delay',
    [retried('A', 1)],
    [...BEGIN, scheduled(0, 'A'), failed(0)],
    'timer 1 +1000',
    'waiting 1',
  ],
  [
    'and then it is over',
    [retried('A', 1)],
    [...BEGIN, scheduled(0, 'A'), failed(0), created(1), fired(1)],
    '',
    'walked 0',
  ],
  ['a timer of six days is one', [timer(6 * DAY_MS)], BEGIN, `timer 0 +${6 * DAY_MS}`, 'waiting 1'],
  ['a longer one begins with a piece', [timer(8 * DAY_MS)], BEGIN, `timer 0 +${3 * DAY_MS}`, 'waiting 1'],
  [
    'and goes on with the next',
    [timer(8 * DAY_MS)],
    [...BEGIN, created(0), turn(3 * DAY_MS), fired(0)],
    `timer 1 +${8 * DAY_MS}`,
    'waiting 1',
  ],
  ['a signal needs no waiting', [signal, activity('A')], BEGIN, 'op 0 @e@k, activity 1 A', 'waiting 1'],
  ['a call waits for its reply', [call], [...BEGIN, sent(0)], '', 'waiting 0'],
  ['continue as new', [continueAsNew], BEGIN, '', 'walked 0'],
  ['a lock asks the first entity', [lock, activity('A')], BEGIN, 'op 0 @e@a', 'waiting 0'],
  [
    'releases go to each entity',
    [lock, release],
    [...BEGIN, sent(0, '@e@a'), raised('lock-1')],
    'release 1 @e@a, release 2 @e@b',
    'walked 0',
  ],
];

describe('replay', () => {
  test.each(ROWS)('%s', (_name, actions, history, decisions, state) => {
    const outcome = run(actions, history);
    if (outcome.type !== 'replayed') throw new Error(outcome.reason);
    expect(outcome.decisions.map(short).join(', ')).toBe(decisions);
    expect(`${outcome.walked ? 'walked' : 'waiting'} ${outcome.openTasks}`).toBe(state);
  });

  test('request ids are the same in every replay and differ between executions', () => {
    const ids = ['x', 'x', 'y'].map((executionId) => {
      const history = BEGIN.map((body) => ({ ...body, Timestamp: new Date(START_MS).toISOString() })) as HistoryEvent[];
      const outcome = replay({ actions: [signal], history, instanceId: 'i', executionId });
      const decision = outcome.type === 'replayed' ? outcome.decisions[0] : undefined;
      return decision?.type === 'message' ? decision.message.id : '';
    });
    expect(ids[0]).toBe(ids[1]);
    expect(ids[0]).not.toBe(ids[2]);
  });

  test('a long list of actions that need no waiting does not exhaust the stack', () => {
    const outcome = run(
      Array.from({ length: 50_000 }, () => signal),
      BEGIN,
    );
    expect(outcome).toMatchObject({ type: 'replayed', walked: true });
  });

  test.each([
    [
      'another name',
      [activity('B')],
      [scheduled(0, 'A')],
      /TaskScheduled 'A' with sequence id 0, the replay scheduled TaskScheduled 'B'/,
    ],
    ['another kind', [timer(5)], [scheduled(0, 'A')], /the replay scheduled TimerCreated/],
    ['another child', [activity('A')], [child(0, 'c')], /SubOrchestrationInstanceCreated 'c'/],
    ['another entity', [signal], [sent(0, '@e@other')], /EventSent '@e@other'.*EventSent '@e@k'/],
    ['one action less', [], [scheduled(0, 'A')], /which the replay did not schedule/],
    [
      'one action more, in between',
      [activity('X'), activity('A')],
      [scheduled(0, 'A')],
      /Non-Deterministic workflow detected/,
    ],
  ] as const)('finds %s not deterministic', (_name, actions, events, reason) => {
    const outcome = run(actions, [...BEGIN, ...events]);
    expect(outcome).toEqual({ type: 'nondeterministic', reason: expect.stringMatching(reason) });
  });

  test('throws at an action it does not know', () => {
    const unknown = { actionType: ActionType.CallHttp } as unknown as Action;
    expect(() => run([unknown], BEGIN)).toThrow('unexpected action type');
  });
});
