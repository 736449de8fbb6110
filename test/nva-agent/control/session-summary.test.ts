// Two instances of Route Server must be told the same; one of them away is degraded, not failed.
import { expect, test } from '@jest/globals';
import { summariseSessions } from '../../../nva-agent/control/session-summary.ts';
import type { ReportSession } from '../../../shared/report.ts';

const route = (last: number, prepends = 0, med: number | null = null) => ({
  prefix: `192.0.2.${last}/32`,
  asPath: [65001, ...Array<number>(prepends).fill(64500)],
  communities: ['65001:1'],
  med,
});
const session = (
  peer: string,
  routes: ReportSession['routes'],
  state: ReportSession['state'] = 'Established',
): ReportSession => ({ peer, state, sinceMs: 0, holdSeconds: 30, routes });

test.each([
  ['both alike, in whatever order', [session('a', [route(1), route(2)]), session('b', [route(2), route(1)])], 'up', []],
  ['one lacks a prefix', [session('a', [route(1), route(2)]), session('b', [route(1)])], 'up', ['192.0.2.2/32']],
  ['one has another path', [session('a', [route(1)]), session('b', [route(1, 3)])], 'up', ['192.0.2.1/32']],
  ['one has another MED', [session('a', [route(1)]), session('b', [route(1, 0, 5)])], 'up', ['192.0.2.1/32']],
  ['one is away', [session('a', [route(1)]), session('b', [], 'Connect')], 'degraded', []],
  ['both are away', [session('a', [], 'Idle'), session('b', [], 'Connect')], 'down', []],
] as const)('%s', (_name, sessions, state, differing) => {
  expect(summariseSessions(sessions)).toEqual({ state, differing });
});
