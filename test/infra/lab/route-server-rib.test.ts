// Route Server's habits as the model has them: loop drop, counting, the window between two changes.
import { describe, expect, test } from '@jest/globals';
import {
  applyUpdate,
  closeWindows,
  dropPeer,
  EMPTY_RIB,
  learnedRoutes,
  nextWindowMs,
  type Rib,
} from '../../../infra/lab/route-server-rib.ts';

const settings = { routeLimit: 4000, routeChangeMs: 0 };
const paced = { routeLimit: 4000, routeChangeMs: 30_000 };
const route = (prefix: string, ...asPath: number[]) => ({ prefix, asPath, nextHop: '10.1.1.4' });

function apply(rib: Rib, update: Partial<Parameters<typeof applyUpdate>[3]>, nowMs = 0, s = settings): Rib {
  const outcome = applyUpdate(rib, s, 'we-nva-1', { withdrawn: [], announced: [], ...update }, nowMs);
  if (outcome.type !== 'applied') throw new Error(`limit: ${outcome.counted}`);
  return outcome.rib;
}
const paths = (rib: Rib) => learnedRoutes(rib).map((r) => `${r.prefix} ${r.asPath.join(' ')}`);

test('announced, replaced, withdrawn', () => {
  const announced = apply(EMPTY_RIB, { announced: [route('192.0.2.10/32', 65001, 64500)] });
  expect(paths(announced)).toEqual(['192.0.2.10/32 65001 64500']);
  const replaced = apply(announced, { announced: [route('192.0.2.10/32', 65001)] });
  expect(paths(replaced)).toEqual(['192.0.2.10/32 65001']);
  expect(paths(apply(replaced, { withdrawn: ['192.0.2.10/32'] }))).toEqual([]);
});

test.each([[65515], [0]])('a route with %d in its path is dropped, and takes the old one with it', (asn) => {
  const before = apply(EMPTY_RIB, { announced: [route('192.0.2.10/32', 65001)] });
  const outcome = applyUpdate(
    before,
    settings,
    'we-nva-1',
    { withdrawn: [], announced: [route('192.0.2.10/32', 65001, asn)] },
    1,
  );
  expect(outcome).toMatchObject({ type: 'applied', dropped: ['192.0.2.10/32'] });
  if (outcome.type === 'applied') expect(paths(outcome.rib)).toEqual([]);
});

test('current routes and those of the UPDATE count together against the limit', () => {
  const some = (n: number) => Array.from({ length: n }, (_, i) => route(`198.51.100.${i}/32`, 65001));
  const small = { routeLimit: 20, routeChangeMs: 0 };
  const eleven = apply(EMPTY_RIB, { announced: some(11) }, 0, small);
  const again = { withdrawn: [], announced: some(11) };
  expect(applyUpdate(eleven, small, 'we-nva-1', again, 1)).toEqual({ type: 'limit-exceeded', counted: 22 });
  expect(applyUpdate(eleven, small, 'we-nva-1', { ...again, announced: some(9) }, 1).type).toBe('applied');
});

describe('with one change per window', () => {
  const first = apply(EMPTY_RIB, { announced: [route('192.0.2.10/32', 65001, 1)] }, 0, paced);
  const second = apply(first, { announced: [route('192.0.2.10/32', 65001, 2)] }, 1000, paced);
  test('the second change waits, and is applied when the window closes', () => {
    expect(paths(second)).toEqual(['192.0.2.10/32 65001 1']);
    expect(nextWindowMs(second, paced)).toBe(30_000);
    expect(paths(closeWindows(second, paced, 29_999))).toEqual(['192.0.2.10/32 65001 1']);
    const closed = closeWindows(second, paced, 30_000);
    expect(paths(closed)).toEqual(['192.0.2.10/32 65001 2']);
    expect(nextWindowMs(closed, paced)).toBeUndefined();
  });
  test('only the newest waiting change counts', () => {
    const third = apply(second, { withdrawn: ['192.0.2.10/32'] }, 2000, paced);
    expect(paths(closeWindows(third, paced, 30_000))).toEqual([]);
  });
  test('a closed session takes its routes at once', () => {
    expect(paths(dropPeer(second, 'we-nva-1'))).toEqual([]);
  });
});
