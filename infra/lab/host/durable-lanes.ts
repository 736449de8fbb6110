// Keeps a task hub's work going: one lane each for orchestrations, activities and entities, and the alarm for timers.
import { runActivity } from './activities.ts';
import type { Clock } from './clock.ts';
import { type DurableEngine, messageOf, report } from './durable-engine.ts';
import { runBatch } from './entities.ts';
import { purgeInstances } from './management.ts';
import { runTurn } from './orchestrations.ts';
import type { Touched } from './task-hub.ts';
import { WorkLane } from './work-lane.ts';

/** How often ended instances that are old enough are purged. */
const PURGE_INTERVAL_MS = 3_600_000;

export interface DurableLanesOptions {
  readonly engine: DurableEngine;
  /** Ended instances are purged when they have not changed for so long. */
  readonly retentionMs: number;
  readonly pick?: ((waiting: number) => number) | undefined;
}

export class DurableLanes {
  readonly #options: DurableLanesOptions;
  readonly #clock: Clock;
  readonly #instances: WorkLane;
  readonly #activities: WorkLane;
  readonly #entities: WorkLane;
  #cancelAlarm: (() => void) | undefined;
  #cancelPurge: (() => void) | undefined;
  #stopped = false;

  constructor(options: DurableLanesOptions) {
    const { engine, pick } = options;
    const { settings, clock } = engine;
    this.#options = options;
    this.#clock = clock;
    const lane = (kind: string, concurrency: number, run: (key: string) => Promise<void>) => {
      const onError = (key: string, error: unknown) =>
        report(engine, 'error', `The host failed at ${kind} '${key}', it will try again: ${messageOf(error)}`);
      return new WorkLane({ concurrency, clock, run, onError, pick });
    };
    this.#instances = lane('instance', settings.orchestratorsMax, (id) => runTurn(engine, id));
    this.#activities = lane('activity', settings.activitiesMax, (seq) => runActivity(engine, Number(seq)));
    this.#entities = lane('entity', settings.entitiesMax, (id) => runBatch(engine, id));
  }

  get isIdle(): boolean {
    return this.#instances.isIdle && this.#activities.isIdle && this.#entities.isIdle;
  }

  /** Takes up everything that the task hub holds, as after a crash. */
  start(): void {
    const { hub } = this.#options.engine;
    for (const seq of hub.activitiesPending()) this.#activities.mark(seq);
    for (const id of hub.entitiesPending()) this.#entities.mark(id);
    this.#wake();
    this.#purge();
  }

  /** Starts nothing more; what runs goes on. */
  stop(): void {
    this.#stopped = true;
    this.#cancelAlarm?.();
    this.#cancelPurge?.();
    for (const lane of [this.#instances, this.#activities, this.#entities]) lane.stop();
  }

  /** Call it after each commit. */
  onCommitted(touched: Touched): void {
    if (this.#stopped) return;
    for (const id of touched.instances) this.#instances.mark(id);
    for (const seq of touched.activities) this.#activities.mark(seq);
    for (const id of touched.entities) this.#entities.mark(id);
    if (touched.timers) this.#setAlarm();
  }

  /** Marks every instance with due messages and sets the alarm for the next timer. */
  #wake(): void {
    for (const id of this.#options.engine.hub.instancesDue(this.#clock.now())) this.#instances.mark(id);
    this.#setAlarm();
  }

  #setAlarm(): void {
    this.#cancelAlarm?.();
    const dueMs = this.#options.engine.hub.nextDueMs(this.#clock.now());
    this.#cancelAlarm = dueMs === undefined ? undefined : this.#clock.schedule(dueMs, () => this.#wake());
  }

  #purge(): void {
    const { engine, retentionMs } = this.#options;
    const nowMs = this.#clock.now();
    try {
      const count = purgeInstances(engine, { updatedToMs: nowMs - retentionMs });
      if (count > 0)
        report(engine, 'information', `Purged ${count} instances that ended more than ${retentionMs} ms ago.`);
    } catch (error) {
      report(engine, 'error', `The purge of old instances failed, the next will try again: ${messageOf(error)}`);
    }
    this.#cancelPurge = this.#clock.schedule(nowMs + PURGE_INTERVAL_MS, () => this.#purge());
  }
}
