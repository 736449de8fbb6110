// When the policy of the namespace lab counts as steady, and when an operation has come to nothing.
import { describe, expect, test } from '@jest/globals';
import { findUnsteady, isTurnedDown } from '../../../../infra/lab/netns/control-plane.ts';
import type { Operation, Status, StatusRegion } from '../../../../shared/api.ts';

const unproved = { proof: 'not checked', detail: '', atMs: null } as const;

const region = (name: string, rung: number, more: Partial<StatusRegion> = {}): StatusRegion => ({
  region: name,
  role: 'primary',
  rung,
  prepend: rung * 3,
  state: 'announced',
  serves: null,
  verdict: 'healthy',
  verdictSinceMs: 0,
  detail: '',
  proofs: { agent: unproved, routeServer: unproved, circuit: unproved, observer: unproved },
  nvas: [
    {
      nva: `${name}-nva`,
      reportAgeMs: 100,
      order: { epoch: 1, generation: 1 },
      acknowledged: true,
      sessions: [],
      window: '11111',
      latencyMs: 1,
      lastResort: false,
    },
  ],
  ...more,
});

const status = (acting: string, ...regions: StatusRegion[]): Status =>
  ({ vips: [{ vip: 'orders', acting, regions }] }) as unknown as Status;

const base = { a: 4, b: 5 };
const why = (given: Status) => findUnsteady(given, 'orders', 'a', base);

describe('a policy is steady', () => {
  test('when the first region acts, all are healthy on their base rungs and follow their orders', () => {
    expect(why(status('a', region('a', 4), region('b', 5)))).toBeUndefined();
  });
  test.each<[string, Status, string]>([
    ['another region acts', status('b', region('a', 4), region('b', 5)), 'b acts'],
    ['a rung is not the base', status('a', region('a', 2), region('b', 5)), 'a is on rung 2'],
    [
      'a region is not healthy',
      status('a', region('a', 4), region('b', 5, { verdict: 'lost', detail: 'silent' })),
      'b is lost: silent',
    ],
    ['the vip is unknown', { vips: [] } as unknown as Status, 'orders is not in the status'],
  ])('not when %s', (_what, given, reason) => {
    expect(why(given)).toBe(reason);
  });
  test.each([{ acknowledged: false }, { lastResort: true }])('not while an NVA is at %o', (state) => {
    const [nva] = region('b', 5).nvas;
    const b = nva === undefined ? region('b', 5) : region('b', 5, { nvas: [{ ...nva, ...state }] });
    expect(why(status('a', region('a', 4), b))).toBe('b-nva does not follow its order yet');
  });
});

test.each<[Operation['state'], boolean]>([
  ['refused', true],
  ['expired', true],
  ['failed', true],
  ['running', false],
  ['proved', false],
  ['not-proved', false],
  ['already-so', false],
])('an operation that is %s counts as turned down: %s', (state, turnedDown) => {
  expect(isTurnedDown({ state } as Operation)).toBe(turnedDown);
});
