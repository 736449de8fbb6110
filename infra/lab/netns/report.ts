// The figures of a scenario for people: one line per run while it goes on, a small table at the end. Text only.
import Table from 'cli-table3';
import type { Figures, RunResult, ScenarioResult } from './figures.ts';
import type { TransferCount, TransferResult } from './transfers.ts';

const ms = (value: number): string => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value.toFixed(1)} ms`);

/** One finished run. */
export function runLine(run: number, runs: number, result: RunResult): string {
  const parts = [
    `outage ${ms(result.outageMs)}`,
    `moved after ${ms(result.movedMs)}`,
    `failed requests ${result.failedRequests}`,
    ...(result.servedAfterReturnMs === undefined ? [] : [`served ${ms(result.servedAfterReturnMs)} after return`]),
    ...(result.announcedThroughout === undefined
      ? []
      : [result.announcedThroughout ? 'announced throughout' : 'NOT announced throughout']),
  ];
  return `run ${run} of ${runs}: ${result.ok ? 'ok' : 'NOT OK'}, ${parts.join(', ')}`;
}

function transferLine({ seconds, moves, downloads, uploads, keepAlives, problems }: TransferResult): string {
  const count = (name: string, { intact, broken }: TransferCount) => `${name} ${intact} intact, ${broken} broken`;
  const counts = [count('downloads', downloads), count('uploads', uploads), count('keep-alive', keepAlives)].join('; ');
  return [`${seconds} s transfers across ${moves} moves: ${counts}`, ...problems].join('\n');
}

/** The scenario's figures as a table. */
export function resultTable(result: ScenarioResult): string {
  const table = new Table({ head: [result.scenario, 'min', 'p50', 'p95', 'max'], style: { head: [], border: [] } });
  const row = (name: string, figures: Figures) =>
    table.push([name, ms(figures.min), ms(figures.p50), ms(figures.p95), ms(figures.max)]);
  row('client outage', result.outageMs);
  row('traffic moved', result.movedMs);
  if (result.servedAfterReturnMs !== undefined) row('served after return', result.servedAfterReturnMs);
  const lines = [
    table.toString(),
    `${result.runs} runs, ${result.failedRequests} failed requests (${result.failedRequestsMax} at most in one run)`,
    ...(result.announcedThroughout === undefined
      ? []
      : [`prefix announced throughout: ${result.announcedThroughout ? 'yes' : 'no'}`]),
    ...(result.transfers === undefined ? [] : [transferLine(result.transfers)]),
    ...(result.problems ?? []),
    result.ok ? 'ok: every run was observed from fault to repair' : 'NOT OK',
  ];
  return lines.join('\n');
}
