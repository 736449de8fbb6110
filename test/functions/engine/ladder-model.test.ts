// The headroom ladder, explored exhaustively with the real engine: no tie, no stolen traffic, no state without a route,
// no stale winner, under every interleaving. LADDER_FAULTS=3 goes deeper with three regions (about half a minute).
import { describe, expect, test } from '@jest/globals';
import { decide } from '../../../functions/engine/decide.ts';
import type { Policy, RegionPolicy } from '../../../functions/engine/types.ts';
import { type Decide, exploreLadder, type LadderOptions } from '../../support/ladder-world.ts';

const STATES_MAX = 1_000_000;
const TIMEOUT_MS = 180_000;
const threeRegionFaults = Number(process.env.LADDER_FAULTS ?? (process.env.CI === undefined ? 2 : 3));

const explore = (options: Omit<LadderOptions, 'statesMax'>) => exploreLadder({ statesMax: STATES_MAX, ...options });

/** Every row of the policy, changed. */
function mapRows(policy: Policy, change: (row: RegionPolicy, region: string) => RegionPolicy): Policy {
  const vip = policy.vips.orders;
  if (vip === undefined) throw new Error('no vip');
  const regions = Object.fromEntries(Object.entries(vip.regions).map(([name, row]) => [name, change(row, name)]));
  return { ...policy, vips: { orders: { ...vip, regions } } };
}

describe('the ladder keeps its promises', () => {
  test.each([
    ['two regions, three faults', { regions: 2, faults: 3, headroom: 4 }],
    [
      'two regions, three faults, routes withdrawn on local failure',
      { regions: 2, faults: 3, headroom: 4, onLocalFailure: 'withdraw' },
    ],
    ['two regions, three faults or human moves', { regions: 2, faults: 3, headroom: 4, humans: true }],
    [`three regions, ${threeRegionFaults} faults`, { regions: 3, faults: threeRegionFaults, headroom: 4 }],
  ] as const)(
    '%s',
    (_, options) => {
      const explored = explore(options);
      expect([...explored.violations]).toEqual([]);
      expect(explored.isComplete).toBe(true);
      // A model that explores nothing proves nothing.
      expect(explored.states).toBeGreaterThan(5000);
    },
    TIMEOUT_MS,
  );
});

describe('the model finds what is wrong', () => {
  test(
    'one rung of headroom: ties',
    () => {
      expect([...explore({ regions: 2, faults: 2, headroom: 1 }).violations.keys()]).toContain('tie');
    },
    TIMEOUT_MS,
  );

  test(
    'an engine that forgets what may still be on the wire: stolen traffic and stale winners',
    () => {
      const forgetful: Decide = (snapshot, policy, config, nowMs) =>
        decide(
          snapshot,
          mapRows(policy, (row) => ({ ...row, maybe: [] })),
          config,
          nowMs,
        );
      const { violations } = explore({ regions: 2, faults: 3, headroom: 4, decideWith: forgetful });
      expect([...violations.keys()].sort()).toEqual(['stale-winner', 'steal']);
    },
    TIMEOUT_MS,
  );

  test(
    'demote, then normalise: ties and stolen traffic',
    () => {
      // The refused scheme: the new primary goes to rung 0, and back to 1 once the old one is ordered to 2.
      const naive: Decide = (snapshot, policy, config, nowMs) => {
        const next = decide(snapshot, policy, config, nowMs).policy;
        const before = policy.vips.orders?.acting;
        const after = next.vips.orders?.acting;
        if (after === undefined) return { policy };
        if (after !== before) {
          return {
            policy: withActing(
              mapRows(policy, (row, name) => (name === after ? to(row, 0) : row)),
              after,
            ),
          };
        }
        return { policy: mapRows(policy, (row, name) => to(row, name === after ? 1 : 2)) };
      };
      const { violations } = explore({ regions: 2, faults: 2, headroom: 1, decideWith: naive });
      expect([...violations.keys()]).toEqual(expect.arrayContaining(['tie', 'steal', 'stale-winner']));
    },
    TIMEOUT_MS,
  );
});

const to = (row: RegionPolicy, rung: number): RegionPolicy => ({ ...row, rung, maybe: [] });

function withActing(policy: Policy, acting: string): Policy {
  const vip = policy.vips.orders;
  if (vip === undefined) throw new Error('no vip');
  return { ...policy, vips: { orders: { ...vip, acting } } };
}
