// The mutants: each takes one guard out of the product. Its seeds, or else the scenarios, must show the harm.
import type { FaultKind } from './plan.ts';

export interface Mutant {
  readonly name: string;
  /** What is taken away, for people. */
  readonly removes: string;
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
  /** Seeds known to catch it, with these faults; none: the scenarios do. */
  readonly seeds: readonly number[];
  readonly kinds?: readonly FaultKind[];
}

const POSSIBLE = 'functions/engine/possible.ts';
const GUARDS = 'functions/engine/guards.ts';
const EVIDENCE = 'functions/engine/evidence.ts';
const FENCE = 'nva-agent/control/order-fence.ts';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'target-ties',
    removes: 'a target goes strictly below everything the others may have',
    file: 'functions/engine/moves.ts',
    from: 'lowestPossible(row, config.ladder.step) - 1)',
    to: 'lowestPossible(row, config.ladder.step))',
    seeds: [],
    kinds: ['nva-freeze', 'nva-power-off', 'app-crash'],
  },
  {
    name: 'possible-forgets',
    removes: 'earlier rungs that may still be on the wire count',
    file: POSSIBLE,
    from: 'for (const entry of row.maybe) lowest',
    to: 'for (const entry of []) lowest',
    seeds: [],
  },
  {
    name: 'settled-unproved',
    removes: 'an earlier rung is forgotten only when Route Server was seen without it',
    file: POSSIBLE,
    from: '      isProved(round, vip, row, nva, view)',
    to: '      true',
    seeds: [],
  },
  {
    name: 'stale-is-fresh',
    removes: 'stale evidence is unknown',
    file: EVIDENCE,
    from: 'export const STALE_PERIODS = 3;',
    to: 'export const STALE_PERIODS = 3000;',
    seeds: [],
    kinds: ['nva-freeze', 'cut-to-seat', 'cut-from-seats', 'app-crash'],
  },
  {
    name: 'deaf-to-seats',
    removes: 'another seat that still hears an agent contradicts its loss',
    file: EVIDENCE,
    from: 'if (hearing !== undefined) return',
    to: 'if (false) return',
    seeds: [],
  },
  {
    name: 'never-suspects-itself',
    removes: 'a seat that hears nobody of its own region suspects itself',
    file: EVIDENCE,
    from: 'region === snapshot.seat.region || isTogether(region, atMs)',
    to: 'false',
    seeds: [],
  },
  {
    name: 'target-unhealthy',
    removes: 'nobody is moved to an unhealthy region',
    file: GUARDS,
    from: "if (verdict === 'unhealthy') return { detail",
    to: "if (verdict === 'never') return { detail",
    seeds: [],
  },
  {
    name: 'target-stale',
    removes: 'nobody is moved to a region of which nothing fresh is known',
    file: GUARDS,
    from: "if (verdict !== 'unknown' && verdict !== 'lost') return undefined;",
    to: 'if (true) return undefined;',
    seeds: [4],
    kinds: ['region-down', 'nva-freeze', 'nva-power-off', 'app-crash', 'app-hang', 'cut-from-seats'],
  },
  {
    name: 'budget-unlimited',
    removes: 'moves by choice are budgeted',
    file: GUARDS,
    from: "  ['move-budget', moveBudget],\n",
    to: '',
    seeds: [],
  },
  {
    name: 'unpaced',
    removes: 'a planned change waits for the window of the one before',
    file: GUARDS,
    from: "  ['pacing', pacing],\n",
    to: '',
    seeds: [],
  },
  {
    name: 'cold-leader',
    removes: 'a new leader without a view of its own warms up',
    file: GUARDS,
    from: "  ['warm-up', warmUp],\n",
    to: '',
    seeds: [],
  },
  {
    name: 'mass-failure-moves',
    removes: 'regions that fail together are kept as they are',
    file: GUARDS,
    from: "  ['mass-failure', massFailure],\n",
    to: '',
    seeds: [],
  },
  {
    name: 'unproven-chosen',
    removes: 'automation does not choose a region whose proof failed',
    file: GUARDS,
    from: 'if (row.unprovenSinceMs !== undefined) return',
    to: 'if (false) return',
    seeds: [],
  },
  {
    name: 'last-announcer-drained',
    removes: 'the last region that answers is never drained',
    file: 'functions/engine/drain.ts',
    from: 'if (others.some((other) => isServing(vr, other))) return undefined;',
    to: 'if (true) return undefined;',
    seeds: [],
  },
  {
    name: 'withheld-unproved',
    removes: 'a drained route is withheld only when another region is proved to answer',
    file: 'functions/engine/drain.ts',
    from: 'if (!isMember(vr, region) || !isServing(vr, region)) return false;',
    to: 'if (true) return true;',
    seeds: [],
  },
  {
    name: 'fence-open',
    removes: 'an agent refuses orders older than the one it has',
    file: FENCE,
    from: 'if (age < 0) {',
    to: 'if (age < -1e12) {',
    seeds: [52, 64, 69, 71],
    kinds: ['bad-weather', 'app-crash', 'nva-freeze', 'seat-kill'],
  },
  {
    name: 'delivered-unrecorded',
    removes: 'an order is handed out only when its records are in the outbox',
    file: 'functions/deliverable.ts',
    from: 'if (last !== undefined && !(await isConfirmed(plane, group, last)))',
    to: 'if (last === undefined && group === "")',
    seeds: [8],
    kinds: ['storage-slow', 'bad-weather', 'app-crash', 'seat-kill'],
  },
  {
    name: 'delivered-undecided',
    removes: 'nothing is handed out before the first decision',
    file: 'functions/deliverable.ts',
    from: 'if (ledger.chain.index < 0) return',
    to: 'if (ledger.chain.index < -1) return',
    seeds: [9],
  },
  {
    name: 'same-epoch',
    removes: 'a new leader begins an epoch of its own',
    file: 'functions/lead.ts',
    from: 'const epoch = Math.max(before.epoch, reported.epoch) + 1;',
    to: 'const epoch = Math.max(before.epoch, reported.epoch);',
    seeds: [1],
    kinds: ['seat-kill', 'seat-freeze', 'seat-no-storage', 'app-crash'],
  },
  {
    name: 'etag-ignored',
    removes: 'a commit stands on the ledger it was made from',
    file: 'functions/adapters/memory/memory-ledger.ts',
    from: "return 'conflict';",
    to: 'void 0;',
    seeds: [1],
    kinds: ['seat-freeze', 'storage-slow', 'app-crash', 'nva-freeze'],
  },
  {
    name: 'reflex-asleep',
    removes: 'an agent falls to last resort when its own application fails',
    file: 'nva-agent/route/announcement.ts',
    from: "if (wish.standing === 'up' || row.onLocalFailure === 'ignore') return ordered(row);",
    to: 'if (true) return ordered(row);',
    seeds: [1, 2, 3, 4],
    kinds: ['app-crash', 'app-hang', 'app-errors'],
  },
  {
    name: 'rollback-unseen',
    removes: 'a ledger put back to an earlier state is told by the outbox',
    file: 'functions/lead.ts',
    from: '  return !(await plane.outbox.has(group, first));',
    to: '  return true;',
    seeds: [12],
  },
  {
    name: 'survivors-idle',
    removes: 'the other NVAs of a region go below the lost one',
    file: 'functions/engine/survivors.ts',
    from: 'if (nvas.length < 2) return;',
    to: 'if (nvas.length < 200) return;',
    seeds: [365, 538],
  },
  {
    name: 'lost-not-undercut',
    removes: 'the other members of active-active go below the lost one',
    file: 'functions/engine/active-active.ts',
    from: 'if (lost.length > 0) return goBelow',
    to: 'if (lost.length > 100) return goBelow',
    seeds: [24, 261],
  },
  {
    name: 'members-uneven',
    removes: 'members of active-active come back to one rung',
    file: 'functions/engine/active-active.ts',
    from: '  levelOut(vr, members);\n',
    to: '',
    seeds: [9],
  },
];
