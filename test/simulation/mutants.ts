// The mutants: each takes one guard out of the product, and names the seeds that show the harm.

export interface Mutant {
  readonly name: string;
  /** What is taken away, for people. */
  readonly removes: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Seeds known to kill it; tried in this order. */
  readonly seeds: readonly number[];
}

export const MUTANTS: readonly Mutant[] = [];
