// One figure of a benchmark, as it stands in results.json.

export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it was measured beside, in the same run. */
  readonly peer?: string;
  /** Ours over the peer's. */
  readonly ratio?: number;
}

/** Minimum, median and 95th percentile of samples, as three figures. Samples must not be empty. */
export function summarise(name: string, samples: readonly number[], unit: string): BenchResult[] {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
  return [
    { name: `${name}, min`, value: at(0), unit },
    { name: `${name}, p50`, value: at(0.5), unit },
    { name: `${name}, p95`, value: at(0.95), unit },
  ];
}

const round = (value: number): number => Math.round(value * 100) / 100;
