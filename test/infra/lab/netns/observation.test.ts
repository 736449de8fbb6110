// What the observer reports, folded from samples, and what the lab shows.
import { describe, expect, test } from '@jest/globals';
import { NOTHING_OBSERVED, observe, takePeriod } from '../../../../infra/lab/netns/observation.ts';
import type { Sample } from '../../../../infra/lab/netns/outage.ts';
import { formatPath, renderView } from '../../../../infra/lab/netns/view.ts';
import { observerReportSchema } from '../../../../shared/report.ts';

const sample = (startMs: number, endMs: number, region: string | null): Sample => ({ startMs, endMs, region });
const fold = (...samples: Sample[]) => samples.reduce(observe, NOTHING_OBSERVED);

describe('the observation', () => {
  test('counts requests and failures and knows who answers since when', () => {
    const seen = fold(sample(0, 2, 'a'), sample(10, 12, null), sample(20, 25, 'b'));
    expect(seen).toMatchObject({ answeredBy: 'b', sinceMs: 25, requests: 3, failures: 1, outageMs: 23 });
  });
  test('a request that times out late does not hide who answers newer ones', () => {
    const seen = fold(sample(0, 2, 'a'), sample(20, 22, 'b'), sample(10, 1010, null));
    expect(seen).toMatchObject({ answeredBy: 'b', sinceMs: 22 });
  });
  test('nobody answers: no region, no time', () => {
    expect(fold(sample(0, 2, 'a'), sample(10, 12, null))).toMatchObject({ answeredBy: null, sinceMs: null });
  });
  test('a period is a sound report; an outage still open counts up to now', () => {
    const { period, next } = takePeriod(fold(sample(0, 2, 'a'), sample(10, 12, null)), 'orders', 502);
    expect(period).toMatchObject({ vip: 'orders', answeredBy: null, requests: 2, failures: 1, outageMs: 500 });
    expect(next).toMatchObject({ requests: 0, failures: 0, outageMs: 0, answeredBy: null });
    const report = { v: 1, observer: 'hq', group: 'default', bootId: 'b', seq: 0, atMs: 1, transition: false };
    expect(observerReportSchema.safeParse({ ...report, vips: [period] }).success).toBe(true);
  });
});

describe('the view', () => {
  test('writes a run of one number once', () => {
    expect(formatPath([12076, 64500, 64500, 64500, 65001])).toBe('12076 64500×3 65001');
    expect(formatPath([])).toBe('');
  });
  test('says plainly that nobody answers, that a route is gone and that the control plane is silent', () => {
    const region = { region: 'westeurope', app: 'crashed', nva: 'ok', isBgpUp: false, route: undefined };
    const lines = renderView({ answeredBy: null, regions: [region], status: null, generation: null });
    expect(lines[0]).toBe('clients are answered by nobody');
    expect(lines[1]).toContain('BGP DOWN');
    expect(lines[1]).toContain('no route on-premises');
    expect(lines[2]).toContain('agents keep what they have');
  });
});
