// Puts one simulated world together: agents, seats, storage, network, users, and the judge who watches them.
import type { OperationInput } from '../../functions/orchestrators/names.ts';
import { createRandom, type Random } from '../../infra/lab/seeded-random.ts';
import { findNva } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { Judge } from './judge.ts';
import { Network } from './network.ts';
import { SimObserver } from './observer.ts';
import type { Plan, PlannedWish } from './plan.ts';
import { type AgentOwner, SimAgent } from './sim-agent.ts';
import { SimSeat } from './sim-seat.ts';
import { createStores, GROUP, type Stores } from './stores.ts';
import { Timeline } from './timeline.ts';
import { Process, Wires } from './wires.ts';

/** A Monday at midnight; ticks and slots count from there. */
export const START_MS = Date.UTC(2026, 0, 5);
const REPORT_TIMEOUT_MS = 5000;
const CHECK_MS = 1000;

export class SimWorld {
  readonly plan: Plan;
  readonly timeline = new Timeline(START_MS);
  readonly random: Random;
  readonly wires: Wires;
  readonly stores: Stores;
  readonly network: Network;
  readonly agents = new Map<string, SimAgent>();
  readonly seats: SimSeat[] = [];
  readonly judge: Judge;
  readonly places = { storage: new Process('storage'), arm: new Process('arm'), ingestion: new Process('ingestion') };
  readonly counts = { looks: 0, idle: 0, reports: 0 };
  readonly story: string[] = [];
  storageDelayMs = 0;
  /** Faults that are on now, and since when there is none. */
  broken = 0;
  calmSinceMs = START_MS;
  #wishes = 0;
  readonly #observers: SimObserver[];

  constructor(plan: Plan) {
    this.plan = plan;
    const { topology } = plan;
    const { timeline } = this;
    this.random = createRandom(plan.seed ^ 0x5eed);
    this.wires = new Wires(timeline, this.random.fork());
    this.stores = createStores(timeline, {
      onCommit: (leaseId, before, after) => this.judge.onCommit(leaseId, before, after),
      onAppended: (records) => this.judge.onAppended(records),
      onReplaced: ({ EventId }) => this.judge.breach('record kept', `${EventId} was replaced by another`),
    });
    this.network = new Network({ topology, timeline, routeChangeMs: plan.routeChangeMs, onChange: () => this.look() });
    this.judge = new Judge({
      ...{ topology, timeline, network: this.network, wires: this.wires, agents: this.agents, seats: this.seats },
      ...{ routeChangeMs: plan.routeChangeMs, holdMs: plan.holdMs },
      calmSinceMs: () => (this.broken > 0 ? undefined : this.calmSinceMs),
      isLedgerHarmed: plan.faults.some(({ kind }) => kind === 'ledger-rollback' || kind === 'ledger-corrupt'),
      isStorageFair: () => this.places.storage.isRunning && this.storageDelayMs === 0,
      tell: (text) => this.tell(text),
    });
    this.#addAgents(topology);
    this.#addSeats(topology);
    this.#observers = topology.observers.map(
      ({ name }) =>
        new SimObserver(name, { topology, timeline, judge: this.judge, wires: this.wires, seats: this.seats }),
    );
  }

  start(): void {
    for (const seat of this.seats) seat.boot();
    for (const agent of this.agents.values()) agent.boot();
    for (const observer of this.#observers) observer.start();
    this.#check();
  }

  /** Epoch ms of a time of the plan. */
  at(planMs: number): number {
    return START_MS + planMs;
  }

  tell(text: string): void {
    const ms = this.timeline.nowMs - START_MS;
    const clock = `${String(Math.floor(ms / 60_000)).padStart(2, '0')}:${((ms % 60_000) / 1000).toFixed(3).padStart(6, '0')}`;
    this.story.push(`${clock} ${text}`);
  }

  slowStorage(delayMs: number): void {
    this.storageDelayMs = delayMs;
  }

  /** Somebody restores the ledger as it was that long ago; without an older one nothing happens. */
  rollBack(agoMs: number): void {
    const { ledger, backups } = this.stores;
    const untilMs = this.timeline.nowMs - agoMs;
    const older = backups.slice(0, -1).findLast(({ atMs }) => atMs <= untilMs);
    if (older !== undefined) ledger.overwrite(GROUP, older.text);
  }

  look(): void {
    this.judge.look();
    for (const observer of this.#observers) observer.look();
  }

  agent(name: string): SimAgent {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new Error(`no agent ${name}`);
    return agent;
  }

  seat(name: string): SimSeat {
    const seat = this.seats.find((one) => one.name === name);
    if (seat === undefined) throw new Error(`no seat ${name}`);
    return seat;
  }

  /** A person or runbook asks the seat that leads, or any that lives. */
  ask(
    wish:
      | PlannedWish
      | { readonly kind: 'trust-ledger' | 'failback'; readonly vip: string | null; readonly region: string | null },
    force: readonly string[] = [],
  ): void {
    const leader = this.seats.find((seat) => seat.leaseId === this.stores.lease.id && seat.process.isRunning);
    const seat = leader ?? this.seats.find((one) => one.process.isRunning);
    if (seat === undefined) return;
    this.#wishes += 1;
    const id = `op-${this.#wishes}`;
    const nowMs = seat.nowMs();
    const deadlineMs = nowMs + this.plan.topology.guards.intentSeconds * 1000;
    const who = { actor: 'ops', actorType: 'human' as const, reason: 'simulated wish' };
    const input: OperationInput = {
      ...{
        id,
        kind: wish.kind,
        group: GROUP,
        vip: wish.vip,
        region: wish.region,
        createdAtMs: nowMs,
        deadlineMs,
        bodyHash: id,
      },
      ...(wish.kind === 'drill' && { seconds: 60 }),
      ...who,
      wish:
        wish.kind === 'hold'
          ? { type: 'hold', id: `h-${id}`, vip: wish.vip, seconds: 60, full: false, ...who }
          : {
              type: 'intent',
              intent: {
                ...{
                  id: `i-${id}`,
                  type: wish.kind === 'drill' ? 'failover' : wish.kind,
                  ...who,
                  force: [...force],
                  createdAtMs: nowMs,
                  deadlineMs,
                  operation: id,
                },
                ...(wish.vip !== null && { vip: wish.vip }),
                ...(wish.region !== null && { region: wish.region }),
              },
            },
    };
    this.tell(`asked ${seat.name}: ${wish.kind} ${wish.vip ?? ''} ${wish.region ?? ''} ${force.join(' ')}`);
    seat.operate(input);
  }

  #addAgents(topology: Topology): void {
    const owner: AgentOwner = {
      ...{
        topology,
        timeline: this.timeline,
        random: this.random.fork(),
        network: this.network,
        holdMs: this.plan.holdMs,
      },
      send: (agent, seatName, report, done) => {
        const seat = this.seat(seatName);
        this.counts.reports += 1;
        // Nobody could tell it from one that took its milliseconds.
        if (this.wires.isFair(agent.name, seatName) && seat.hearNoNews(report)) return done(true);
        void this.wires
          .request(agent.process, seat.process, REPORT_TIMEOUT_MS, () => seat.hear(report).catch(() => undefined))
          .then((reply) => {
            const answer = reply.type === 'answered' ? reply.value : undefined;
            done(answer !== undefined, answer?.order);
          });
      },
      onApplied: (agent, order, before) => this.judge.onApplied(agent, order, before),
      onRefused: (agent, order, refusal) => {
        if (refusal !== 'older') this.tell(`${agent.name} refused ${order.epoch}.${order.generation}: ${refusal}`);
      },
      onWire: (agent, prefix) => this.judge.onWire(agent, prefix),
      onState: () => this.look(),
    };
    for (const { name } of topology.regions.flatMap((region) => region.nvas)) {
      const place = findNva(topology, name);
      if (place !== undefined) this.agents.set(name, new SimAgent(owner, place));
    }
  }

  #addSeats(topology: Topology): void {
    for (const seat of topology.seats) {
      this.seats.push(
        new SimSeat(
          {
            ...{
              topology,
              timeline: this.timeline,
              random: this.random.fork(),
              wires: this.wires,
              stores: this.stores,
            },
            ...{ network: this.network, places: this.places, agents: this.agents, counts: this.counts },
            storageDelayMs: () => this.storageDelayMs,
            onMistake: (text) => this.judge.breach('no mistake', text),
          },
          seat,
        ),
      );
    }
  }

  #check(): void {
    this.judge.check();
    this.timeline.after(CHECK_MS, () => this.#check());
  }
}
