// Drives an orchestrator's generator by hand: activities are given, timers move the clock, every yield is on record.
import type { OrchestrationContext, Task } from 'durable-functions';

/** What was yielded, in order. */
export type Yielded =
  | { readonly type: 'activity'; readonly name: string; readonly input: unknown }
  | { readonly type: 'timer'; readonly atMs: number }
  | { readonly type: 'all'; readonly names: readonly string[] };

interface FakeTask extends Task {
  readonly yielded: Yielded;
  readonly run: () => unknown;
}

export interface Driven<T> {
  readonly output: T;
  readonly yields: readonly Yielded[];
  readonly customStatuses: readonly unknown[];
  readonly endedAtMs: number;
}

export interface DriveOptions {
  readonly input: unknown;
  readonly instanceId?: string;
  readonly startMs: number;
  /** Answers an activity; may be async. */
  readonly activity: (name: string, input: unknown, nowMs: number) => unknown;
  /** Sees every timer before the clock moves on. */
  readonly onTimer?: (atMs: number) => unknown;
}

/** Yields of one run; an orchestration that needs more is out of bounds. */
const YIELDS_MAX = 200;

export async function drive<T>(
  orchestrator: (context: OrchestrationContext) => Generator<Task, T, unknown>,
  options: DriveOptions,
): Promise<Driven<T>> {
  let nowMs = options.startMs;
  const yields: Yielded[] = [];
  const customStatuses: unknown[] = [];
  const task = (yielded: Yielded, run: () => unknown): FakeTask => ({
    isCompleted: false,
    isFaulted: false,
    yielded,
    run,
  });
  const df = {
    instanceId: options.instanceId ?? 'instance-1',
    get currentUtcDateTime() {
      return new Date(nowMs);
    },
    getInput: () => options.input,
    setCustomStatus: (status: unknown) => customStatuses.push(JSON.parse(JSON.stringify(status))),
    callActivity: (name: string, input: unknown) =>
      // As on the wire: what cannot be JSON does not arrive.
      task({ type: 'activity', name, input }, () => options.activity(name, JSON.parse(JSON.stringify(input)), nowMs)),
    createTimer: (at: Date) =>
      task({ type: 'timer', atMs: at.getTime() }, async () => {
        await options.onTimer?.(at.getTime());
        nowMs = Math.max(nowMs, at.getTime());
      }),
    Task: {
      all: (tasks: FakeTask[]) =>
        task(
          {
            type: 'all',
            names: tasks.map((one) => (one.yielded.type === 'activity' ? one.yielded.name : one.yielded.type)),
          },
          () => Promise.all(tasks.map((one) => one.run())),
        ),
    },
  };
  const generator = orchestrator({ df } as unknown as OrchestrationContext);
  let step = generator.next();
  while (step.done !== true) {
    if (yields.length >= YIELDS_MAX) throw new Error(`more than ${YIELDS_MAX} yields`);
    const { yielded, run } = step.value as FakeTask;
    yields.push(yielded);
    const result = await run();
    step = generator.next(result === undefined ? undefined : JSON.parse(JSON.stringify(result)));
  }
  return { output: step.value, yields, customStatuses, endedAtMs: nowMs };
}
