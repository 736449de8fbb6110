// What a client that keeps asking lived through: how long nobody answered it, how many requests failed, who answered.
// Knows samples only: no sockets, no clock.

/** One request, on the clock of the machine, epoch ms with fractions. */
export interface Sample {
  readonly startMs: number;
  readonly endMs: number;
  /** The region that answered, or null when the request failed. */
  readonly region: string | null;
  /** Why it failed. */
  readonly failure?: string;
}

export interface Outage {
  /**
   * The longest time between the completion of one successful request and the completion of the next, looking only at
   * gaps that ended after the fault. The client's period (10 ms) is inside: with nothing wrong the figure is about one
   * period plus the machine's jitter, so it never flatters.
   */
  readonly outageMs: number;
  /** Requests under way at or after the fault that got no good answer. */
  readonly failedRequests: number;
}

/**
 * The outage around a fault, from samples up to the end of the observation. Without a single success after the fault
 * the outage is unbounded and the answer undefined.
 */
export function measureOutage(samples: readonly Sample[], faultAtMs: number, endMs: number): Outage | undefined {
  const completions = samples
    .filter((sample) => sample.region !== null && sample.endMs <= endMs)
    .map((sample) => sample.endMs)
    .sort((a, b) => a - b);
  let longest: number | undefined;
  for (const [i, completedMs] of completions.entries()) {
    const before = completions[i - 1];
    if (before === undefined || completedMs < faultAtMs) continue;
    longest = Math.max(longest ?? 0, completedMs - before);
  }
  if (longest === undefined) return undefined;
  const failedRequests = samples.filter(
    (sample) => sample.region === null && sample.endMs >= faultAtMs && sample.startMs <= endMs,
  ).length;
  return { outageMs: longest, failedRequests };
}

/** When the given region first answered after the fault, or undefined. */
export function firstAnswerBy(samples: readonly Sample[], region: string, faultAtMs: number): number | undefined {
  let first: number | undefined;
  for (const sample of samples) {
    if (sample.region !== region || sample.startMs < faultAtMs) continue;
    if (first === undefined || sample.endMs < first) first = sample.endMs;
  }
  return first;
}

/** Whether the latest `count` requests were all answered, and all by this region. */
export function isServedBy(samples: readonly Sample[], region: string, count: number): boolean {
  const latest = samples.slice(-count);
  return latest.length === count && latest.every((sample) => sample.region === region);
}
