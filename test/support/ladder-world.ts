// An exhaustive, untimed model of the world around the decision engine: every delay is an interleaving.
//
// A region's NVA is up, silently dead (its route lives on) or dead (its route is gone). Orders arrive late, in order, any
// of them skipped. Route Server lags behind the wire. What the control plane sees lags behind what is. It decides
// whenever it likes, with or without having read Route Server. Faults are counted, recoveries are free.
import { decide } from '../../functions/engine/decide.ts';
import { firstPolicy } from '../../functions/engine/first-policy.ts';
import type {
  EngineConfig,
  Intent,
  NvaEvidence,
  Policy,
  RegionPolicy,
  Snapshot,
} from '../../functions/engine/types.ts';
import { deployment, emptySnapshot, nvaName, reportOf, START_MS } from './engine-world.ts';

type NvaState = 'up' | 'silent' | 'dead';
type View = 'healthy' | 'unhealthy' | 'lost';

interface RegionWorld {
  readonly app: boolean;
  readonly nva: NvaState;
  /** Rung of the order the agent has persisted. */
  readonly current: number;
  /** Rungs ordered later, not yet at the agent. */
  readonly pending: readonly number[];
  /** The control plane knows that the agent carries the newest order. */
  readonly acked: boolean;
  /** Rung that Route Server holds, null for none. */
  readonly held: number | null;
  /** Agent and control plane cannot talk. */
  readonly cut: boolean;
  readonly view: View;
  /** The ledger's row. */
  readonly rung: number;
  readonly maybe: readonly number[];
}

export interface LadderState {
  readonly regions: readonly RegionWorld[];
  readonly acting: number;
  readonly faultsLeft: number;
}

export type Decide = (
  snapshot: Snapshot,
  policy: Policy,
  config: EngineConfig,
  nowMs: number,
) => { readonly policy: Policy };

export interface LadderOptions {
  readonly regions: number;
  readonly faults: number;
  readonly headroom: number;
  readonly onLocalFailure?: 'last-resort' | 'withdraw';
  /** People also move traffic; each such wish counts as a fault. */
  readonly humans?: boolean;
  readonly decideWith?: Decide;
  readonly statesMax: number;
}

export interface Exploration {
  readonly states: number;
  readonly decisions: number;
  readonly isComplete: boolean;
  /** Kind of violation -> shortest way to it. */
  readonly violations: ReadonlyMap<string, readonly string[]>;
}

interface Step {
  readonly event: string;
  readonly state: LadderState;
}

const NOW_MS = START_MS;
const ROW_GENERATION = 10;
const ROW_MS = NOW_MS - 1000;
const PENDING_MAX = 3;

/** A world in which every wait of the engine is zero, so that only the order of events matters. */
function untimedDeployment(options: LadderOptions): { config: EngineConfig; names: string[] } {
  const names = ['a', 'b', 'c', 'd'].slice(0, options.regions);
  const config = deployment({
    regions: names,
    headroom: options.headroom,
    vips: [{ failback: { mode: 'auto', afterSeconds: 0 } }],
    timing: { routeChangeSeconds: 0 },
    guards: {
      dwellSeconds: 0,
      provenSeconds: 0,
      calmSeconds: 0,
      warmUpSeconds: 0,
      humanHoldSeconds: 0,
      massFailureShare: 1,
      maxMovesPerWindow: 1000,
      flapPenalty: { perMove: 0 },
    },
  });
  return { config, names };
}

/** Breadth first through everything that can happen. */
export function exploreLadder(options: LadderOptions): Exploration {
  const { config, names } = untimedDeployment(options);
  const world = makeWorld(options, config, names);
  const start = world.start();
  const from = new Map<string, { readonly before: string; readonly event: string } | null>([[keyOf(start), null]]);
  let frontier: LadderState[] = [start];
  const violations = new Map<string, string[]>();
  let isComplete = true;
  while (frontier.length > 0 && isComplete) {
    const next: LadderState[] = [];
    for (const state of frontier) {
      const before = keyOf(state);
      for (const step of world.successors(state)) {
        for (const kind of world.check(state, step)) {
          if (!violations.has(kind)) violations.set(kind, [...traceTo(from, before), step.event]);
        }
        const key = keyOf(step.state);
        if (from.has(key)) continue;
        from.set(key, { before, event: step.event });
        next.push(step.state);
      }
    }
    isComplete = from.size < options.statesMax;
    frontier = next;
  }
  return { states: from.size, decisions: world.decisions(), isComplete, violations };
}

function traceTo(from: ReadonlyMap<string, { readonly before: string; readonly event: string } | null>, key: string) {
  const events: string[] = [];
  for (let step = from.get(key); step !== null && step !== undefined; step = from.get(step.before)) {
    events.unshift(step.event);
  }
  return events;
}

/** Regions are shared between states, so their keys are written once. */
const remembered = (write: (r: RegionWorld) => string) => {
  const known = new WeakMap<RegionWorld, string>();
  return (r: RegionWorld): string => {
    const found = known.get(r);
    if (found !== undefined) return found;
    const key = write(r);
    known.set(r, key);
    return key;
  };
};
const regionKey = remembered(
  (r) =>
    `${r.app ? 1 : 0}${r.nva[0]}${r.current},${r.pending.join('.')},${r.acked ? 1 : 0}${r.held ?? '-'},${r.cut ? 1 : 0}${r.view[0]}${r.rung},${r.maybe.join('.')}`,
);
/** What the engine is told of a region, without and with a reading of Route Server. */
const unreadKey = remembered((r) => `${r.rung},${r.maybe.join('.')},${r.view[0]}${r.acked ? 1 : r.current}`);
const readKey = remembered((r) => `${unreadKey(r)}${r.held ?? '-'}`);
const keyOf = (state: LadderState): string =>
  `${state.regions.map(regionKey).join('|')}|${state.acting}|${state.faultsLeft}`;

function makeWorld(options: LadderOptions, config: EngineConfig, names: readonly string[]) {
  const decideWith = options.decideWith ?? decide;
  const lastResort = options.headroom + options.regions;
  const fallen = options.onLocalFailure === 'withdraw' ? null : lastResort;
  const first = firstPolicy(config, ROW_MS, ROW_GENERATION);
  const memo = new Map<string, Policy>();
  let decisions = 0;

  const start = (): LadderState => ({
    regions: names.map((_, i) => ({
      app: true,
      nva: 'up',
      current: options.headroom + i,
      pending: [],
      acked: true,
      held: options.headroom + i,
      cut: false,
      view: 'healthy',
      rung: options.headroom + i,
      maybe: [],
    })),
    acting: 0,
    faultsLeft: options.faults,
  });

  /** What the NVA would have on the wire now. */
  const wire = (r: RegionWorld): number | null => {
    if (r.nva === 'silent') return r.held;
    if (r.nva === 'dead') return null;
    return r.app ? r.current : fallen;
  };

  const change = (state: LadderState, i: number, part: Partial<RegionWorld>, faults = 0): LadderState => ({
    ...state,
    regions: state.regions.map((region, k) => (k === i ? { ...region, ...part } : region)),
    faultsLeft: state.faultsLeft - faults,
  });

  function* faults(state: LadderState, i: number, r: RegionWorld, name: string): Generator<Step> {
    if (state.faultsLeft === 0) return;
    if (r.nva === 'up' && r.app) yield { event: `${name} app dies`, state: change(state, i, { app: false }, 1) };
    if (r.nva === 'up') yield { event: `${name} nva dies silently`, state: change(state, i, { nva: 'silent' }, 1) };
    if (r.nva === 'up' && !r.cut)
      yield { event: `${name} cut off control plane`, state: change(state, i, { cut: true }, 1) };
  }

  function* recoveries(state: LadderState, i: number, r: RegionWorld, name: string): Generator<Step> {
    if (!r.app) yield { event: `${name} app recovers`, state: change(state, i, { app: true }) };
    if (r.nva === 'silent')
      yield { event: `${name} hold time ends`, state: change(state, i, { nva: 'dead', held: null }) };
    if (r.nva === 'dead')
      yield { event: `${name} nva boots on rung ${r.current}`, state: change(state, i, { nva: 'up', app: true }) };
    if (r.cut) yield { event: `${name} reaches control plane again`, state: change(state, i, { cut: false }) };
    const now = wire(r);
    if (r.nva === 'up' && r.held !== now) {
      yield { event: `${name} route server applies ${now ?? 'nothing'}`, state: change(state, i, { held: now }) };
    }
  }

  function* deliveries(state: LadderState, i: number, r: RegionWorld, name: string): Generator<Step> {
    if (r.nva !== 'up' || r.cut) return;
    for (let k = 0; k < r.pending.length; k += 1) {
      const rest = r.pending.slice(k + 1);
      const current = r.pending[k] ?? r.current;
      yield {
        event: `${name} receives rung ${current}${rest.length === 0 ? '' : ' late'}`,
        state: change(state, i, { current, pending: rest, acked: rest.length === 0 }),
      };
    }
  }

  function* sightings(state: LadderState, i: number, r: RegionWorld, name: string): Generator<Step> {
    const view: View = r.nva !== 'up' || r.cut ? 'lost' : r.app ? 'healthy' : 'unhealthy';
    if (view !== r.view) yield { event: `control plane sees ${name} ${view}`, state: change(state, i, { view }) };
  }

  function* successors(state: LadderState): Generator<Step> {
    for (const [i, r] of state.regions.entries()) {
      const name = names[i] ?? '';
      yield* faults(state, i, r, name);
      yield* recoveries(state, i, r, name);
      yield* deliveries(state, i, r, name);
      yield* sightings(state, i, r, name);
    }
    for (const hasRead of [false, true]) {
      const decided = commit(state, hasRead, undefined);
      if (decided !== undefined)
        yield {
          event: `control plane decides${hasRead ? ' having read route server' : ''}${told(decided)}`,
          state: decided,
        };
    }
    if (options.humans === true && state.faultsLeft > 0) {
      for (const name of names) {
        const decided = commit({ ...state, faultsLeft: state.faultsLeft - 1 }, false, name);
        if (decided !== undefined) yield { event: `a person moves to ${name}${told(decided)}`, state: decided };
      }
    }
  }

  const told = (state: LadderState): string =>
    `: ${names[state.acting]} acts, ${state.regions.map((r, i) => `${names[i]} ${r.rung}`).join(' ')}`;

  /** Lets the real engine decide and commits what it says; undefined when it changes nothing that matters here. */
  function commit(state: LadderState, hasRead: boolean, moveTo: string | undefined): LadderState | undefined {
    const seen = state.regions.map(hasRead ? readKey : unreadKey).join('|');
    const key = `${seen}|${state.acting}|${hasRead ? 1 : 0}|${moveTo ?? ''}`;
    let policy = memo.get(key);
    if (policy === undefined) {
      decisions += 1;
      policy = decideWith(snapshotOf(state, hasRead), policyOf(state, moveTo), config, NOW_MS).policy;
      memo.set(key, policy);
    }
    const rows = policy.vips.orders;
    if (rows === undefined) return undefined;
    const acting = names.indexOf(rows.acting);
    let isChanged = acting !== state.acting;
    const regions = state.regions.map((r, i) => {
      const row = rows.regions[names[i] ?? ''];
      if (row === undefined) return r;
      const maybe = [...new Set(row.maybe.map((entry) => entry.rung))].sort((x, y) => x - y);
      if (row.rung === r.rung && maybe.join() === r.maybe.join()) return r;
      isChanged = true;
      if (row.rung === r.rung) return { ...r, maybe };
      return { ...r, rung: row.rung, maybe, acked: false, pending: [...r.pending, row.rung].slice(-PENDING_MAX) };
    });
    return isChanged ? { ...state, regions, acting } : undefined;
  }

  function policyOf(state: LadderState, moveTo: string | undefined): Policy {
    const vip = first.vips.orders;
    if (vip === undefined) throw new Error('no vip');
    const regions = Object.fromEntries(
      state.regions.map((r, i): [string, RegionPolicy] => [
        names[i] ?? '',
        {
          role: i === state.acting ? 'primary' : 'backup',
          rung: r.rung,
          state: 'announced',
          changedAtMs: ROW_MS,
          generation: ROW_GENERATION,
          maybe: r.maybe.map((rung) => ({ rung, generation: 1, atMs: ROW_MS })),
        },
      ]),
    );
    const intents = moveTo === undefined ? [] : [moveIntent(moveTo)];
    return { ...first, intents, vips: { orders: { ...vip, acting: names[state.acting] ?? '', regions } } };
  }

  function snapshotOf(state: LadderState, hasRead: boolean): Snapshot {
    const nvas: Record<string, NvaEvidence> = {};
    const learned: Record<string, Snapshot['learned'][string]> = {};
    for (const [i, r] of state.regions.entries()) {
      const name = names[i] ?? '';
      nvas[nvaName(name)] = evidenceOf(config, name, r, i, fallen);
      if (!hasRead) continue;
      const path =
        r.held === null ? {} : { '192.0.2.1/32': [65001 + i, ...new Array(r.held * config.ladder.step).fill(64500)] };
      learned[nvaName(name)] = { atMs: NOW_MS, peers: { one: path, two: path } };
    }
    return emptySnapshot({ nvas, learned, nextGeneration: ROW_GENERATION + 1 });
  }

  return { start, successors, check: makeCheck(names, wire), decisions: () => decisions };
}

/** What the control plane holds of one region: its last report, or silence that began at a time of its own. */
function evidenceOf(config: EngineConfig, name: string, r: RegionWorld, i: number, fallen: number | null): NvaEvidence {
  const receivedAtMs = r.view === 'lost' ? NOW_MS - 60_000 * (i + 1) : NOW_MS;
  const isFallen = r.view === 'unhealthy';
  const rung = isFallen ? fallen : r.acked ? r.rung : r.current;
  const report = reportOf(
    {
      nva: nvaName(name),
      peers: ['one', 'two'],
      generation: r.acked ? ROW_GENERATION : ROW_GENERATION - 1,
      sessionsUp: 2,
      sessionsSinceMs: receivedAtMs - 1000,
      vips: [
        {
          vip: 'orders',
          local: {
            verdict: isFallen ? 'unhealthy' : 'healthy',
            sinceMs: receivedAtMs - 1000,
            window: '',
            latencyMs: null,
          },
          announced:
            rung === null
              ? null
              : { rung, prepend: rung * config.ladder.step, lastResort: isFallen, sinceMs: receivedAtMs - 1000 },
          flapPenalty: 0,
        },
      ],
    },
    receivedAtMs,
  );
  const probe = r.view === 'lost' ? { probe: { atMs: NOW_MS, outcome: 'failed' as const } } : {};
  return { report: { receivedAtMs, report }, ...probe };
}

const moveIntent = (region: string): Intent => ({
  id: 'i',
  type: 'failover',
  vip: 'orders',
  region,
  actor: 'ops',
  actorType: 'human',
  reason: 'a wish',
  force: [],
  createdAtMs: NOW_MS,
  deadlineMs: NOW_MS + 1000,
  operation: 'op',
});

const winners = (regions: readonly RegionWorld[]): number[] => {
  const held = regions.flatMap((r) => (r.held === null ? [] : [r.held]));
  const best = Math.min(...held);
  return regions.flatMap((r, i) => (r.held === best ? [i] : []));
};

const isLive = (r: RegionWorld | undefined): boolean => r?.app === true && r.nva === 'up';

/** The promises of the ladder, each by name. */
function makeCheck(names: readonly string[], wire: (r: RegionWorld) => number | null) {
  return function check(before: LadderState, step: Step): string[] {
    const { regions, acting } = step.state;
    const best = winners(regions);
    const live = (i: number) => isLive(regions[i]);
    const isInSync = regions.every((r) => r.nva !== 'up' || r.held === wire(r));
    const found: string[] = [];
    if (best.length > 1 && isInSync && best.some(live)) found.push(best.every(live) ? 'tie' : 'tie-with-dead');
    if (best.length === 0 && isInSync && regions.some(isLive)) found.push('no-route');
    if (isStolen(before, step, names)) found.push('steal');
    const actor = regions[acting];
    const only = best.length === 1 ? best[0] : undefined;
    if (
      only !== undefined &&
      only !== acting &&
      regions[only]?.nva === 'silent' &&
      actor !== undefined &&
      isLive(actor) &&
      actor.acked &&
      actor.current === actor.held
    ) {
      found.push('stale-winner');
    }
    return found;
  };
}

/** The healthy acting region, alone on top and proved, loses users to somebody else by an event that is none of its own. */
function isStolen(before: LadderState, step: Step, names: readonly string[]): boolean {
  const { acting } = step.state;
  const was = before.regions[acting];
  const is = step.state.regions[acting];
  if (before.acting !== acting || was === undefined || is === undefined || !isLive(is)) return false;
  const held = winners(before.regions);
  if (held.length !== 1 || held[0] !== acting) return false;
  if (!is.acked || is.held !== is.current || was.held !== is.held || is.held === null) return false;
  const now = winners(step.state.regions);
  return now.length > 0 && !now.includes(acting) && !step.event.startsWith(`${names[acting]} `);
}
