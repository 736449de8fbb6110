// Time as a port: the lab runs on the real clock, tests move a virtual one.

/** Time in epoch milliseconds. */
export interface Clock {
  now(): number;
  /** Calls back at or after the given time; returns a function that cancels it. */
  schedule(atMs: number, callback: () => void): () => void;
}

/** setTimeout cannot wait longer than this. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export function createRealClock(): Clock {
  return {
    now: () => Date.now(),
    schedule(atMs, callback) {
      let timeout: NodeJS.Timeout;
      const arm = () => {
        const leftMs = atMs - Date.now();
        // Node may fire a millisecond early, and long waits take several timeouts: look at the clock again.
        timeout = setTimeout(
          () => (Date.now() >= atMs ? callback() : arm()),
          Math.min(Math.max(leftMs, 0), TIMEOUT_MS_MAX),
        );
      };
      arm();
      return () => clearTimeout(timeout);
    },
  };
}

export interface VirtualClock extends Clock {
  /**
   * Moves the time on, from callback to callback in order. settle is awaited before the first and after each
   * callback, so that all work a moment causes is done in that moment.
   */
  advance(byMs: number, settle: () => Promise<void>): Promise<void>;
}

export function createVirtualClock(startMs: number): VirtualClock {
  let nowMs = startMs;
  const pending: { readonly atMs: number; readonly callback: () => void }[] = [];
  return {
    now: () => nowMs,
    schedule(atMs, callback) {
      const entry = { atMs, callback };
      pending.push(entry);
      pending.sort((a, b) => a.atMs - b.atMs);
      return () => {
        const index = pending.indexOf(entry);
        if (index >= 0) pending.splice(index, 1);
      };
    },
    async advance(byMs, settle) {
      const endMs = nowMs + byMs;
      await settle();
      for (let next = pending[0]; next && next.atMs <= endMs; next = pending[0]) {
        pending.shift();
        nowMs = Math.max(nowMs, next.atMs);
        next.callback();
        await settle();
      }
      nowMs = endMs;
    },
  };
}
