// Entities: which messages a batch takes, operations in order, state, locks of critical sections.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { planBatch } from '../../../../infra/lab/host/entities.ts';
import { entityState, signalEntity, terminateInstance } from '../../../../infra/lab/host/management.ts';
import type { EntityInboxRow } from '../../../../infra/lab/host/task-hub-schema.ts';
import type { EntityMessage } from '../../../../infra/lab/host/wire.ts';
import { type Harness, startHarness } from './harness.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(30_000);

describe('planBatch', () => {
  let seq = 0;
  const op = (parent: string): EntityInboxRow => ({
    seq: ++seq,
    name: 'op',
    message: { id: `${seq}`, op: 'x', parent },
  });
  const lock = (parent: string): EntityInboxRow => ({
    seq: ++seq,
    name: 'op',
    message: { id: `${seq}`, parent, lockset: [{ name: 'e', key: 'k' }], pos: 0 },
  });
  const release = (parent: string): EntityInboxRow => ({
    seq: ++seq,
    name: 'release',
    message: { id: `${seq}`, parent },
  });
  const everyone = () => true;
  const parents = (messages: readonly EntityMessage[]) => messages.map(({ parent }) => parent).join(' ');

  test.each([
    ['nothing waits', null, [], '', null, 0],
    ['unlocked: all operations, in order', null, [op('a'), op('b'), op('a')], 'a b a', null, 3],
    ['locked: the holder only', 'a', [op('b'), op('a'), op('c')], 'a', 'a', 1],
    ['a release lets the waiting ones go on, oldest first', 'a', [op('b'), release('a'), op('c')], 'b c', null, 3],
    [
      'a lock request is granted after the operations before it',
      null,
      [op('b'), lock('a'), op('c'), op('a')],
      'b a',
      'a',
      3,
    ],
    ['a second lock request waits', 'a', [lock('b'), op('a')], 'a', 'a', 1],
    ['the next lock request follows a release', 'a', [lock('b'), op('c'), release('a'), op('b')], 'b', 'b', 3],
    ["a stranger's release changes nothing", 'a', [release('b'), op('b')], '', 'a', 1],
  ] as const)('%s', (_name, lockedBy, inbox, operations, after, taken) => {
    const plan = planBatch(lockedBy, inbox, everyone);
    expect(parents(plan.operations)).toBe(operations);
    expect(plan.lockedBy).toBe(after);
    expect(plan.taken).toHaveLength(taken);
  });

  test('a lock request of an instance that has ended is dropped', () => {
    const plan = planBatch(null, [lock('dead'), op('b')], ({ parent }) => parent !== 'dead');
    expect(plan).toMatchObject({ lockedBy: null, granted: [] });
    expect(parents(plan.operations)).toBe('b');
  });
});

describe('entities', () => {
  let h: Harness;
  let seen: typeof import('./fixtures/durable-app.ts').seen;
  beforeAll(async () => {
    h = await startHarness({ loadApp: () => import('./fixtures/durable-app.ts') });
    ({ seen } = await import('./fixtures/durable-app.ts'));
  });
  afterAll(() => h.host.stop());

  const add = (key: string, amount: number) => signalEntity(h.engine, 'Counter', key, 'add', JSON.stringify(amount));
  const count = async (key: string) => {
    await h.settle();
    const state = entityState(h.engine, 'counter', key);
    return state === undefined ? undefined : JSON.parse(state);
  };

  test('calls, signals and errors; the state set before an error is kept', async () => {
    expect(await h.output(h.start('entity-calls'))).toEqual({
      add: 5,
      get: 7,
      error: '[object Object]',
      afterBad: 999,
    });
  });

  test('no update is lost although the handler waits', async () => {
    seen.entityConcurrentMax = 0;
    for (let i = 0; i < 40; i++) {
      add('waits', 1);
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await count('waits')).toBe(40);
    expect(seen.entityConcurrentMax).toBe(1);
  });

  test('an entity tells another one', async () => {
    add('speaker', 3);
    signalEntity(h.engine, 'Counter', 'speaker', 'tell', '"listener"');
    expect(await count('listener')).toBe(3);
  });

  test('an entity can be destroyed, and leaves nothing behind', async () => {
    add('short-lived', 1);
    signalEntity(h.engine, 'Counter', 'short-lived', 'delete', '');
    expect(await count('short-lived')).toBeUndefined();
    expect(h.engine.hub.entity('@counter@short-lived')).toBeUndefined();
  });

  test('a signal to an unknown entity is refused', () => {
    expect(signalEntity(h.engine, 'Nobody', 'k', 'add', '1')).toMatchObject({ type: 'refused', status: 400 });
  });

  test('a critical section keeps everybody else out, whatever the order of the locks', async () => {
    const ids = [
      h.start('critical-section', { a: 'left', b: 'right', waitMs: 1000 }),
      h.start('critical-section', { a: 'right', b: 'left', waitMs: 1000 }),
      h.start('critical-section', { a: 'left', b: 'right', waitMs: 1000 }),
    ];
    await h.settle();
    add('left', 100);
    // The section has read the counter, the signal from outside waits.
    expect(entityState(h.engine, 'Counter', 'left')).toBe('null');
    await h.advance(10_000);
    for (const id of ids) expect(await h.output(id)).toBe(1);
    expect(await count('left')).toBe(102);
    expect(h.engine.hub.entity('@counter@left')?.lockedBy).toBeNull();
  });

  test('a lock does not outlive its instance, held or asked for', async () => {
    const holder = h.start('holds-lock', 'fought-over');
    await h.settle();
    const asking = h.start('holds-lock', 'fought-over');
    await h.settle();
    terminateInstance(h.engine, asking, null);
    await h.settle();
    terminateInstance(h.engine, holder, null);
    add('fought-over', 1);
    expect(await count('fought-over')).toBe(1);
  });

  test("a long queue does not hide the holder's release", async () => {
    const holder = h.start('holds-lock', 'crowded');
    await h.settle();
    for (let i = 0; i < 600; i++) add('crowded', 1);
    await h.settle();
    terminateInstance(h.engine, holder, null);
    expect(await count('crowded')).toBe(600);
  });
});
