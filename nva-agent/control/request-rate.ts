// How many requests one address may make: a bucket that refills evenly. A flood from one caller must not keep out another.
// It must never know a clock: the time is an argument.

export interface RequestRate {
  /** Whether this address may make one more request now. */
  admit(address: string, nowMs: number): boolean;
}

/** Seats send a handful of requests a second at most, scrapers less. */
export const REQUESTS_PER_SECOND = 100;
export const REQUESTS_BURST = 200;
/** Addresses remembered; the one not heard for longest is forgotten first, and begins with a full bucket. */
export const ADDRESSES_MAX = 256;

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

export function createRequestRate(): RequestRate {
  const buckets = new Map<string, Bucket>();
  return {
    admit: (address, nowMs) => {
      const { left, atMs } = buckets.get(address) ?? { left: REQUESTS_BURST, atMs: nowMs };
      const now = Math.min(REQUESTS_BURST, left + (Math.max(0, nowMs - atMs) / 1000) * REQUESTS_PER_SECOND);
      // Taken out and put back: a map lists its keys by when they came in.
      buckets.delete(address);
      const [oldest] = buckets.keys();
      if (buckets.size >= ADDRESSES_MAX && oldest !== undefined) buckets.delete(oldest);
      buckets.set(address, { left: now >= 1 ? now - 1 : now, atMs: nowMs });
      return now >= 1;
    },
  };
}
