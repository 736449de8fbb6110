// Virtual time: things happen in order of their time, and time passes only between them.

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** `then` of a promise costs less than `queueMicrotask`, which makes a resource for those who trace. */
const DONE = Promise.resolve();

/**
 * Everything the product awaits is settled by then: there is no real I/O, so its promises need no real time. A tick asked
 * for by a microtask comes after the last of them, without a turn of the event loop, which would cost more than most events.
 */
const settle = (): Promise<void> => new Promise((resolve) => void DONE.then(() => process.nextTick(resolve)));

export class Timeline {
  nowMs: number;
  #heap: Entry[] = [];
  #count = 0;
  #isStirred = false;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  /** Runs it at that time, or now when that has passed; what was asked for first runs first. */
  at(atMs: number, run: () => void): void {
    this.#count += 1;
    this.#push({ atMs: Math.max(this.nowMs, atMs), order: this.#count, run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Somebody awaits something: before the next event all promises must have settled. */
  stir(): void {
    this.#isStirred = true;
  }

  /** Lives until the given time. */
  async runUntil(untilMs: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      this.nowMs = next.atMs;
      next.run();
      if (!this.#isStirred) continue;
      this.#isStirred = false;
      await settle();
    }
    this.nowMs = untilMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
