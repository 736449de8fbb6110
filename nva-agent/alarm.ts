// The agent's one timer: rings when the step wants its next tick.

/** Longest timer Node keeps. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface AlarmOwner {
  readonly nowMs: () => number;
  /** When to ring, on the clock of `nowMs`; asked when the present turn of the event loop ends. Infinity for never. */
  readonly dueMs: () => number;
  readonly ring: () => void;
}

export class Alarm {
  readonly #owner: AlarmOwner;
  #timer: NodeJS.Timeout | undefined;
  #setting: NodeJS.Immediate | undefined;

  constructor(owner: AlarmOwner) {
    this.#owner = owner;
  }

  /** Something has changed that may ask for another time. Once per turn, because finding it looks at every vip. */
  set(): void {
    this.#setting ??= setImmediate(() => {
      this.clear();
      const waitMs = Math.ceil(this.#owner.dueMs() - this.#owner.nowMs());
      if (waitMs <= TIMER_MS_MAX) this.#timer = setTimeout(this.#owner.ring, Math.max(0, waitMs));
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#setting);
    this.#setting = undefined;
  }
}
