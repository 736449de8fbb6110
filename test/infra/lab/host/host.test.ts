// The host as a whole: restarts, failures of the host itself, poison, versions, limits, settings, refusals at the
// start.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { ATTEMPTS_MAX } from '../../../../infra/lab/host/durable-engine.ts';
import { type HostOptions, startHost } from '../../../../infra/lab/host/host.ts';
import { acceptsVersion, DEFAULT_SETTINGS, parseHostSettings } from '../../../../infra/lab/host/host-settings.ts';
import { instanceStatus, purgeInstance, signalEntity, startInstance } from '../../../../infra/lab/host/management.ts';
import { checkHistory } from './check-history.ts';
import { type Harness, START_MS, startHarness } from './harness.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(30_000);

const loadApp = () => import('./fixtures/durable-app.ts');
const HOUR_MS = 3_600_000;

let directory: string;
let files = 0;
const newHubFile = () => join(directory, `hub-${++files}.db`);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'host-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let h: Harness | undefined;
afterEach(async () => {
  await h?.host.stop();
  h = undefined;
});
async function open(options: Partial<HostOptions> = {}): Promise<Harness> {
  h = await startHarness({ loadApp, stopMs: 50, ...options });
  return h;
}

describe('a task hub in a file', () => {
  test('goes on after a restart: timers, events, activities that were cut off', async () => {
    const taskHubFile = newHubFile();
    const first = await open({ taskHubFile });
    const { seen } = await loadApp();
    first.start('sleeper', HOUR_MS, 'sleeper');
    first.start('approval', null, 'approval');
    await first.settle();
    // An activity that does not end: nothing settles until it is let go.
    first.start('parent-held', 'x', 'held');
    const deadline = Date.now() + 15_000;
    while (!seen.holds.has('x') && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    await first.host.stop();
    seen.holds.get('x')?.(); // too late: the host has let go of it
    seen.holds.delete('x');

    const second = await open({ taskHubFile });
    while (!seen.holds.has('x') && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    seen.holds.get('x')?.();
    expect(await second.output('held')).toBe('x released');
    second.raise('approval', 'approve', 'yes');
    expect(await second.output('approval')).toBe('yes');
    await second.advance(HOUR_MS);
    expect(await second.output('sleeper')).toBe(HOUR_MS);
    for (const id of ['held', 'approval', 'sleeper']) checkHistory(second.history(id));
  });

  test('a timer that came due while the host was down fires at the start', async () => {
    const taskHubFile = newHubFile();
    const first = await open({ taskHubFile });
    first.start('sleeper', HOUR_MS, 'sleeper');
    await first.settle();
    await first.host.stop();
    const { createVirtualClock } = await import('../../../../infra/lab/host/clock.ts');
    const second = await open({ taskHubFile, clock: createVirtualClock(START_MS + 2 * HOUR_MS) });
    expect(await second.output('sleeper')).toBe(2 * HOUR_MS);
  });

  test('of another schema version is refused', async () => {
    const taskHubFile = newHubFile();
    const db = new DatabaseSync(taskHubFile);
    db.exec('PRAGMA user_version = 99');
    db.close();
    await expect(open({ taskHubFile })).rejects.toThrow('has schema version 99, this host knows 1');
  });

  test('code that changed under a running instance is found not deterministic', async () => {
    const taskHubFile = newHubFile();
    const first = await open({ taskHubFile });
    first.start('sequence', ['a'], 'changed');
    first.start('approval', null, 'fine');
    await first.settle();
    await first.host.stop();
    const db = new DatabaseSync(taskHubFile);
    db.exec(`UPDATE instances SET status = 'Running' WHERE id = 'changed'`);
    db.exec(
      `UPDATE history SET event = replace(event, '"Name":"echo"', '"Name":"slow"') WHERE instance_id = 'changed'`,
    );
    db.exec(`DELETE FROM history WHERE instance_id = 'changed' AND seq >= 6`);
    db.exec(
      `INSERT INTO inbox (instance_id, due_ms, event) VALUES ('changed', 0, '{"EventType":15,"EventId":-1,"Name":"x","Input":null}')`,
    );
    db.close();
    const second = await open({ taskHubFile });
    const { runtimeStatus, output } = await second.status('changed');
    expect(runtimeStatus).toBe('Failed');
    expect(output).toContain('Non-Deterministic workflow detected');
    second.raise('fine', 'approve', 1);
    expect(await second.output('fine')).toBe(1);
  });

  test('old ended instances are purged, young and running ones stay', async () => {
    const harness = await open({ retentionMs: 5 * HOUR_MS });
    harness.start('sequence', [1], 'old');
    harness.start('approval', null, 'fails-late');
    harness.start('sleeper', 100 * HOUR_MS, 'running');
    await harness.advance(4 * HOUR_MS);
    harness.start('sequence', [1], 'young');
    await harness.advance(3 * HOUR_MS);
    expect(instanceStatus(harness.engine, 'old')).toBeUndefined();
    expect(instanceStatus(harness.engine, 'young')).toBeDefined();
    expect(instanceStatus(harness.engine, 'running')?.runtimeStatus).toBe('Running');
    expect(purgeInstance(harness.engine, 'running')).toMatchObject({ type: 'refused', status: 412 });
  });
});

describe('when the host itself fails', () => {
  /** Fails commits of that name for the instance that is being worked on, for the given number of times. */
  function failing(point: string, times: number): { onCommitPoint: (name: string) => void; left: () => number } {
    let left = times;
    return {
      onCommitPoint: (name) => {
        if (name === point && left-- > 0) throw new Error('disk full');
      },
      left: () => left,
    };
  }

  test.each(['turn:before', 'activity:before'])('%s: it is tried again and nothing is half applied', async (point) => {
    const { onCommitPoint } = failing(point, 3);
    const harness = await open({ onCommitPoint });
    const id = harness.start('sequence', ['a', 'b']);
    await harness.advance(10_000);
    expect(await harness.output(id)).toEqual(['a', 'b']);
    checkHistory(harness.history(id));
    expect(harness.logs).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('disk full') }),
    );
  });

  test('an entity batch is tried again on the old state', async () => {
    const harness = await open({ onCommitPoint: failing('entity:before', 2).onCommitPoint });
    signalEntity(harness.engine, 'Counter', 'retried', 'add', '1');
    await harness.advance(10_000);
    expect(harness.engine.hub.entity('@counter@retried')).toMatchObject({ state: '1', attempts: 0 });
  });

  test('a poison turn fails its instance, the others go on', async () => {
    const harness = await open({ onCommitPoint: failing('turn:before', ATTEMPTS_MAX).onCommitPoint });
    const poisoned = harness.start('sequence', ['x']);
    await harness.advance(60_000);
    const { runtimeStatus, output } = await harness.status(poisoned);
    expect(runtimeStatus).toBe('Failed');
    expect(output).toBe(`Poison message: a turn was begun ${ATTEMPTS_MAX} times and never committed.`);
    expect(harness.logs).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('Poison') }),
    );
    expect(await harness.output(harness.start('sequence', ['y']))).toEqual(['y']);
  });

  test('a poison activity fails, its orchestrator may go on', async () => {
    const harness = await open({ onCommitPoint: failing('activity:before', ATTEMPTS_MAX).onCommitPoint });
    const id = harness.start('sequence', ['x']);
    await harness.advance(60_000);
    expect((await harness.status(id)).output).toContain(
      `Poison message: activity 'echo' was begun ${ATTEMPTS_MAX} times`,
    );
  });

  test('a poison entity batch is answered with an error, the state stays', async () => {
    const harness = await open({ onCommitPoint: failing('entity:before', ATTEMPTS_MAX).onCommitPoint });
    const id = harness.start('entity-calls', null, 'poisoned-entity');
    await harness.advance(60_000);
    expect((await harness.status(id)).output).toContain('Poison message: a batch of entity');
    signalEntity(harness.engine, 'Counter', id, 'add', '1');
    await harness.settle();
    expect(harness.engine.hub.entity(`@counter@${id}`)).toMatchObject({ state: '1' });
  });
});

describe('versions', () => {
  const settings = (strategy: 'Strict' | 'CurrentOrOlder', failure: 'Fail' | 'Reject' = 'Fail') => ({
    ...DEFAULT_SETTINGS,
    defaultVersion: '2.10',
    versionMatchStrategy: strategy,
    versionFailureStrategy: failure,
  });

  test.each([
    ['Strict', '2.10', true],
    ['Strict', '2.9', false],
    ['CurrentOrOlder', '2.9', true],
    ['CurrentOrOlder', '2.10', true],
    ['CurrentOrOlder', '2.11', false],
    ['CurrentOrOlder', '', true],
  ] as const)('%s: %s is accepted: %s', (strategy, version, accepted) => {
    expect(acceptsVersion(settings(strategy), version)).toBe(accepted);
  });

  test('the default version goes to each new instance', async () => {
    const harness = await open({ settings: settings('Strict') });
    expect(await harness.output(harness.start('version'))).toBe('2.10');
  });

  test('Fail fails an instance of another version, Reject leaves it', async () => {
    const taskHubFile = newHubFile();
    const rejecting = await open({ taskHubFile, settings: settings('Strict', 'Reject') });
    startInstance(rejecting.engine, 'version', { instanceId: 'other', version: '3' });
    expect((await rejecting.status('other')).runtimeStatus).toBe('Pending');
    await rejecting.host.stop();
    const failing = await open({ taskHubFile, settings: settings('Strict', 'Fail') });
    expect(await failing.status('other')).toMatchObject({
      runtimeStatus: 'Failed',
      output: expect.stringContaining("has '3'"),
    });
  });
});

describe('limits', () => {
  test('no more activities at once than host.json says', async () => {
    const { seen } = await loadApp();
    const harness = await open({ settings: { ...DEFAULT_SETTINGS, activitiesMax: 3 } });
    seen.concurrentMax = 0;
    await harness.output(
      harness.start(
        'fan-out',
        Array.from({ length: 20 }, (_, i) => i),
      ),
    );
    expect(seen.concurrentMax).toBe(3);
  });

  test('an activity that runs longer than functionTimeout fails', async () => {
    const { seen } = await loadApp();
    const harness = await open({ settings: { ...DEFAULT_SETTINGS, invocationMsMax: 1000 } });
    const id = harness.start('parent-held', 'endless');
    const deadline = Date.now() + 15_000;
    while (!seen.holds.has('endless') && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    await harness.clock.advance(1000, async () => undefined);
    expect((await harness.status(id)).output).toContain('Timeout value of 1000 ms exceeded by function: held');
  });

  test('only the functions that are enabled are known', async () => {
    const harness = await open({ functionsEnabled: (name) => name !== 'echo' });
    expect((await harness.status(harness.start('sequence', [1]))).output).toContain(
      "The function 'echo' doesn't exist, is disabled",
    );
  });
});

describe('host.json', () => {
  test('gives its settings', () => {
    const settings = parseHostSettings({
      version: '2.0',
      functionTimeout: '00:05:00',
      logging: { anything: true },
      extensions: {
        http: { routePrefix: '' },
        durableTask: {
          hubName: 'Hub',
          maxConcurrentActivityFunctions: 4,
          defaultVersion: '1',
          versionMatchStrategy: 'Strict',
        },
      },
    });
    expect(settings).toMatchObject({
      hubName: 'Hub',
      routePrefix: '',
      invocationMsMax: 300_000,
      activitiesMax: 4,
      defaultVersion: '1',
      versionMatchStrategy: 'Strict',
    });
  });

  test('is refused with every problem and its path', () => {
    const wrong = {
      version: '1.0',
      functionTimeout: 'soon',
      extensions: { durableTask: { maxConcurrentActivityFunctions: 0 } },
    };
    expect(() => parseHostSettings(wrong)).toThrow(
      /version: .*functionTimeout: not a time span.*extensions\.durableTask\.maxConcurrentActivityFunctions: /,
    );
  });
});

describe('starting', () => {
  test('an application that throws while it loads stops the start', async () => {
    await expect(startHost({ loadApp: () => Promise.reject(new Error('bad entry point')) })).rejects.toThrow(
      'bad entry point',
    );
  });

  test('a port that is taken stops the start and lets go of the task hub', async () => {
    const taken = await open();
    const taskHubFile = newHubFile();
    await expect(startHost({ loadApp, port: taken.host.port, taskHubFile })).rejects.toThrow('EADDRINUSE');
    new DatabaseSync(taskHubFile).exec('PRAGMA user_version');
  });

  test.each([
    [['--app'], 'argument missing'],
    [[], '--app is missing'],
    [['--app', 'x', '--port', '70000'], "--port: '70000' is not a port"],
    [['--app', 'x', '--timers', 'maybe'], "--timers is on or off, not 'maybe'"],
    [['--app', 'x', '--log-level', 'loud'], "--log-level: unknown level 'loud'"],
    [['--app', 'x', '--host-json', '/nowhere'], 'ENOENT'],
  ])('main.ts %j is refused with exit 2', (args, reason) => {
    const main = join(import.meta.dirname, '../../../../infra/lab/host/main.ts');
    const run = () =>
      execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], { stdio: 'pipe' });
    let failure: { status?: number; stderr?: Buffer } = {};
    try {
      run();
    } catch (error) {
      failure = error as typeof failure;
    }
    expect(failure.status).toBe(2);
    expect(String(failure.stderr)).toContain(reason);
  });
});
