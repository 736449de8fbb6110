// Timer triggers: each function on its own schedule, never two runs of one at a time.
import type { Clock } from './clock.ts';
import { messageOf } from './durable-engine.ts';
import type { RegisteredFunction } from './functions-core.ts';
import { triggerOf } from './invocation.ts';
import { type NcrontabSchedule, nextOccurrenceMs, parseNcrontab } from './ncrontab.ts';
import type { ScheduleRow } from './task-hub-schema.ts';
import type { Log, RpcTypedData } from './wire.ts';

/** Missed runs are noticed only for intervals of at least this length, as useMonitor does in the WebJobs extension. */
const MONITORED_INTERVAL_MS_MIN = 60_000;

export interface TimerTriggersOptions {
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  readonly clock: Clock;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly loadStatus: (functionName: string) => ScheduleRow | undefined;
  readonly saveStatus: (functionName: string, row: ScheduleRow) => void;
  /** Runs the function; rejects when it failed. */
  readonly run: (functionName: string, timer: RpcTypedData) => Promise<unknown>;
}

interface Timer {
  readonly name: string;
  readonly text: string;
  readonly schedule: NcrontabSchedule;
  readonly runOnStartup: boolean;
  readonly useMonitor: boolean;
  nextMs: number;
}

/** The timer argument; PascalCase on the wire, @azure/functions makes it camelCase. */
export function timerInput(isPastDue: boolean, lastMs: number, nextMs: number, nowMs: number): RpcTypedData {
  const time = (ms: number) => new Date(ms).toISOString();
  const ScheduleStatus = { Last: time(lastMs), Next: time(nextMs), LastUpdated: time(nowMs) };
  return { json: JSON.stringify({ Schedule: { AdjustForDST: true }, ScheduleStatus, IsPastDue: isPastDue }) };
}

/** Starts the schedules of all timer functions. Throws with every schedule that cannot be read. */
export class TimerTriggers {
  readonly #options: TimerTriggersOptions;
  readonly #cancels = new Map<string, () => void>();
  #runningCount = 0;
  #stopped = false;

  constructor(options: TimerTriggersOptions) {
    this.#options = options;
    for (const timer of parseTimers(options)) this.#begin(timer);
  }

  get isIdle(): boolean {
    return this.#runningCount === 0;
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#cancels.values()) cancel();
    this.#cancels.clear();
  }

  #begin(timer: Timer): void {
    const nowMs = this.#options.clock.now();
    const status = this.#options.loadStatus(timer.name);
    const isMissed = timer.useMonitor && status?.schedule === timer.text && status.nextMs < nowMs;
    if (isMissed || timer.runOnStartup) void this.#run(timer, isMissed, status?.lastMs ?? nowMs);
    else this.#arm(timer);
  }

  #arm(timer: Timer): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const cancel = clock.schedule(timer.nextMs, () => void this.#run(timer, false, timer.nextMs));
    this.#cancels.set(timer.name, cancel);
  }

  /**
   * Runs the function once and arms the next run. The next time is reckoned from the start of this run: one that was
   * missed because the run took long follows at once, more than one are not made up for (TimerListener.cs).
   */
  async #run(timer: Timer, isPastDue: boolean, lastMs: number): Promise<void> {
    const { clock, log, saveStatus } = this.#options;
    const nowMs = clock.now();
    timer.nextMs = nextOccurrenceMs(timer.schedule, nowMs) ?? Number.MAX_SAFE_INTEGER;
    this.#runningCount++;
    try {
      await this.#options.run(timer.name, timerInput(isPastDue, lastMs, timer.nextMs, nowMs));
    } catch (error) {
      const message = `Timer function '${timer.name}' failed: ${messageOf(error)}`;
      log({ level: 'error', category: 'Host.Triggers.Timer', message, functionName: timer.name });
    }
    this.#runningCount--;
    if (this.#stopped) return;
    if (timer.useMonitor) saveStatus(timer.name, { schedule: timer.text, lastMs: nowMs, nextMs: timer.nextMs });
    this.#arm(timer);
  }
}

function parseTimers({ functions, environment, clock }: TimerTriggersOptions): Timer[] {
  const problems: string[] = [];
  const timers: Timer[] = [];
  for (const registered of functions.values()) {
    const { type, schedule = '', runOnStartup = false, useMonitor = true } = triggerOf(registered);
    if (type !== 'timerTrigger') continue;
    const { name } = registered.metadata;
    // '%NAME%' stands for an app setting.
    const text = schedule.replace(/^%(.+)%$/, (whole, setting: string) => environment[setting] ?? whole);
    const parsed = parseNcrontab(text);
    if (parsed.type === 'invalid') {
      problems.push(...parsed.problems.map((problem) => `${name}: ${problem}`));
      continue;
    }
    const nextMs = nextOccurrenceMs(parsed.schedule, clock.now()) ?? Number.MAX_SAFE_INTEGER;
    const intervalMs = (nextOccurrenceMs(parsed.schedule, nextMs) ?? Number.MAX_SAFE_INTEGER) - nextMs;
    const isMonitored = useMonitor && intervalMs >= MONITORED_INTERVAL_MS_MIN;
    timers.push({ name, text, schedule: parsed.schedule, runOnStartup, useMonitor: isMonitored, nextMs });
  }
  if (problems.length > 0) throw new Error(`Timer schedules: ${problems.join('; ')}`);
  return timers;
}
