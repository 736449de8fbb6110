// Runs orchestrators as Durable Functions does: each await is history, a restart replays history and goes on.
import type { OrchestrationContext, Task } from 'durable-functions';
import type { Client } from '../../functions/http/call.ts';
import type { Timeline } from './timeline.ts';
import type { Process } from './wires.ts';

export type Orchestrator = (context: OrchestrationContext) => Generator<Task, unknown, unknown>;
export type Activity = (input: never, client: Client) => Promise<unknown>;

interface Instance {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly startedAtMs: number;
  readonly history: { readonly result: unknown; readonly atMs: number }[];
  isDone: boolean;
  output?: unknown;
}

type Wanted =
  | { readonly type: 'activity'; readonly name: string; readonly input: unknown }
  | { readonly type: 'timer'; readonly atMs: number }
  | { readonly type: 'all'; readonly tasks: readonly Wanted[] };

export interface DurableHostOptions {
  readonly timeline: Timeline;
  readonly process: Process;
  readonly orchestrators: Readonly<Record<string, Orchestrator>>;
  /** Of the seat's wall clock. */
  readonly nowMs: () => number;
  /** How long the task hub takes to write a step. */
  readonly stepMs: () => number;
  /** A mistake of ours: an activity threw, or there is none of that name. */
  readonly onMistake: (text: string) => void;
}

/** More steps than this is no short orchestration. */
const STEPS_MAX = 200;
/** As the SDK says it; made once, because a stack trace for every question costs more than the answer. */
const NOT_FOUND = new Error('HTTP 404: no such instance');

/** As JSON would bring it back, without the text between: what has no place in JSON is lost here too. */
function copy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : copy(item))) as T;
  const source = value as Record<string, unknown>;
  if (typeof source.toJSON === 'function') return JSON.parse(JSON.stringify(value)) as T;
  const made: Record<string, unknown> = {};
  for (const key of Object.keys(source)) if (source[key] !== undefined) made[key] = copy(source[key]);
  return made as T;
}

export class DurableHost {
  /** In the task hub: survives the process. */
  readonly instances = new Map<string, Instance>();
  /** Orchestrations not ended yet. */
  running = 0;
  readonly client: Client;
  activities: Readonly<Record<string, Activity>> = {};
  readonly #options: DurableHostOptions;

  constructor(options: DurableHostOptions) {
    this.#options = options;
    this.client = {
      startNew: async (name: string, { instanceId = '', input }: { instanceId?: string; input?: unknown } = {}) => {
        if (this.instances.has(instanceId)) throw new Error('HTTP 500: exists');
        this.#begin({
          ...{ id: instanceId, name, input: copy(input), startedAtMs: this.#options.nowMs() },
          ...{ history: [], isDone: false },
        });
        return instanceId;
      },
      getStatus: async (id: string) => {
        if (!this.instances.has(id)) throw NOT_FOUND;
        return {};
      },
    } as unknown as Client;
  }

  /** After a restart of the process: what had not ended goes on. */
  recover(): void {
    for (const instance of this.instances.values()) if (!instance.isDone) this.#run(instance);
  }

  #begin(instance: Instance): void {
    this.instances.set(instance.id, instance);
    this.running += 1;
    const { timeline, process, stepMs } = this.#options;
    const { boot } = process;
    timeline.after(stepMs(), () => process.resume(boot, () => this.#run(instance)));
  }

  #run(instance: Instance): void {
    this.#options.timeline.stir();
    void this.#drive(instance).catch((error: unknown) => {
      this.#options.onMistake(`${instance.id}: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    });
  }

  async #drive(instance: Instance): Promise<void> {
    const orchestrator = this.#options.orchestrators[instance.name];
    if (orchestrator === undefined) throw new Error(`no orchestrator ${instance.name}`);
    let nowMs = instance.startedAtMs;
    const generator = orchestrator(contextOf(instance, () => nowMs));
    let step = generator.next();
    for (let i = 0; step.done !== true; i += 1) {
      if (i >= STEPS_MAX) throw new Error(`more than ${STEPS_MAX} steps`);
      const known = instance.history[i] ?? (await this.#perform(instance, step.value as unknown as Wanted));
      nowMs = known.atMs;
      step = generator.next(known.result);
    }
    instance.isDone = true;
    instance.output = step.value;
    this.running -= 1;
  }

  async #perform(instance: Instance, wanted: Wanted): Promise<Instance['history'][number]> {
    const result = copy(await this.#resultOf(wanted));
    await this.#sleep(this.#options.stepMs());
    const entry = { result, atMs: this.#options.nowMs() };
    instance.history.push(entry);
    return entry;
  }

  async #resultOf(wanted: Wanted): Promise<unknown> {
    switch (wanted.type) {
      case 'activity': {
        const activity = this.activities[wanted.name];
        if (activity === undefined) throw new Error(`no activity ${wanted.name}`);
        return await activity(copy(wanted.input) as never, this.client);
      }
      case 'timer':
        await this.#sleep(Math.max(0, wanted.atMs - this.#options.nowMs()));
        return null;
      case 'all':
        return await Promise.all(wanted.tasks.map((task) => this.#resultOf(task)));
    }
  }

  #sleep(delayMs: number): Promise<void> {
    const { timeline, process } = this.#options;
    const { boot } = process;
    return new Promise((resolve) => {
      timeline.after(delayMs, () =>
        process.resume(boot, () => {
          timeline.stir();
          resolve();
        }),
      );
    });
  }
}

function contextOf(instance: Instance, nowMs: () => number): OrchestrationContext {
  const df = {
    instanceId: instance.id,
    get currentUtcDateTime() {
      return new Date(nowMs());
    },
    getInput: () => copy(instance.input),
    setCustomStatus: () => undefined,
    callActivity: (name: string, input: unknown): Wanted => ({ type: 'activity', name, input }),
    createTimer: (at: Date): Wanted => ({ type: 'timer', atMs: at.getTime() }),
    Task: { all: (tasks: Wanted[]): Wanted => ({ type: 'all', tasks }) },
  };
  return { df } as unknown as OrchestrationContext;
}
