// One figure of a benchmark, as it stands in results.json.

export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it was measured beside, in the same run. */
  readonly peer?: string;
  /** Ours over the peer's. */
  readonly ratio?: number;
  /** Day of the measurement, where only a part of the benchmarks is run at a time. */
  readonly date?: string;
}

/** Figures of this run in the place of their elders; the others stay. A peer's `name [peer]` gets ours over it. */
export function mergeResults(
  before: readonly BenchResult[],
  now: readonly BenchResult[],
  date: string,
): readonly BenchResult[] {
  const renewed = new Set(now.map(({ name }) => name));
  const merged = [...before.filter(({ name }) => !renewed.has(name)), ...now.map((result) => ({ ...result, date }))];
  const ours = new Map(merged.map(({ name, value }) => [name, value]));
  return merged.map(({ ratio: _old, ...result }) => {
    const own = ours.get(result.name.replace(/ \[.*\]$/, ''));
    if (result.peer === undefined || own === undefined || result.value === 0) return result;
    return { ...result, ratio: Math.round((own / result.value) * 10_000) / 10_000 };
  });
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
