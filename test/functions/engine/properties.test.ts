// What holds of every decision, on random walks through conditions, times, acknowledgements and people's wishes.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decide } from '../../../functions/engine/decide.ts';
import { firstPolicy } from '../../../functions/engine/first-policy.ts';
import { lowestPossible } from '../../../functions/engine/possible.ts';
import { LOOK_MS_MAX } from '../../../functions/engine/round.ts';
import type { Decision, EngineConfig, Intent, Policy, Snapshot } from '../../../functions/engine/types.ts';
import { allWell, amend, deployment, intentOf, nvaName, START_MS, saying, silent } from '../../support/engine-world.ts';

const CONDITIONS = ['healthy', 'degraded', 'unhealthy', 'unknown', 'lost', 'stale', 'isolated'] as const;
type Condition = (typeof CONDITIONS)[number];
const WISHES = ['failover', 'failback', 'drain', 'undrain', 'recentre'] as const;
const REGIONS = ['a', 'b', 'c', 'd'];

interface Step {
  readonly waitSeconds: number;
  readonly conditions: readonly Condition[];
  readonly isAcked: boolean;
  readonly wish?:
    | { readonly type: (typeof WISHES)[number]; readonly region: number; readonly isForced: boolean }
    | undefined;
}

const steps = fc.array(
  fc.record({
    waitSeconds: fc.constantFrom(0, 1, 5, 31, 61, 200, 700),
    conditions: fc.array(fc.constantFrom(...CONDITIONS, 'healthy', 'healthy'), { minLength: 4, maxLength: 4 }),
    isAcked: fc.boolean(),
    wish: fc.option(fc.record({ type: fc.constantFrom(...WISHES), region: fc.nat(3), isForced: fc.boolean() }), {
      nil: undefined,
      freq: 4,
    }),
  }),
  { maxLength: 25 },
);
const worlds = fc.record({
  regions: fc.integer({ min: 2, max: 4 }),
  headroom: fc.integer({ min: 1, max: 6 }),
  mode: fc.constantFrom('primary-backup', 'active-active'),
  nvas: fc.integer({ min: 1, max: 2 }),
  active: fc.constantFrom('all', 'one'),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

const configOf = (world: World): EngineConfig =>
  deployment({
    regions: REGIONS.slice(0, world.regions),
    headroom: world.headroom,
    nvasPerRegion: world.nvas,
    circuits: 'shared',
    step: 3,
    vips: [
      { mode: world.mode, nvas: world.active },
      { mode: world.mode, priority: 200 },
    ],
  });

function reportedBy(snapshot: Snapshot, generation: number): Snapshot {
  let all = snapshot;
  for (const nva of Object.keys(snapshot.nvas)) {
    all = amend(all, nva, (report) => ({ ...report, order: { epoch: 1, generation } }));
  }
  return all;
}

/** The first NVA of each region is in the given condition; further ones stay well. */
function snapshotOf(policy: Policy, config: EngineConfig, step: Step, generation: number, nowMs: number): Snapshot {
  let snapshot = reportedBy(allWell(policy, config, nowMs), step.isAcked ? generation : 0);
  for (const [i, region] of config.topology.regions.entries()) {
    snapshot = inCondition(snapshot, nvaName(region.name), step.conditions[i] ?? 'healthy', nowMs);
  }
  return snapshot;
}

function inCondition(snapshot: Snapshot, nva: string, condition: Condition, nowMs: number): Snapshot {
  switch (condition) {
    case 'healthy':
      return snapshot;
    case 'lost':
      return silent(snapshot, nva, nowMs, 5000);
    case 'stale': {
      const { report } = silent(snapshot, nva, nowMs, 60_000).nvas[nva] ?? {};
      return { ...snapshot, nvas: { ...snapshot.nvas, [nva]: report === undefined ? {} : { report } } };
    }
    case 'isolated':
      return amend(snapshot, nva, (r) => ({
        ...r,
        sessions: r.sessions.map((session) => ({ ...session, state: 'Idle' as const })),
      }));
    default:
      return saying(snapshot, nva, condition, nowMs - 1000);
  }
}

interface Visit {
  readonly config: EngineConfig;
  readonly snapshot: Snapshot;
  readonly policy: Policy;
  readonly decision: Decision;
  readonly nowMs: number;
}

/** Walks through the steps with the real engine; `visit` sees every decision. Returns where it ends. */
function walk(world: World, list: readonly Step[], visit: (at: Visit) => void) {
  const config = configOf(world);
  let policy = firstPolicy(config, START_MS - 3_600_000);
  let nowMs = START_MS;
  let generation = 1;
  for (const [i, step] of list.entries()) {
    nowMs += step.waitSeconds * 1000;
    const wish = step.wish;
    const intents: Intent[] =
      wish === undefined || world.regions <= wish.region
        ? []
        : [
            intentOf({
              id: `i-${i}`,
              type: wish.type,
              region: REGIONS[wish.region] ?? 'a',
              force: wish.isForced ? ['target-unhealthy', 'stale-target', 'unproven-target', 'pacing', 'headroom'] : [],
              deadlineMs: nowMs + 120_000,
            }),
          ];
    const before = { ...policy, intents: [...policy.intents, ...intents] };
    const snapshot = { ...snapshotOf(policy, config, step, generation, nowMs), nextGeneration: generation + 1 };
    const decision = decide(snapshot, before, config, nowMs);
    visit({ config, snapshot, policy: before, decision, nowMs });
    if (decision.changed) generation += 1;
    policy = decision.policy;
  }
  return { config, policy, nowMs, generation };
}

const check = (visit: (at: Visit) => void, numRuns = 150) =>
  fc.assert(
    fc.property(worlds, steps, (world, list) => {
      walk(world, list, visit);
    }),
    { numRuns },
  );

describe('every decision', () => {
  const changesNothingAgain = ({ config, snapshot, decision, nowMs }: Visit) => {
    const again = decide({ ...snapshot, nextGeneration: snapshot.nextGeneration + 1 }, decision.policy, config, nowMs);
    expect(again.actions).toEqual([]);
    expect(again.changed).toBe(false);
    expect(again.policy).toBe(decision.policy);
  };

  test('decided again with the same evidence changes nothing', () => {
    check(changesNothingAgain);
  });

  test('concludes a recentring that waited when a later wish leaves nothing to it', () => {
    const world: World = { regions: 2, headroom: 1, mode: 'primary-backup', nvas: 1, active: 'all' };
    const conditions = ['healthy', 'healthy', 'healthy', 'healthy'] as const;
    const step = (type: Intent['type'], waitSeconds: number, isAcked: boolean): Step =>
      ({ waitSeconds, conditions, isAcked, wish: { type, region: 0, isForced: false } }) as Step;
    walk(world, [step('drain', 0, false), step('recentre', 200, false), step('undrain', 0, true)], changesNothingAgain);
  });

  test('does not depend on the order of regions, vips or reports', () => {
    check(({ config, snapshot, policy, decision, nowMs }) => {
      const mirrored = decide(
        { ...snapshot, nvas: mirror(snapshot.nvas) },
        { ...policy, vips: mirror(mapValues(policy.vips, (vip) => ({ ...vip, regions: mirror(vip.regions) }))) },
        {
          ...config,
          vips: [...config.vips].reverse(),
          topology: { ...config.topology, regions: [...config.topology.regions].reverse() },
        },
        nowMs,
      );
      expect(mirrored.policy).toEqual(decision.policy);
      expect(new Set(mirrored.actions.map((a) => JSON.stringify(a)))).toEqual(
        new Set(decision.actions.map((a) => JSON.stringify(a))),
      );
    });
  });

  test('leaves some region announced, and takes a route away only while another one answers', () => {
    check(({ decision }) => {
      for (const vip of Object.values(decision.policy.vips)) {
        expect(Object.values(vip.regions).some((row) => row.state === 'announced')).toBe(true);
      }
      for (const action of decision.actions.filter((a) => a.kind === 'withhold' || a.kind === 'drain')) {
        const rows = decision.policy.vips[action.vip]?.regions ?? {};
        const answering = Object.entries(rows).filter(
          ([region, row]) =>
            region !== action.region &&
            row.state === 'announced' &&
            ['healthy', 'degraded'].includes(decision.verdicts[action.vip]?.[region]?.verdict ?? 'unknown'),
        );
        expect(answering.length).toBeGreaterThan(0);
      }
    });
  });

  test('moves by itself only to regions of fresh health', () => {
    check(({ decision }) => {
      const moves = decision.actions.filter(
        (a) => a.actorType === 'automation' && (a.kind === 'takeover' || a.kind === 'failback'),
      );
      for (const action of moves) {
        const verdict = decision.verdicts[action.vip]?.[action.region]?.verdict;
        expect(action.kind === 'failback' ? ['healthy'] : ['healthy', 'degraded']).toContain(verdict);
      }
    });
  });

  test('makes the target strictly the lowest of all that may be on the wire, or says that headroom is exhausted', () => {
    check(({ config, decision }) => {
      for (const vip of config.vips.filter((candidate) => candidate.mode === 'primary-backup')) {
        const policy = decision.policy.vips[vip.name];
        const move = decision.actions.find(
          (a) => a.vip === vip.name && ['takeover', 'failback', 'move'].includes(a.kind) && a.after.role === 'primary',
        );
        if (policy === undefined || move === undefined || move.reason === 'headroom-exhausted') continue;
        const others = Object.entries(policy.regions).filter(([region]) => region !== policy.acting);
        const rung = policy.regions[policy.acting]?.rung ?? Number.NaN;
        for (const [, row] of others) expect(rung).toBeLessThan(lowestPossible(row, config.ladder.step));
      }
    });
  });

  test('keeps rungs between 0 and last resort, memory bounded, and one primary per primary-backup vip', () => {
    check(({ config, decision }) => {
      for (const vip of config.vips) {
        const policy = decision.policy.vips[vip.name];
        if (policy === undefined) throw new Error('vip lost');
        const lastResort = config.ladder.headroom + vip.regions.length;
        for (const row of Object.values(policy.regions)) {
          expect(row.rung).toBeGreaterThanOrEqual(0);
          expect(row.rung).toBeLessThanOrEqual(lastResort);
          expect(row.maybe.length).toBeLessThanOrEqual(3 * (lastResort + 1));
        }
        if (vip.mode === 'active-active') continue;
        const primaries = Object.entries(policy.regions).filter(([, row]) => row.role === 'primary');
        expect(primaries.map(([region]) => region).filter((region) => region !== policy.acting)).toEqual([]);
      }
    });
  });

  test('gives every vip a reason, every wish an answer, and a time to look again', () => {
    check(({ config, policy, decision, nowMs }) => {
      expect(decision.reasons.map((reason) => reason.vip).sort()).toEqual(config.vips.map((vip) => vip.name).sort());
      const answered = new Set(decision.intents.map((outcome) => outcome.intent));
      for (const intent of policy.intents) expect(answered).toContain(intent.id);
      const waiting = decision.intents.filter((outcome) => outcome.outcome === 'waiting').map((o) => o.intent);
      expect(decision.policy.intents.map((intent) => intent.id)).toEqual(
        policy.intents.map((intent) => intent.id).filter((id) => waiting.includes(id)),
      );
      expect(decision.nextLookMs).toBeGreaterThan(nowMs);
      expect(decision.nextLookMs).toBeLessThanOrEqual(nowMs + LOOK_MS_MAX);
    });
  });
});

test('when faults end every vip returns to its ranking and its resting rungs', () => {
  fc.assert(
    fc.property(worlds, steps, (any, list) => {
      // With one rung of headroom a failback finds no rung below the acting region's: `headroom` holds it for good.
      const world = { ...any, headroom: Math.max(2, any.headroom) };
      // Regions that people drained stay drained, so here nobody drains.
      const undrained = list.map((step) => (step.wish?.type === 'drain' ? { ...step, wish: undefined } : step));
      const end = walk(world, undrained, () => {});
      let { policy, nowMs, generation } = end;
      for (let i = 0; i < 400; i += 1) {
        nowMs += 45_000;
        const snapshot = reportedBy(allWell(policy, end.config, nowMs), generation);
        const decision = decide({ ...snapshot, nextGeneration: generation + 1 }, policy, end.config, nowMs);
        if (decision.changed) generation += 1;
        policy = decision.policy;
      }
      const rest = firstPolicy(end.config, 0);
      for (const vip of end.config.vips) {
        const is = policy.vips[vip.name];
        expect(is?.acting).toBe(rest.vips[vip.name]?.acting);
        for (const region of vip.regions) {
          expect({ region, rung: is?.regions[region]?.rung, maybe: is?.regions[region]?.maybe }).toEqual({
            region,
            rung: rest.vips[vip.name]?.regions[region]?.rung,
            maybe: [],
          });
        }
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

const mirror = <T>(record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).reverse());
const mapValues = <T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
