// Timer triggers on virtual time: schedule, missed runs, long runs, failures.
import { afterEach, describe, expect, test } from '@jest/globals';
import { createVirtualClock, type VirtualClock } from '../../../../infra/lab/host/clock.ts';
import type { RegisteredFunction } from '../../../../infra/lab/host/functions-core.ts';
import type { ScheduleRow } from '../../../../infra/lab/host/task-hub-schema.ts';
import { TimerTriggers } from '../../../../infra/lab/host/timer-triggers.ts';
import type { BindingInfo, LogEntry, RpcTypedData } from '../../../../infra/lab/host/wire.ts';

const START_MS = Date.UTC(2026, 10, 1, 12, 0, 30);
const MINUTE_MS = 60_000;

interface Run {
  readonly at: string;
  readonly isPastDue: boolean;
}

let timers: TimerTriggers | undefined;
afterEach(() => timers?.stop());

function setUp(trigger: Partial<BindingInfo>, status?: ScheduleRow) {
  const clock: VirtualClock = createVirtualClock(START_MS);
  const runs: Run[] = [];
  const inputs: { ScheduleStatus: { Last: string; Next: string } }[] = [];
  const statuses = new Map(status ? [['tick', status]] : []);
  const logs: LogEntry[] = [];
  const binding: BindingInfo = { type: 'timerTrigger', direction: 'in', ...trigger };
  const registered: RegisteredFunction = {
    metadata: { name: 'tick', bindings: { timer: binding } },
    callback: () => undefined,
  };
  const handlers: (() => Promise<void>)[] = [];
  const start = () => {
    timers = new TimerTriggers({
      functions: new Map([['tick', registered]]),
      clock,
      log: (entry) => logs.push(entry),
      environment: { TICK: '0 * * * * *' },
      loadStatus: (name) => statuses.get(name),
      saveStatus: (name, row) => statuses.set(name, row),
      run: async (_name, data: RpcTypedData) => {
        const input = JSON.parse(data.json ?? '');
        inputs.push(input);
        runs.push({ at: new Date(clock.now()).toISOString().slice(11, 19), isPastDue: input.IsPastDue });
        await handlers.shift()?.();
      },
    });
  };
  const settle = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, runs, inputs, statuses, logs, handlers, start, advance: (ms: number) => clock.advance(ms, settle) };
}

describe('timer triggers', () => {
  test('run at their times', async () => {
    const t = setUp({ schedule: '*/20 * * * * *' });
    t.start();
    await t.advance(MINUTE_MS);
    expect(t.runs.map(({ at }) => at)).toEqual(['12:00:40', '12:01:00', '12:01:20']);
  });

  test('take their schedule from an app setting', async () => {
    const t = setUp({ schedule: '%TICK%' });
    t.start();
    await t.advance(MINUTE_MS);
    expect(t.runs).toEqual([{ at: '12:01:00', isPastDue: false }]);
  });

  test('remember last and next time', async () => {
    const t = setUp({ schedule: '0 */5 * * * *' });
    t.start();
    await t.advance(10 * MINUTE_MS);
    expect(t.statuses.get('tick')).toEqual({
      schedule: '0 */5 * * * *',
      lastMs: Date.UTC(2026, 10, 1, 12, 10),
      nextMs: Date.UTC(2026, 10, 1, 12, 15),
    });
    expect(t.inputs.at(-1)?.ScheduleStatus.Next).toBe('2026-11-01T12:15:00.000Z');
  });

  const missed = { schedule: '0 */5 * * * *', lastMs: START_MS - 20 * MINUTE_MS, nextMs: START_MS - 15 * MINUTE_MS };

  test('a run that was missed while the host was down is made up for once, past due', async () => {
    const t = setUp({ schedule: '0 */5 * * * *' }, missed);
    t.start();
    await t.advance(5 * MINUTE_MS);
    expect(t.runs).toEqual([
      { at: '12:00:30', isPastDue: true },
      { at: '12:05:00', isPastDue: false },
    ]);
  });

  test.each([
    ['the schedule has changed', { schedule: '0 */10 * * * *' }],
    ['useMonitor is off', { schedule: '0 */5 * * * *', useMonitor: false }],
  ])('not when %s', async (_what, trigger) => {
    const t = setUp(trigger, missed);
    t.start();
    await t.advance(MINUTE_MS);
    expect(t.runs).toEqual([]);
  });

  test('schedules below a minute are not remembered', async () => {
    const t = setUp({ schedule: '*/5 * * * * *' });
    t.start();
    await t.advance(MINUTE_MS);
    expect(t.statuses.size).toBe(0);
  });

  test('runOnStartup runs at once', async () => {
    const t = setUp({ schedule: '0 0 * * * *', runOnStartup: true });
    t.start();
    await t.advance(0);
    expect(t.runs).toEqual([{ at: '12:00:30', isPastDue: false }]);
  });

  test('a run that takes long is not overlapped; what it missed follows once', async () => {
    const t = setUp({ schedule: '*/10 * * * * *' });
    const { promise, resolve } = Promise.withResolvers<void>();
    t.handlers.push(() => promise);
    t.start();
    await t.advance(45_000);
    expect(t.runs.map(({ at }) => at)).toEqual(['12:00:40']);
    resolve();
    await t.advance(5_000);
    expect(t.runs.map(({ at }) => at)).toEqual(['12:00:40', '12:01:15', '12:01:20']);
  });

  test('a run that fails is logged and does not stop the schedule', async () => {
    const t = setUp({ schedule: '*/10 * * * * *' });
    t.handlers.push(() => Promise.reject(new Error('no luck')));
    t.start();
    await t.advance(20_000);
    expect(t.runs).toHaveLength(2);
    expect(t.logs).toContainEqual(
      expect.objectContaining({ level: 'error', message: "Timer function 'tick' failed: no luck" }),
    );
  });

  test('after stop nothing runs', async () => {
    const t = setUp({ schedule: '*/10 * * * * *' });
    t.start();
    timers?.stop();
    await t.advance(MINUTE_MS);
    expect(t.runs).toEqual([]);
  });

  test('schedules that cannot be read are refused with every problem', () => {
    expect(() => setUp({ schedule: '60 x * * * *' }).start()).toThrow(
      "Timer schedules: tick: seconds: '60' is outside 0-59; tick: minutes: 'x' is outside 0-59",
    );
    expect(() => setUp({ schedule: '%UNSET%' }).start()).toThrow("expected six fields, found 1: '%UNSET%'");
  });
});
