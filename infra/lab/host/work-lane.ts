// A lane of work: items by key, each key one at a time, at most so many keys at once.
import type { Clock } from './clock.ts';

/** Waits before a key whose work failed the host is tried again; doubled each time up to the limit. */
const RETRY_MS_FIRST = 50;
const RETRY_MS_MAX = 5_000;

export interface WorkLaneOptions {
  readonly concurrency: number;
  readonly clock: Clock;
  /** Does all work there is for the key. Rejects only when the host itself failed; then it is called again later. */
  readonly run: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown) => void;
  /** Which of the waiting keys starts next; the oldest unless a test wants another order. */
  readonly pick?: ((waiting: number) => number) | undefined;
}

/**
 * Keys marked while they run are run once more afterwards, so no mark is lost and no key overlaps itself. Holds keys
 * only: the work itself stands in the task hub.
 */
export class WorkLane {
  readonly #options: WorkLaneOptions;
  readonly #waiting = new Set<string>();
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #retries = new Map<string, () => void>();
  #stopped = false;
  #pumpQueued = false;

  constructor(options: WorkLaneOptions) {
    this.#options = options;
  }

  /** True when nothing runs or could run now; keys that wait for a retry do not count. */
  get isIdle(): boolean {
    return this.#running.size === 0 && (this.#waiting.size === 0 || this.#stopped);
  }

  mark(key: string): void {
    if (this.#stopped) return;
    this.#waiting.add(key);
    this.#queuePump();
  }

  /** Starts nothing more; what runs goes on. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  /** Work starts in a later turn of the event loop, so that a caller's transaction is over and stacks stay flat. */
  #queuePump(): void {
    if (this.#pumpQueued) return;
    this.#pumpQueued = true;
    setImmediate(() => {
      this.#pumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    const ready = [...this.#waiting].filter((key) => !this.#running.has(key));
    while (!this.#stopped && ready.length > 0 && this.#running.size < this.#options.concurrency) {
      const [key] = ready.splice(this.#options.pick?.(ready.length) ?? 0, 1);
      if (key !== undefined) void this.#start(key);
    }
  }

  async #start(key: string): Promise<void> {
    this.#waiting.delete(key);
    this.#running.add(key);
    try {
      await this.#options.run(key);
      this.#failures.delete(key);
    } catch (error) {
      this.#options.onError(key, error);
      this.#retryLater(key);
    }
    this.#running.delete(key);
    if (this.#waiting.size > 0) this.#queuePump();
  }

  #retryLater(key: string): void {
    if (this.#stopped || this.#retries.has(key)) return;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { clock } = this.#options;
    const delayMs = Math.min(RETRY_MS_FIRST * 2 ** failures, RETRY_MS_MAX);
    const cancel = clock.schedule(clock.now() + delayMs, () => {
      this.#retries.delete(key);
      this.mark(key);
    });
    this.#retries.set(key, cancel);
  }
}
