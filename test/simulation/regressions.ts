// Seeds that once showed something, and what. They are lived through in every run.

export interface Regression {
  readonly seed: number;
  readonly showed: string;
}

export const REGRESSIONS: readonly Regression[] = [
  { seed: 9, showed: 'an order of a ledger that nobody had decided on was handed out before any record of it' },
  { seed: 12, showed: 'a ledger put back to where agents could not tell it had its audit records overwritten' },
  { seed: 2180, showed: 'the same after a commit whose answer was lost' },
  {
    seed: 5838,
    showed: 'a region without sessions was doubted at the circuit, and not chosen long after they were back',
  },
];
