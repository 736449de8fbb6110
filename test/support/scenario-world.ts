// A timed world around the real engine: agents with reflexes, Route Server, observers, one seat. Half-second steps.
import { decide } from '../../functions/engine/decide.ts';
import { probesWanted } from '../../functions/engine/evidence.ts';
import { adoptPolicy, firstPolicy } from '../../functions/engine/first-policy.ts';
import { compileOrders } from '../../functions/engine/orders.ts';
import type {
  Decision,
  EngineConfig,
  Hold,
  Intent,
  LearnedEvidence,
  NvaEvidence,
  Policy,
  Snapshot,
} from '../../functions/engine/types.ts';
import type { Order } from '../../shared/order.ts';
import type { ReportVip } from '../../shared/report.ts';
import { emptySnapshot, observerReportOf, reportOf, START_MS } from './engine-world.ts';

export const STEP_MS = 500;
const LONG_AGO_MS = START_MS - 3_600_000;
const HOLD_TIME_MS = 180_000;
const LEARNED_EVERY_MS = 10_000;

type App = 'up' | 'down' | 'slow';
type Announced = NonNullable<ReportVip['announced']>;

export interface Agent {
  readonly name: string;
  readonly region: string;
  readonly peers: readonly string[];
  readonly asn: number;
  state: 'up' | 'frozen' | 'off';
  stateSinceMs: number;
  isCut: boolean;
  isStopping: boolean;
  sessionsUp: number;
  sessionsSinceMs: number;
  order: Order | undefined;
  /** By vip. */
  readonly local: Map<string, { verdict: ReportVip['local']['verdict']; sinceMs: number }>;
  readonly announced: Map<string, Announced>;
  /** What Route Server holds from it: prepends by vip. */
  readonly held: Map<string, number>;
  /** What Route Server was last told and has not applied yet: undefined is a withdrawal. */
  readonly sent: Map<string, number | undefined>;
  readonly appliedAtMs: Map<string, number>;
  reportedMs: number;
  hasNews: boolean;
}

export interface World {
  readonly config: EngineConfig;
  nowMs: number;
  policy: Policy;
  generation: number;
  decisions: number;
  readonly agents: Agent[];
  readonly apps: Map<string, App>;
  readonly pending: Map<string, Order>;
  readonly evidence: Record<string, NvaEvidence>;
  readonly learned: Record<string, LearnedEvidence>;
  readonly observers: Map<string, { isBlind: boolean }>;
  readonly heardObservers: Record<string, Snapshot['observers'][string]>;
  seat: Snapshot['seat'];
  isSeatCut: boolean;
  isReadable: boolean;
  /** Route Server applies one change of a route in this time; 0: every one at once. */
  applyMs: number;
  /** Regions on which people work as soon as they do not act: their applications are stopped. */
  readonly workOn: Set<string>;
  signals: Snapshot['signals'];
  seatViews: Snapshot['seatViews'];
  vetoes: Snapshot['vetoes'];
  nextLookMs: number;
  hasNews: boolean;
  decision: Decision | undefined;
}

export function createWorld(config: EngineConfig, observers: readonly string[], seatRegion: string): World {
  const policy = firstPolicy(config, LONG_AGO_MS);
  const orders = compileOrders(policy, config, { epoch: 1, generation: 1 }, LONG_AGO_MS);
  const agents = config.topology.regions.flatMap((region) =>
    region.nvas.map(
      (nva): Agent => ({
        name: nva.name,
        region: region.name,
        peers: region.routeServer.peers,
        asn: nva.asn,
        state: 'up',
        stateSinceMs: LONG_AGO_MS,
        isCut: false,
        isStopping: false,
        sessionsUp: 2,
        sessionsSinceMs: LONG_AGO_MS,
        order: orders[nva.name],
        local: new Map(config.vips.map((vip) => [vip.name, { verdict: 'healthy', sinceMs: LONG_AGO_MS }])),
        announced: new Map(),
        held: new Map(),
        sent: new Map(),
        appliedAtMs: new Map(),
        reportedMs: 0,
        hasNews: true,
      }),
    ),
  );
  const world: World = {
    config,
    nowMs: START_MS,
    policy,
    generation: 1,
    decisions: 0,
    agents,
    apps: new Map(),
    pending: new Map(),
    evidence: {},
    learned: {},
    observers: new Map(observers.map((name) => [name, { isBlind: false }])),
    heardObservers: {},
    seat: { name: `seat-${seatRegion}`, region: seatRegion, leaderSinceMs: LONG_AGO_MS, followedFresh: true },
    isSeatCut: false,
    isReadable: true,
    applyMs: 0,
    workOn: new Set(),
    signals: {},
    seatViews: [],
    vetoes: {},
    nextLookMs: START_MS,
    hasNews: true,
    decision: undefined,
  };
  for (const agent of agents) reflex(world, agent, LONG_AGO_MS);
  return world;
}

export const appKey = (region: string, vip: string): string => `${region}/${vip}`;

/** One step of everything, in the order in which it would happen. Returns the decision if one was made. */
export function stepWorld(world: World): Decision | undefined {
  world.nowMs += STEP_MS;
  beginWork(world);
  for (const agent of world.agents) {
    receiveOrder(world, agent);
    reflex(world, agent, world.nowMs);
    sendReport(world, agent);
  }
  observe(world);
  readRouteServers(world);
  probe(world);
  const isTick = (world.nowMs - START_MS) % (world.config.topology.timing.tickSeconds * 1000) === 0;
  if (!isTick && !world.hasNews && world.nowMs < world.nextLookMs) return undefined;
  world.hasNews = false;
  return evaluate(world);
}

/** Whoever was told that a region does not act any more starts to work on it. */
function beginWork(world: World): void {
  for (const region of world.workOn) {
    if (Object.values(world.policy.vips).some((vip) => vip.acting === region)) continue;
    for (const vip of world.config.vips) world.apps.set(appKey(region, vip.name), 'down');
    world.workOn.delete(region);
  }
}

function receiveOrder(world: World, agent: Agent): void {
  const order = world.pending.get(agent.name);
  if (order === undefined || agent.state !== 'up' || agent.isCut || world.isSeatCut) return;
  agent.order = order;
  agent.hasNews = true;
  world.pending.delete(agent.name);
}

/** What the agent announces follows its order and its application, and Route Server follows the agent. */
function reflex(world: World, agent: Agent, sinceMs: number): void {
  if (agent.state === 'off' && world.nowMs - agent.stateSinceMs >= HOLD_TIME_MS) {
    agent.sent.clear();
    agent.held.clear();
  }
  applyRoutes(world, agent);
  if (agent.state !== 'up') return;
  for (const row of agent.order?.vips ?? []) {
    const app = world.apps.get(appKey(agent.region, row.vip)) ?? 'up';
    const verdict = app === 'up' ? 'healthy' : app === 'slow' ? 'degraded' : 'unhealthy';
    const local = agent.local.get(row.vip);
    if (local?.verdict !== verdict) {
      agent.local.set(row.vip, { verdict, sinceMs });
      agent.hasNews = true;
    }
    const isFallen = (verdict === 'unhealthy' && row.onLocalFailure !== 'ignore') || agent.isStopping;
    announce(world, agent, row, isFallen, sinceMs);
  }
}

function announce(world: World, agent: Agent, row: Order['vips'][number], isFallen: boolean, sinceMs: number): void {
  const before = agent.announced.get(row.vip);
  if (row.state === 'withheld') {
    agent.announced.delete(row.vip);
    agent.sent.set(row.vip, undefined);
    applyRoutes(world, agent);
    return;
  }
  const { ladder } = world.config;
  const regions = world.config.vips.find((vip) => vip.name === row.vip)?.regions.length ?? 0;
  const prepend = isFallen ? row.lastResortPrepend : row.prepend;
  const rung = isFallen ? ladder.headroom + regions : row.rung;
  if (before?.prepend !== prepend || before.rung !== rung || before.lastResort !== isFallen) {
    agent.announced.set(row.vip, { rung, prepend, lastResort: isFallen, sinceMs });
  }
  if (agent.sessionsUp > 0) agent.sent.set(row.vip, prepend);
  else {
    // With the session its routes go, at once.
    agent.sent.delete(row.vip);
    agent.held.delete(row.vip);
  }
  applyRoutes(world, agent);
}

/** Route Server takes a change as soon as its last one of this route is old enough; until then the newest waits. */
function applyRoutes(world: World, agent: Agent): void {
  for (const [vip, prepend] of agent.sent) {
    if (agent.held.get(vip) === prepend) continue;
    if (world.nowMs - (agent.appliedAtMs.get(vip) ?? 0) < world.applyMs) continue;
    agent.appliedAtMs.set(vip, world.nowMs);
    if (prepend === undefined) agent.held.delete(vip);
    else agent.held.set(vip, prepend);
  }
}

function sendReport(world: World, agent: Agent): void {
  if (agent.state !== 'up') return;
  const isDue = world.nowMs - agent.reportedMs >= world.config.reportMs;
  if (!isDue && !agent.hasNews) return;
  agent.reportedMs = world.nowMs;
  if (agent.isCut || world.isSeatCut) return;
  const isTransition = agent.hasNews;
  agent.hasNews = false;
  const vips = [...agent.local].map(
    ([vip, local]): ReportVip => ({
      vip,
      local: { ...local, window: '', latencyMs: 5 },
      announced: agent.announced.get(vip) ?? null,
      flapPenalty: 0,
    }),
  );
  const state = {
    nva: agent.name,
    peers: agent.peers,
    generation: agent.order?.generation ?? 0,
    sessionsUp: agent.sessionsUp,
    sessionsSinceMs: agent.sessionsSinceMs,
    stopping: agent.isStopping,
    vips,
  };
  world.evidence[agent.name] = { report: { receivedAtMs: world.nowMs, report: reportOf(state, world.nowMs) } };
  if (isTransition) world.hasNews = true;
}

/** The regions whose route is best for users, and of those the ones that answer. */
export function served(world: World, vip: string): { readonly best: string[]; readonly answering: string[] } {
  const offers = world.agents.flatMap((agent) => {
    const prepend = agent.held.get(vip);
    const isAnswering = agent.state === 'up' && world.apps.get(appKey(agent.region, vip)) !== 'down';
    return prepend === undefined ? [] : [{ region: agent.region, prepend, isAnswering }];
  });
  const least = Math.min(...offers.map((offer) => offer.prepend));
  const best = offers.filter((offer) => offer.prepend === least);
  const names = (list: typeof best) => [...new Set(list.map((offer) => offer.region))].sort();
  return { best: names(best), answering: best.every((offer) => offer.isAnswering) ? names(best) : [] };
}

function observe(world: World): void {
  if ((world.nowMs - START_MS) % world.config.reportMs !== 0 || world.isSeatCut) return;
  for (const [name, { isBlind }] of world.observers) {
    const answers = world.config.vips.map((vip) => {
      const { answering } = served(world, vip.name);
      return { vip: vip.name, region: isBlind ? null : (answering[0] ?? null) };
    });
    world.heardObservers[name] = { receivedAtMs: world.nowMs, report: observerReportOf(name, answers, world.nowMs) };
  }
}

function readRouteServers(world: World): void {
  if (!world.isReadable || (world.nowMs - START_MS) % LEARNED_EVERY_MS !== 0) return;
  for (const agent of world.agents) {
    const routes = Object.fromEntries(
      [...agent.held].map(([vip, prepend]) => [prefixOf(world, vip), [agent.asn, ...new Array(prepend).fill(64500)]]),
    );
    world.learned[agent.name] = {
      atMs: world.nowMs,
      peers: Object.fromEntries(agent.peers.map((peer) => [peer, routes])),
    };
  }
}

const prefixOf = (world: World, vip: string): string =>
  world.config.vips.find((candidate) => candidate.name === vip)?.prefix ?? '';

function probe(world: World): void {
  for (const name of probesWanted(snapshotOf(world), world.config, world.nowMs)) {
    const agent = world.agents.find((candidate) => candidate.name === name);
    const isAnswered = agent?.state === 'up' && !agent.isCut && !world.isSeatCut;
    const outcome = isAnswered ? 'answered' : 'failed';
    world.evidence[name] = { ...world.evidence[name], probe: { atMs: world.nowMs, outcome } };
  }
}

export function snapshotOf(world: World): Snapshot {
  return emptySnapshot({
    decisionId: `d-${world.decisions + 1}`,
    nextGeneration: world.generation + 1,
    seat: world.seat,
    nvas: world.evidence,
    observers: world.heardObservers,
    learned: world.learned,
    seatViews: world.seatViews,
    signals: world.signals,
    vetoes: world.vetoes,
  });
}

function evaluate(world: World): Decision {
  const decision = decide(snapshotOf(world), world.policy, world.config, world.nowMs);
  world.decision = decision;
  world.nextLookMs = decision.nextLookMs;
  if (decision.changed) commit(world, decision.policy);
  return decision;
}

function commit(world: World, policy: Policy): void {
  world.policy = policy;
  world.decisions += 1;
  world.generation += 1;
  const orders = compileOrders(policy, world.config, { epoch: 1, generation: world.generation }, world.nowMs);
  for (const [nva, order] of Object.entries(orders)) world.pending.set(nva, order);
}

/** A person or program writes into the ledger beside the engine: intents, holds, failed proofs. */
export function writeLedger(world: World, change: Partial<Pick<Policy, 'intents' | 'holds' | 'vips'>>): void {
  world.policy = { ...world.policy, ...change };
  world.hasNews = true;
}

export const addIntent = (world: World, intent: Intent): void =>
  writeLedger(world, { intents: [...world.policy.intents, intent] });
export const addHold = (world: World, hold: Hold): void => writeLedger(world, { holds: [...world.policy.holds, hold] });

/** The ledger is gone; a new one is made from what the agents say they carry. */
export function rebuildLedger(world: World): void {
  world.generation += 1;
  world.policy = adoptPolicy(world.evidence, world.config, world.nowMs, world.generation);
  world.hasNews = true;
}
