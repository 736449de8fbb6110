// What counts as an outage, request by request in the order they were begun.
import { expect, test } from '@jest/globals';
import { type FinishedRequest, OUTAGE_WATCH_START, type Outage, watchOutage } from '../../../infra/lab/outages.ts';

const answered = (startedAtMs: number, region = 'westeurope'): FinishedRequest => ({
  startedAtMs,
  endedAtMs: startedAtMs + 5,
  region,
});
const failed = (startedAtMs: number, ms = 1): FinishedRequest => ({
  startedAtMs,
  endedAtMs: startedAtMs + ms,
  region: null,
});

function outagesOf(requests: readonly FinishedRequest[]): Outage[] {
  let watch = OUTAGE_WATCH_START;
  return requests.flatMap((request) => {
    const step = watchOutage(watch, request);
    watch = step.watch;
    return step.ended === undefined ? [] : [step.ended];
  });
}

test('no failure, no outage, whatever the pauses', () => {
  expect(outagesOf([answered(0), answered(20), answered(900)])).toEqual([]);
});
test('from the last answer before to the first answer after', () => {
  const requests = [answered(0), answered(20), failed(40), failed(60), answered(80, 'northeurope'), answered(100)];
  expect(outagesOf(requests)).toEqual([{ startedAtMs: 25, outageMs: 60, failedRequests: 2 }]);
});
test('a request that timed out late does not reach into the time after the move', () => {
  const requests = [answered(0), failed(20, 1000), answered(40, 'northeurope')];
  expect(outagesOf(requests)).toEqual([{ startedAtMs: 5, outageMs: 40, failedRequests: 1 }]);
});
test('failures before the first answer are no outage: there was no service to lose', () => {
  expect(outagesOf([failed(0), answered(20), answered(40)])).toEqual([]);
});
test('two outages are two', () => {
  expect(outagesOf([answered(0), failed(20), answered(40), failed(60), answered(80)])).toHaveLength(2);
});
