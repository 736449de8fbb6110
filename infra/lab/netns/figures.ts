// The result of a scenario as figures: percentiles over its runs and the one line of JSON that ends the output.
import { areIntact, type TransferResult } from './transfers.ts';

export interface Figures {
  readonly min: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** What one run showed. */
export interface RunResult {
  readonly outageMs: number;
  readonly failedRequests: number;
  /** From the fault to the first answer of the region that traffic had to move to. */
  readonly movedMs: number;
  /** Everything the scenario requires was seen; otherwise `problem` says what was not. */
  readonly ok: boolean;
  readonly problem?: string;
  /** all-apps-down only. */
  readonly servedAfterReturnMs?: number;
  readonly announcedThroughout?: boolean;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly runs: number;
  readonly outageMs: Figures;
  /** Over all runs. */
  readonly failedRequests: number;
  readonly ok: boolean;
  readonly failedRequestsMax: number;
  readonly movedMs: Figures;
  readonly servedAfterReturnMs?: Figures;
  readonly announcedThroughout?: boolean;
  readonly problems?: readonly string[];
  /** With second chances: connections that lasted across the moves. */
  readonly transfers?: TransferResult;
}

/** With second chances no request may fail and no transfer may break. */
export function withTransfers(result: ScenarioResult, transfers: TransferResult): ScenarioResult {
  const isOk = result.ok && result.failedRequests === 0 && areIntact(transfers) && transfers.moves > 0;
  return { ...result, ok: isOk, transfers };
}

/** Percentiles by the nearest-rank method, rounded to tenths of a millisecond. At least one value is needed. */
export function figuresOf(values: readonly number[]): Figures {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  return { min: rank(0), p50: rank(0.5), p95: rank(0.95), max: rank(1) };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

/** The scenario's result; `ok` only when as many runs as asked for were made and each of them was. */
export function summarise(scenario: string, runs: number, results: readonly RunResult[]): ScenarioResult {
  const served = results.flatMap((r) => (r.servedAfterReturnMs === undefined ? [] : [r.servedAfterReturnMs]));
  const announced = results.flatMap((r) => (r.announcedThroughout === undefined ? [] : [r.announcedThroughout]));
  const problems = results.flatMap((r, i) => (r.problem === undefined ? [] : [`run ${i + 1}: ${r.problem}`]));
  return {
    scenario,
    runs: results.length,
    outageMs: figuresOf(results.map((r) => r.outageMs)),
    failedRequests: results.reduce((sum, r) => sum + r.failedRequests, 0),
    ok: results.length === runs && runs > 0 && results.every((r) => r.ok),
    failedRequestsMax: Math.max(0, ...results.map((r) => r.failedRequests)),
    movedMs: figuresOf(results.map((r) => r.movedMs)),
    ...(served.length === 0 ? {} : { servedAfterReturnMs: figuresOf(served) }),
    ...(announced.length === 0 ? {} : { announcedThroughout: announced.every(Boolean) }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}
