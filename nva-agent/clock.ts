// The two clocks of the agent: one that never jumps for everything measured, the wall clock for what others dated.

export interface Clock {
  /** Epoch ms that only ever move forward, evenly: set by the wall clock once, at start. */
  readonly nowMs: () => number;
  /** The wall clock, epoch ms; it may jump. Only for comparing with times others wrote. */
  readonly wallMs: () => number;
}

export function createClock(): Clock {
  const startMs = Date.now() - performance.now();
  return { nowMs: () => startMs + performance.now(), wallMs: () => Date.now() };
}
