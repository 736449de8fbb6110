// The line of JSON that ends a scenario, and its percentiles.
import { describe, expect, test } from '@jest/globals';
import { figuresOf, type RunResult, summarise, withTransfers } from '../../../../infra/lab/netns/figures.ts';
import { resultTable, runLine } from '../../../../infra/lab/netns/report.ts';

const run = (outageMs: number, more: Partial<RunResult> = {}): RunResult => ({
  outageMs,
  failedRequests: 1,
  movedMs: outageMs,
  ok: true,
  ...more,
});

describe('figuresOf', () => {
  test('uses the nearest rank', () => {
    const values = Array.from({ length: 20 }, (_, i) => i + 1);
    expect(figuresOf(values)).toEqual({ min: 1, p50: 10, p95: 19, max: 20 });
  });
  test('of one value is that value', () => {
    expect(figuresOf([12.345])).toEqual({ min: 12.3, p50: 12.3, p95: 12.3, max: 12.3 });
  });
});

describe('summarise', () => {
  test('has the keys others read, in one line of JSON', () => {
    const line = JSON.stringify(summarise('app-crash', 2, [run(40), run(60)]));
    expect(JSON.parse(line)).toMatchObject({
      scenario: 'app-crash',
      runs: 2,
      outageMs: { min: 40, p50: 40, p95: 60, max: 60 },
      failedRequests: 2,
      ok: true,
    });
    expect(line).not.toContain('\n');
  });
  test('is not ok when a run was not, and says which', () => {
    const result = summarise('app-crash', 2, [run(40), run(60, { ok: false, problem: 'nothing moved' })]);
    expect(result).toMatchObject({ ok: false, problems: ['run 2: nothing moved'] });
  });
  test('is not ok when runs are missing', () => {
    expect(summarise('app-crash', 3, [run(40)])).toMatchObject({ runs: 1, ok: false });
    expect(summarise('app-crash', 0, [])).toMatchObject({ ok: false });
  });
  test('carries what all-apps-down adds: one run without the route is enough', () => {
    const results = [
      run(3000, { servedAfterReturnMs: 1200, announcedThroughout: true }),
      run(3000, { servedAfterReturnMs: 1500, announcedThroughout: false }),
    ];
    expect(summarise('all-apps-down', 2, results)).toMatchObject({
      servedAfterReturnMs: { max: 1500 },
      announcedThroughout: false,
    });
    expect(summarise('app-crash', 1, [run(1)])).not.toHaveProperty('announcedThroughout');
  });
});

describe('for people', () => {
  test('a run is one line', () => {
    expect(runLine(1, 20, run(45.67))).toBe('run 1 of 20: ok, outage 45.7 ms, moved after 45.7 ms, failed requests 1');
    expect(runLine(2, 20, run(12_345, { ok: false }))).toContain('NOT OK, outage 12.3 s');
  });
  test('the table names every figure and ends with the verdict', () => {
    const text = resultTable(summarise('app-crash', 1, [run(45)]));
    expect(text).toContain('client outage');
    expect(text).toContain('p95');
    expect(text.split('\n').at(-1)).toBe('ok: every run was observed from fault to repair');
    expect(resultTable(summarise('app-crash', 2, [run(45)]))).toContain('NOT OK');
  });
});

describe('with second chances', () => {
  const whole = { intact: 2, broken: 0 };
  const transfers = { seconds: 60, downloads: whole, uploads: whole, keepAlives: whole, problems: [], moves: 4 };
  const summary = summarise('planned-failover', 1, [run(20, { failedRequests: 0 })]);
  test('all is well when no request failed and every transfer of each kind arrived', () => {
    expect(withTransfers(summary, transfers)).toMatchObject({ ok: true, transfers: { moves: 4 } });
    expect(resultTable(withTransfers(summary, transfers))).toContain(
      '60 s transfers across 4 moves: downloads 2 intact',
    );
  });
  test.each([
    ['a download broke', summary, { ...transfers, downloads: { intact: 1, broken: 1 } }],
    ['no upload ended', summary, { ...transfers, uploads: { intact: 0, broken: 0 } }],
    ['nothing moved', summary, { ...transfers, moves: 0 }],
    ['a request failed', { ...summary, failedRequests: 1 }, transfers],
  ])('not when %s', (_, figures, carried) => expect(withTransfers(figures, carried).ok).toBe(false));
});
