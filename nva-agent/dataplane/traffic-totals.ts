// Totals that never fall, from counters that start again when a process or a table is replaced. Values only.

/** Counters of one vip from one source: an HAProxy worker, or a table of the kernel. */
export interface TrafficSample {
  readonly source: string;
  readonly vip: string;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export type TrafficTotal = Omit<TrafficSample, 'source' | 'vip'>;

export interface TrafficTotals {
  /** Of sources that are gone, or have started again. */
  readonly past: ReadonlyMap<string, TrafficTotal>;
  /** Newest sample by source and vip. */
  readonly latest: ReadonlyMap<string, TrafficSample>;
}

export const NO_TRAFFIC: TrafficTotal = { connections: 0, bytesIn: 0, bytesOut: 0 };
export const emptyTotals: TrafficTotals = { past: new Map(), latest: new Map() };

const keyOf = (sample: TrafficSample): string => `${sample.source} ${sample.vip}`;

/** The sum of two. */
export const addTraffic = (a: TrafficTotal, b: TrafficTotal): TrafficTotal => ({
  connections: a.connections + b.connections,
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
});

/** Takes in one complete look at all sources. */
export function takeSamples(totals: TrafficTotals, samples: readonly TrafficSample[]): TrafficTotals {
  const latest = new Map(samples.map((sample) => [keyOf(sample), sample] as const));
  const past = new Map(totals.past);
  for (const [key, before] of totals.latest) {
    const now = latest.get(key);
    const isSame = now !== undefined && now.bytesIn >= before.bytesIn && now.connections >= before.connections;
    if (!isSame) past.set(before.vip, addTraffic(past.get(before.vip) ?? NO_TRAFFIC, before));
  }
  return { past, latest };
}

/** The total of one vip since the beginning. */
export function totalOf(totals: TrafficTotals, vip: string): TrafficTotal {
  return [...totals.latest.values()]
    .filter((sample) => sample.vip === vip)
    .reduce<TrafficTotal>(addTraffic, totals.past.get(vip) ?? NO_TRAFFIC);
}
