// One seed, from its plan to its verdict: lives through the story, lets calm return, and asks whether all is as it should be.

import type { Ledger } from '../../functions/ledger.ts';
import { ORCHESTRATIONS } from '../../functions/orchestrators/names.ts';
import { verifyChain } from '../../infra/lab/audit-check.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { scheduleFaults } from './breakage.ts';
import type { Violation } from './judge.ts';
import { type FaultKind, makePlan } from './plan.ts';
import { restOf } from './rest.ts';
import { GROUP } from './stores.ts';
import { SimWorld } from './world.ts';

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly story: readonly string[];
  readonly counts: {
    readonly looks: number;
    readonly idle: number;
    readonly reports: number;
    readonly commits: number;
    readonly moves: number;
    readonly faults: number;
    readonly longestOutageMs: number;
  };
}

export interface SimulateOptions {
  readonly minutes: number;
  /** Faults to draw from; absent: all. */
  readonly kinds?: readonly FaultKind[];
}

/** After the last fault people tidy up what waits for them, until nothing does. */
const TIDY_MS = 150_000;
const TIDIES_MIN = 3;
/** A record reaches Log Analytics within this time of its decision. */
const SHIPPED_MS = 30_000;
/** Penalties, windows and waits are over by then: the policy must have come back to the ranking. */
const CONVERGED_MS = 15 * 60_000;
/** A drill goes there, stays a minute and comes back within this time; before it there must have been peace. */
const DRILL_MS = 6 * 60_000;
const PEACE_MS = 6 * 60_000;

export async function simulate(seed: number, { minutes, kinds }: SimulateOptions): Promise<Outcome> {
  const plan = makePlan(seed, minutes, kinds);
  const world = new SimWorld(plan);
  world.start();
  scheduleFaults(world);
  for (const wish of plan.wishes) world.timeline.at(world.at(wish.atMs), () => world.ask(wish));
  watchDrills(world);
  const rounds = Math.max(TIDIES_MIN, Math.floor((plan.endMs - plan.calmFromMs) / TIDY_MS) - 1);
  for (let i = 1; i <= rounds; i += 1) world.timeline.at(world.at(plan.calmFromMs + i * TIDY_MS), () => tidyUp(world));
  await world.timeline.runUntil(world.at(plan.endMs));
  judgeEnd(world);
  const { judge, counts, story } = world;
  return {
    ...{ seed, violations: judge.violations, story },
    counts: {
      ...counts,
      ...{ commits: judge.commits, moves: judge.moves, faults: plan.faults.length },
      longestOutageMs: judge.longestOutageMs(),
    },
  };
}

/** A drill in peace, alone: when its time is over, who acted before acts again. */
function watchDrills(world: SimWorld): void {
  const { plan, timeline, judge } = world;
  const busy = [
    ...plan.faults.map(({ atMs, untilMs }) => [atMs, untilMs]),
    ...plan.wishes.map(({ atMs }) => [atMs, atMs]),
  ];
  for (const { kind, vip, atMs } of plan.wishes) {
    const endMs = atMs + DRILL_MS;
    const isInPeace = busy.filter(([from = 0, to = 0]) => from < endMs && to > atMs - PEACE_MS).length === 1;
    if (kind !== 'drill' || vip === null || !isInPeace) continue;
    const acting = () => judge.ledger?.policy.vips[vip]?.acting;
    let before: string | undefined;
    timeline.at(world.at(atMs), () => {
      before = acting();
    });
    timeline.at(world.at(endMs), () => {
      if (acting() !== before)
        judge.breach('drill', `${before} acted before the drill of ${vip}, now ${acting()} does`);
    });
  }
}

/** What only a person may end: doubt about a region whose proof failed, a drain, distrust of the ledger. */
function tidyUp(world: SimWorld): void {
  const policy = world.judge.ledger?.policy;
  if (policy === undefined) return;
  if (!policy.trusted) world.ask({ kind: 'trust-ledger', vip: null, region: null });
  for (const [vip, { regions, acting }] of Object.entries(policy.vips)) {
    for (const [region, row] of Object.entries(regions)) {
      if (row.role === 'drained') world.ask({ kind: 'undrain', vip: null, region, atMs: 0 });
      if (row.unprovenSinceMs !== undefined && region !== acting)
        world.ask({ kind: 'failover', vip, region, atMs: 0 }, ['unproven-target']);
    }
  }
}

/** Faults are long over: the policy has come back to the ranking, everybody carries it, and every record has arrived. */
function judgeEnd(world: SimWorld): void {
  const { judge, plan, stores } = world;
  const { ledger } = judge;
  const breach = (detail: string) => judge.breach('convergence', detail);
  if (ledger === undefined) {
    breach('there is no ledger');
    return;
  }
  if (!ledger.policy.trusted) breach('the ledger is not trusted');
  for (const { host, name } of world.seats)
    for (const { id, name: kind, isDone } of host.instances.values())
      if (kind === ORCHESTRATIONS.drill && !isDone) breach(`drill ${id} of ${name} never ended`);
  if (plan.endMs - plan.calmFromMs >= CONVERGED_MS) judgeRanking(world, ledger, breach);
  const rows = stores.outbox.rows(GROUP);
  for (const detail of verifyChain(rows.map((row) => row.record))) judge.breach('audit chain', detail);
  // The newest are on their way.
  const dueMs = world.timeline.nowMs - SHIPPED_MS;
  const missing = rows.filter(
    ({ record }) => !stores.shipped.has(record.EventId) && Date.parse(record.TimeGenerated) < dueMs,
  );
  if (missing.length > 0 && plan.endMs - plan.calmFromMs >= TIDY_MS)
    judge.breach('audit shipped', `${missing.length} records never arrived, first ${missing[0]?.record.EventId}`);
}

function judgeRanking(world: SimWorld, ledger: Ledger, breach: (detail: string) => void): void {
  const { judge, plan, network, agents } = world;
  const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  for (const agent of agents.values()) {
    const order = agent.state.orders.get(GROUP);
    if (order === undefined || compareSequence(order, newest) !== 0)
      breach(`${agent.name} has ${order?.epoch}.${order?.generation}, newest is ${newest.epoch}.${newest.generation}`);
  }
  for (const vip of plan.topology.vips) {
    const policy = ledger.policy.vips[vip.name];
    if (policy === undefined) continue;
    const first = vip.regions[0] ?? '';
    if (vip.mode === 'primary-backup' && vip.failback.mode === 'auto' && policy.acting !== first)
      breach(`${vip.name}: ${policy.acting} acts, not ${first}`);
    const acting = vip.mode === 'active-active' ? [...vip.regions].sort().join('+') : policy.acting;
    const by = judge.servedBy(vip.name)?.split('+').sort().join('+');
    if (by !== acting)
      breach(`${vip.name} is answered by ${by ?? 'nobody'}, ${acting} acts (${network.pathsText(vip.prefix)})`);
    for (const [region, row] of Object.entries(policy.regions)) {
      if (row.survivors !== undefined) breach(`${vip.name}: ${row.survivors.nvas.join()} of ${region} stay survivors`);
      const base = restOf(plan.topology, vip, region);
      const isManual = vip.failback.mode === 'manual' && policy.acting !== first;
      if (!isManual && row.rung !== base) breach(`${vip.name}: ${region} rests on ${row.rung}, its base is ${base}`);
    }
  }
}
