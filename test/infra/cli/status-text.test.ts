// The status in words: what is on the wire of a region that fell to last resort, loss that observers see, the last drill.
import { expect, test } from '@jest/globals';
import { renderStatus } from '../../../infra/cli/status-text.ts';
import type { Status, StatusNva, StatusVip } from '../../../shared/api.ts';
import { labStatus, NOW } from '../../support/lab-world.ts';

const terminal = { columns: 160, isInteractive: true, paint: (_style: string, text: string) => text };
const shown = (status: Status, isWide = false) => renderStatus(status, { terminal, isWide, context: 'lab' }).join('\n');

function withVip(change: (vip: StatusVip) => Partial<StatusVip>): Status {
  const status = labStatus();
  return { ...status, vips: status.vips.map((vip) => ({ ...vip, ...change(vip) })) };
}
const NVA: StatusNva = {
  nva: 'we-nva-1',
  reportAgeMs: 900,
  order: { epoch: 1, generation: 14 },
  acknowledged: true,
  sessions: [{ peer: '10.1.0.4', state: 'Established', asPath: [65001, ...Array<number>(12).fill(64500)] }],
  window: '11111',
  latencyMs: 2,
  lastResort: false,
};
const withNvas = (nvas: readonly StatusNva[]): Status =>
  withVip((vip) => ({
    regions: vip.regions.map((region) => (region.region === 'westeurope' ? { ...region, nvas: [...nvas] } : region)),
  }));
const rowOf = (text: string, region: string) => text.split('\n').find((line) => line.includes(`   ${region} `)) ?? '';

const fall = (nva: StatusNva, asPath: number[] | null): StatusNva => ({
  ...nva,
  lastResort: true,
  sessions: nva.sessions.map((session) => ({ ...session, asPath })),
});
const LAST_RESORT = [65001, ...Array<number>(18).fill(64500)];

test('a region on last resort shows the prepends that it was told, not those that were ordered', () => {
  expect(rowOf(shown(withNvas([NVA])), 'westeurope')).toContain('   12 (r4)   ');
  expect(rowOf(shown(withNvas([fall(NVA, LAST_RESORT)])), 'westeurope')).toContain('   18 last resort   ');
  expect(rowOf(shown(withNvas([fall(NVA, null)])), 'westeurope')).toContain('   no route, last resort   ');
});

test('one of two NVAs on last resort leaves the order standing and says so', () => {
  const text = shown(withNvas([fall(NVA, LAST_RESORT), { ...NVA, nva: 'we-nva-2' }]));
  expect(rowOf(text, 'westeurope')).toContain('   12 (r4), 1/2 last resort   ');
});

const observer = (loss: number | null) => ({
  observer: 'hq',
  ageMs: 900,
  answeredBy: 'westeurope',
  requests: 200,
  failures: 0,
  connectMs: 12,
  firstByteMs: 41,
  outageMs: 0,
  loss,
});

test('loss that an observer sees is told once it is there; unknown loss is not', () => {
  const some = withVip(() => ({ observers: [observer(0.0333), observer(null)] }));
  expect(shown(some)).toContain('orders: 3.3 % of the newest looks of hq failed');
  expect(rowOf(shown(some, true), 'westeurope')).toContain('   3.3 %');
  expect(shown(withVip(() => ({ observers: [observer(0)] })))).not.toContain('newest looks');
  expect(
    rowOf(
      shown(
        withVip(() => ({ observers: [observer(null)] })),
        true,
      ),
      'westeurope',
    ),
  ).not.toContain('%');
});

test('the throughput that the slowest observer sampled stands in the wide table, and nothing where none sampled', () => {
  const sampled = (bytesPerSecond: number) => ({
    ...observer(null),
    throughput: { bytesPerSecond, bytes: 1_000_000, ageMs: 4500 },
  });
  const cell = (observers: StatusVip['observers']) =>
    rowOf(
      shown(
        withVip(() => ({ observers })),
        true,
      ),
      'westeurope',
    );
  expect(cell([sampled(2_540_000), sampled(34_000_000)])).toContain('   2.5 MB/s');
  expect(cell([sampled(34_000_000), sampled(87_300)])).toContain('   87.3 kB/s');
  expect(cell([{ ...observer(null), throughput: null }])).not.toContain('B/s');
});

test('the last drill is told with what it cost, and one that was not proved is marked', () => {
  const drill = { atMs: NOW - 3_600_000, ok: true, outageMs: 41.4, state: 'proved', operation: 'op-1' };
  const proved = withVip(() => ({ lastDrill: drill }));
  const schedule = {
    schedule: 'monthly',
    kind: 'drill',
    vip: 'orders',
    cron: '0 3 * * *',
    timeZone: 'UTC',
    enabled: true,
  };
  const planned = { ...proved, schedules: [{ ...schedule, nextAtMs: NOW + 7_200_000, last: null }] };
  expect(shown(planned)).toContain(
    'on their first region.   last drill 1h ago proved, 41 ms without an answer (orders)   next drill in 2h',
  );
  expect(shown(proved)).not.toContain('! orders: last drill');
  const failed = withVip(() => ({ lastDrill: { ...drill, ok: false, state: 'not-proved', outageMs: null } }));
  expect(shown(failed)).toContain('! orders: last drill 1h ago not-proved');
  expect(shown(withVip(() => ({ lastDrill: null })))).not.toContain('last drill');
});
