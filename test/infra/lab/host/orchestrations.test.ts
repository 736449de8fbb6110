// Orchestrations end to end on virtual time, by the real durable-functions package.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  resumeInstance,
  startInstance,
  suspendInstance,
  terminateInstance,
} from '../../../../infra/lab/host/management.ts';
import { EventType } from '../../../../infra/lab/host/wire.ts';
import { checkHistory } from './check-history.ts';
import { type Harness, startHarness } from './harness.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(30_000);

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let h: Harness;
let seen: typeof import('./fixtures/durable-app.ts').seen;

beforeAll(async () => {
  h = await startHarness({ loadApp: () => import('./fixtures/durable-app.ts') });
  ({ seen } = await import('./fixtures/durable-app.ts'));
});
afterAll(() => h.host.stop());

describe('activities', () => {
  test('a sequence keeps the type of every value', async () => {
    const values = ['text', '', 'null', '{"a":1}', 0, 1.5, true, false, null, { deep: [1, { x: null }] }, ['a']];
    expect(await h.output(h.start('sequence', values))).toEqual(values);
  });

  test('a fan-out comes back in order and runs side by side', async () => {
    const values = Array.from({ length: 30 }, (_, i) => i);
    seen.concurrentMax = 0;
    expect(await h.output(h.start('fan-out', values))).toEqual(values);
    expect(seen.concurrentMax).toBeGreaterThan(1);
    expect(seen.concurrentMax).toBeLessThanOrEqual(h.engine.settings.activitiesMax);
  });

  test('a fan-out of which one fails goes on, once its siblings have ended', async () => {
    const id = h.start('fan-out-fails', null, 'fan-out-fails');
    const deadline = Date.now() + 15_000;
    while (!seen.holds.has(id) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    seen.holds.get(id)?.();
    expect(await h.output(id)).toEqual(["Activity function 'flaky' failed: boom 1", 'went on']);
    checkHistory(h.history(id));
  });

  test('an activity without input and result', async () => {
    expect(await h.output(h.start('empty-results'))).toEqual({ first: 'nothing' });
  });

  test('context.log goes to the host log, with function and invocation', async () => {
    await h.output(h.start('sequence', ['logged']));
    const entry = h.logs.find(({ message }) => message === 'echo logged');
    expect(entry).toMatchObject({ level: 'information', category: 'user', functionName: 'echo' });
    expect(entry?.invocationId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('hooks surround each invocation', async () => {
    seen.hooks.length = 0;
    await h.output(h.start('sequence', ['hooked']));
    const turn = ['pre sequence', 'post sequence'];
    expect(seen.hooks).toEqual([...turn, 'pre echo', 'post echo', ...turn]);
  });
});

describe('timers', () => {
  test('fire at their time, not before', async () => {
    const id = h.start('sleeper', MINUTE_MS);
    await h.advance(MINUTE_MS - 1);
    expect((await h.status(id)).runtimeStatus).toBe('Running');
    await h.advance(1);
    expect(await h.output(id)).toBe(MINUTE_MS);
  });

  test('above six days are made of pieces', async () => {
    const id = h.start('sleeper', 8 * DAY_MS);
    await h.advance(8 * DAY_MS);
    expect(await h.output(id)).toBe(8 * DAY_MS);
    expect(h.history(id).filter((event) => event.EventType === EventType.TimerCreated)).toHaveLength(2);
  });

  test('one in the past fires at once', async () => {
    expect(await h.output(h.start('sleeper', -5))).toBe(0);
  });

  test('one that nobody cancelled keeps the instance running', async () => {
    const id = h.start('open-timer');
    expect((await h.status(id)).runtimeStatus).toBe('Running');
    await h.advance(HOUR_MS);
    expect(await h.output(id)).toBe('done');
  });
});

describe('external events', () => {
  test('an event wins against its deadline, which is cancelled', async () => {
    const id = h.start('approval');
    expect((await h.status(id)).customStatus).toEqual({ phase: 'waiting' });
    h.raise(id, 'approve', { by: 'ops' });
    expect(await h.output(id)).toEqual({ by: 'ops' });
    expect((await h.status(id)).customStatus).toEqual({ phase: 'over' });
  });

  test('the deadline wins without an event', async () => {
    const id = h.start('approval');
    await h.advance(HOUR_MS);
    expect(await h.output(id)).toBe('timed out');
  });

  test('are buffered first in, first out, also before the first turn', async () => {
    const id = h.start('events-in-order');
    for (const item of [1, 2, 3]) h.raise(id, 'item', item);
    await h.advance(MINUTE_MS);
    expect(await h.output(id)).toEqual([1, 2, 3]);
  });

  test('go to the last waiter first', async () => {
    const id = h.start('two-waiters');
    await h.settle();
    h.raise(id, 'item', 'first');
    await h.settle();
    h.raise(id, 'item', 'second');
    expect(await h.output(id)).toEqual(['second', 'first']);
  });
});

describe('retries', () => {
  test('back off and succeed', async () => {
    const id = h.start('retries', { name: 'succeeds', failures: 2 });
    await h.advance(MINUTE_MS);
    expect(await h.output(id)).toEqual({ result: 'succeeds after 2', tookMs: 1000 + 2000 });
  });

  test('exhausted: the error comes out one delay after the last attempt', async () => {
    const id = h.start('retries', { name: 'exhausted', failures: 99 });
    await h.advance(MINUTE_MS);
    const message = "Activity function 'flaky' failed: boom 4 ";
    expect(await h.output(id)).toEqual({ message, tookMs: 1000 + 2000 + 4000 + 8000 });
  });
});

describe('sub-orchestrations', () => {
  test('return their result and know their parent', async () => {
    const id = h.start('parent', { value: 7 });
    expect(await h.output(id)).toEqual({ child: 7, parent: id });
    expect((await h.status(`${id}-child`)).runtimeStatus).toBe('Completed');
  });

  test('fail their parent with their reason', async () => {
    const id = h.start('parent', { value: 7, fail: true });
    const { runtimeStatus, output } = await h.status(id);
    expect(runtimeStatus).toBe('Failed');
    expect(output).toMatch(
      /^Orchestrator function 'parent' failed: Orchestrator function 'child' failed: the child gives up/,
    );
  });

  test('are retried under a new id each time', async () => {
    const id = h.start('parent-retries');
    await h.advance(MINUTE_MS);
    expect(await h.output(id)).toBe("Orchestrator function 'child' failed: the child gives up");
    const created = h
      .history(id)
      .flatMap((event) => (event.EventType === EventType.SubOrchestrationInstanceCreated ? [event.InstanceId] : []));
    expect(new Set(created).size).toBe(3);
  });

  test('whose id is in use fail', async () => {
    const blocker = h.start('approval', null, 'taken-child');
    const id = h.start('parent', { value: 1 }, 'taken');
    const { output } = await h.status(id);
    expect(output).toMatch(/An Orchestration instance with the status (Pending|Running) already exists/);
    terminateInstance(h.engine, blocker, null);
  });
});

describe('continueAsNew', () => {
  test('starts over with a new history', async () => {
    const id = h.start('eternal', { round: 1, until: 5 });
    expect(await h.output(id)).toBe('stopped at 5');
    expect((await h.status(id)).customStatus).toEqual({ round: 5 });
    expect(h.history(id).filter((event) => event.EventType === EventType.TaskScheduled)).toHaveLength(1);
  });
});

describe('failures', () => {
  test('an orchestrator that throws', async () => {
    const { runtimeStatus, output } = await h.status(h.start('fails'));
    expect({ runtimeStatus, output }).toEqual({
      runtimeStatus: 'Failed',
      output: "Orchestrator function 'fails' failed: bad policy",
    });
  });

  test('an orchestrator that is not deterministic is found out and reported', async () => {
    const { runtimeStatus, output } = await h.status(h.start('drifts', null, 'drifting'));
    expect(runtimeStatus).toBe('Failed');
    expect(output).toBe(
      "Non-Deterministic workflow detected: the history has TaskScheduled 'echo' with sequence id 0, " +
        "the replay scheduled TaskScheduled 'slow'.",
    );
    expect(h.logs).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining("'drifting'") }),
    );
  });

  test('an activity that does not exist', async () => {
    const { output } = await h.status(h.start('calls-unknown'));
    expect(output).toContain(
      "The function 'no-such-activity' doesn't exist, is disabled, or is not an activity function.",
    );
  });

  test('an action that this host does not know', async () => {
    const { runtimeStatus, output } = await h.status(h.start('calls-http'));
    expect(runtimeStatus).toBe('Failed');
    expect(output).toContain('Received an unexpected action type from the orchestrator');
  });
});

describe('commands', () => {
  test('terminate ends at once; late completions are dropped', async () => {
    const id = h.start('sequence', ['x']);
    terminateInstance(h.engine, id, 'enough');
    const { runtimeStatus, output } = await h.status(id);
    expect({ runtimeStatus, output }).toEqual({ runtimeStatus: 'Terminated', output: 'enough' });
    expect(terminateInstance(h.engine, id, 'again')).toMatchObject({ type: 'refused', status: 410 });
  });

  test('suspend holds everything back, resume lets it go on', async () => {
    const id = h.start('approval');
    await h.settle();
    suspendInstance(h.engine, id, 'wait');
    expect((await h.status(id)).runtimeStatus).toBe('Suspended');
    h.raise(id, 'approve', 'late');
    await h.advance(2 * HOUR_MS);
    expect((await h.status(id)).runtimeStatus).toBe('Suspended');
    resumeInstance(h.engine, id, 'go on');
    expect(await h.output(id)).toBe('late');
  });

  test('a suspended instance can be terminated', async () => {
    const id = h.start('approval');
    suspendInstance(h.engine, id, null);
    await h.settle();
    terminateInstance(h.engine, id, 'over');
    expect((await h.status(id)).runtimeStatus).toBe('Terminated');
  });

  test('a running id is refused with 500, an ended one is overwritten', async () => {
    const id = h.start('approval', null, 'slot-1');
    await h.settle();
    expect(startInstance(h.engine, 'approval', { instanceId: id })).toMatchObject({ type: 'refused', status: 500 });
    terminateInstance(h.engine, id, null);
    await h.settle();
    h.start('sequence', ['again'], id);
    expect(await h.output(id)).toEqual(['again']);
  });

  test.each([
    ['an unknown orchestrator', 'nobody', 'id', ''],
    ['an activity', 'echo', 'id', ''],
    ['a bad instance id', 'approval', 'a/b', ''],
    ['an entity-like id', 'approval', '@a@b', ''],
    ['a long id', 'approval', 'x'.repeat(257), ''],
    ['input that is not JSON', 'approval', 'id', '{'],
  ])('a start is refused with 400: %s', (_what, name, instanceId, inputJson) => {
    expect(startInstance(h.engine, name, { instanceId, inputJson })).toMatchObject({ type: 'refused', status: 400 });
  });
});

test('the version of a start reaches the orchestrator', async () => {
  startInstance(h.engine, 'version', { instanceId: 'versioned', version: '1.2' });
  expect(await h.output('versioned')).toBe('1.2');
});
