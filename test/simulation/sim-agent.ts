// One NVA: the product's own agent step, order fence and reports, on a machine that may die, freeze or lie about time.

import type { DeliverOutcome } from '../../functions/ports.ts';
import type { Random } from '../../infra/lab/seeded-random.ts';
import {
  type AgentEffect,
  type AgentEvent,
  type AgentPlan,
  type AgentState,
  newAgent,
  step,
} from '../../nva-agent/agent.ts';
import { judgeOrder } from '../../nva-agent/control/order-fence.ts';
import { buildReport } from '../../nva-agent/control/reports.ts';
import type { ProbeOutcome } from '../../nva-agent/health/window.ts';
import { planOf } from '../../nva-agent/plan.ts';
import { wantedRoutes } from '../../nva-agent/route/wanted-routes.ts';
import type { Order } from '../../shared/order.ts';
import type { Report, ReportSession } from '../../shared/report.ts';
import type { findNva } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { Coasting } from './coasting.ts';
import type { Network } from './network.ts';
import { type SimSession, SimSessions } from './sim-sessions.ts';
import type { Timeline } from './timeline.ts';
import { Process } from './wires.ts';

export type AppMode = 'ok' | 'crashed' | 'hanging' | 'erring' | 'browned-out' | 'slow';

export interface AgentOwner {
  readonly topology: Topology;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: Network;
  /** Hold time negotiated with Route Server. */
  readonly holdMs: number;
  /** Takes the report to a seat; `taken` is called when the seat answered, with the order it handed out, if any. */
  readonly send: (
    agent: SimAgent,
    seat: string,
    report: Report,
    done: (isTaken: boolean, order?: string) => void,
  ) => void;
  readonly onApplied: (agent: SimAgent, order: Order, before: Order | undefined) => void;
  readonly onRefused: (agent: SimAgent, order: Order, refusal: string) => void;
  /** The NVA's UPDATE of this prefix has changed. */
  readonly onWire: (agent: SimAgent, prefix: string) => void;
  readonly onState: (agent: SimAgent) => void;
}

interface Lane {
  isBusy: boolean;
  isWanted: boolean;
  built: number;
  told: number;
}

const COALESCE_MS = 5;
const STOP = { lastResortSeconds: 2, withdrawSeconds: 2 };

export class SimAgent {
  readonly process: Process;
  readonly region: string;
  readonly plan: AgentPlan;
  readonly apps: Map<string, AppMode>;
  /** How far the machine's wall clock is off; its even clock is off by what that was at start. */
  clockOffsetMs = 0;
  state: AgentState;
  /** Since when it has been up without a break, for those who judge. */
  upSinceMs: number;
  readonly #owner: AgentOwner;
  readonly #place: NonNullable<ReturnType<typeof findNva>>;
  /** On disk: survives everything. */
  #persisted: Order[] = [];
  #evenOffsetMs = 0;
  #seq = 0;
  #transitions = 0;
  #isKicked = false;
  #armedAtMs = Number.POSITIVE_INFINITY;
  /** What the NVA last wanted on the wire, by prefix. */
  readonly #told = new Map<string, string>();
  #lanes = new Map<string, Lane>();
  readonly #coasting: Coasting;
  readonly #links: SimSessions;
  #last: { readonly state: AgentState; readonly links: number; readonly report: Report } | undefined;

  constructor(owner: AgentOwner, place: NonNullable<ReturnType<typeof findNva>>) {
    this.#owner = owner;
    this.#place = place;
    this.process = new Process(place.nva.name);
    this.region = place.region.name;
    this.plan = planOf(owner.topology, place, STOP);
    this.apps = new Map(this.plan.vips.map((vip) => [vip.vip, 'ok']));
    this.#coasting = new Coasting({
      plan: this.plan,
      isWell: (vip) => this.apps.get(vip) === 'ok',
      drawLatencyMs: () => this.#latencyMs('ok'),
    });
    const { timeline, random, network, holdMs } = owner;
    this.#links = new SimSessions({
      ...{ timeline, random, network, holdMs, process: this.process, region: this.region },
      peers: place.region.routeServer.peers,
      wanted: () => this.#wanted(),
      onSession: (peer) => this.dispatch({ type: 'session', peer }),
      onState: () => owner.onState(this),
    });
    this.upSinceMs = owner.timeline.nowMs;
    this.state = newAgent(this.plan, [], [], owner.timeline.nowMs);
  }

  get name(): string {
    return this.process.name;
  }

  get sessions(): readonly SimSession[] {
    return this.#links.all;
  }

  // ---------------------------------------------------------------- life

  boot(): void {
    const { timeline, random, topology } = this.#owner;
    this.#evenOffsetMs = this.clockOffsetMs;
    this.#last = undefined;
    this.#seq = 0;
    this.#isKicked = false;
    this.#armedAtMs = Number.POSITIVE_INFINITY;
    this.#coasting.reset();
    this.#lanes = new Map(
      topology.seats.map((seat) => [seat.name, { isBusy: false, isWanted: false, built: 0, told: 0 }]),
    );
    this.upSinceMs = timeline.nowMs;
    this.state = newAgent(this.plan, this.#persisted, [], this.nowMs());
    this.#links.boot();
    this.dispatch({ type: 'start' });
    for (const [vip, mode] of this.apps) if (mode === 'crashed') this.dispatch({ type: 'sentinel-lost', vip });
    this.#periodic(random.between(0, topology.timing.reportSeconds * 1000));
  }

  /** The process is killed: its kernel closes the connections. */
  crash(): void {
    this.process.kill();
    this.#links.closed();
    this.#owner.onState(this);
  }

  /** The machine is gone without a word: routes live on until the hold time ends. */
  powerOff(): void {
    this.process.kill();
    this.#links.holdTimers();
    this.#owner.onState(this);
  }

  start(): void {
    this.process.start();
    this.#links.restart();
    this.boot();
    this.#owner.onState(this);
  }

  freeze(): void {
    this.process.freeze();
    this.#links.holdTimers();
    this.#owner.onState(this);
  }

  thaw(): void {
    this.upSinceMs = this.#owner.timeline.nowMs;
    this.#links.thawed();
    this.process.thaw();
    this.#owner.onState(this);
  }

  setApp(vip: string, mode: AppMode): void {
    const before = this.apps.get(vip);
    this.apps.set(vip, mode);
    const { boot } = this.process;
    const tell = (type: 'sentinel-lost' | 'sentinel-up', delayMs: number) =>
      this.#owner.timeline.after(delayMs, () =>
        this.process.resume(boot, () => {
          if (this.apps.get(vip) === mode) this.dispatch({ type, vip });
        }),
      );
    if (mode === 'crashed') tell('sentinel-lost', 1);
    else if (before === 'crashed') tell('sentinel-up', 900);
    this.process.resume(boot, () => {
      this.#wake();
      this.#arm();
    });
    this.#owner.onState(this);
  }

  /** Users who are sent here get an answer of this vip's application. */
  answers(vip: string): boolean {
    const mode = this.apps.get(vip);
    return this.process.isRunning && (mode === 'ok' || mode === 'slow' || mode === 'browned-out');
  }

  setClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
  }

  setRefused(peer: string, isRefused: boolean): void {
    this.#links.setRefused(peer, isRefused);
  }

  nowMs(): number {
    return this.#owner.timeline.nowMs + this.#evenOffsetMs;
  }

  // ---------------------------------------------------------------- the step

  dispatch(event: AgentEvent): void {
    this.#wake();
    const { state, effects } = step(this.state, this.plan, event, this.nowMs());
    this.state = state;
    for (const effect of effects) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: AgentEffect): void {
    switch (effect.type) {
      case 'advertise':
        this.#advertise();
        return;
      case 'resend':
        this.#links.resend(effect.prefixes);
        return;
      case 'probe':
        for (let i = 0; i < effect.count; i += 1) this.#probe(effect.vip);
        return;
      case 'report':
        this.#transitions += 1;
        this.#kick();
        return;
      case 'verdict':
        this.#owner.onState(this);
        return;
      default:
        return;
    }
  }

  /** The next tick is armed as the runtime does it. The grid of probes does not shift by ticks left out. */
  #arm(): void {
    this.#armAt(this.#coasting.nextTickMs(this.state));
  }

  #armAt(evenMs: number): void {
    const atMs = evenMs - this.#evenOffsetMs;
    if (atMs >= this.#armedAtMs || !this.process.isUp) return;
    this.#armedAtMs = atMs;
    const { boot } = this.process;
    this.#owner.timeline.at(atMs, () =>
      this.process.resume(boot, () => {
        if (this.#armedAtMs !== atMs) return;
        this.#armedAtMs = Number.POSITIVE_INFINITY;
        const nextMs = this.#coasting.count(this.state, this.nowMs());
        if (nextMs === undefined) this.dispatch({ type: 'tick' });
        else this.#armAt(nextMs);
      }),
    );
  }

  #wake(): void {
    const { state, underWay } = this.#coasting.wake(this.state, this.nowMs());
    this.state = state;
    for (const { vip, delayMs } of underWay) this.#hear(vip, { type: 'pass', latencyMs: delayMs }, delayMs);
  }

  #probe(vip: string): void {
    const mode = this.apps.get(vip) ?? 'ok';
    const hasFailed =
      mode === 'crashed' ||
      mode === 'hanging' ||
      mode === 'erring' ||
      (mode === 'browned-out' && this.#owner.random.chance(0.6));
    const latencyMs = this.#latencyMs(mode);
    this.#hear(vip, hasFailed ? { type: 'fail', latencyMs, detail: mode } : { type: 'pass', latencyMs }, latencyMs);
  }

  #latencyMs(mode: AppMode): number {
    const { random } = this.#owner;
    return mode === 'hanging' ? 800 : mode === 'slow' ? random.between(300, 700) : random.between(1, 8);
  }

  #hear(vip: string, outcome: ProbeOutcome, delayMs: number): void {
    const { boot } = this.process;
    this.#owner.timeline.after(delayMs, () =>
      this.process.resume(boot, () => this.dispatch({ type: 'probed', vip, outcome })),
    );
  }

  // ---------------------------------------------------------------- orders

  /** As the order desk does it: judged, persisted, applied; acknowledged also when it is known already. */
  accept(text: string): DeliverOutcome {
    const order = JSON.parse(text) as Order;
    const last = this.state.orders.get(order.group);
    const judged = judgeOrder(order, this.plan, last, this.#owner.timeline.nowMs + this.clockOffsetMs);
    if (judged.type === 'refused') {
      this.#owner.onRefused(this, order, judged.refusal);
      return { type: 'refused', code: judged.refusal, detail: judged.detail };
    }
    if (judged.type === 'new') {
      this.#persisted = [...this.#persisted.filter((one) => one.group !== order.group), order];
      this.#owner.onApplied(this, order, last);
      this.dispatch({ type: 'order', order });
    }
    return { type: 'acknowledged', sequence: { epoch: order.epoch, generation: order.generation } };
  }

  // ---------------------------------------------------------------- reports

  #periodic(delayMs: number): void {
    const { timeline, topology } = this.#owner;
    const { boot } = this.process;
    timeline.after(delayMs, () =>
      this.process.resume(boot, () => {
        this.#sendAll();
        this.#periodic(topology.timing.reportSeconds * 1000);
      }),
    );
  }

  #kick(): void {
    if (this.#isKicked) return;
    this.#isKicked = true;
    const { boot } = this.process;
    this.#owner.timeline.after(COALESCE_MS, () =>
      this.process.resume(boot, () => {
        this.#isKicked = false;
        this.#sendAll();
      }),
    );
  }

  #sendAll(): void {
    for (const [seat, lane] of this.#lanes) {
      lane.isWanted = true;
      if (!lane.isBusy) this.#send(seat, lane);
    }
  }

  /** At most one report under way to a seat, as the report sender has it. */
  #send(seat: string, lane: Lane): void {
    lane.isWanted = false;
    lane.isBusy = true;
    lane.built = this.#transitions;
    const built = this.#transitions;
    this.#seq += 1;
    const group = this.plan.vips[0]?.group ?? 'default';
    const report = this.#report(group, built > lane.told);
    const { boot } = this.process;
    this.#owner.send(this, seat, report, (isTaken, order) =>
      this.process.resume(boot, () => {
        lane.isBusy = false;
        if (isTaken) lane.told = built;
        if (order !== undefined) this.accept(order);
        if (lane.isWanted) this.#send(seat, lane);
      }),
    );
  }

  /** The same as before but for its time while nothing has changed. */
  #report(group: string, transition: boolean): Report {
    const moment = { bootId: this.process.life, seq: this.#seq, atMs: this.nowMs(), transition };
    const last = this.#last;
    if (last?.state === this.state && last.links === this.#links.changes) return { ...last.report, ...moment };
    const report = buildReport(this.state, this.plan, group, { ...moment, sessions: this.#reportSessions() });
    this.#last = { state: this.state, links: this.#links.changes, report };
    return report;
  }

  #reportSessions(): ReportSession[] {
    return this.sessions.map((session) => ({
      peer: session.peer,
      state: session.isUp ? 'Established' : 'Connect',
      sinceMs: Math.round(session.sinceMs + this.#evenOffsetMs),
      holdSeconds: session.isUp ? this.#owner.holdMs / 1000 : null,
      routes: [...session.routes].map(([prefix, asPath]) => ({ prefix, asPath: [...asPath] })),
    }));
  }

  #advertise(): void {
    const wanted = this.#wanted();
    this.#links.advertise(wanted);
    for (const { prefix } of this.plan.vips) {
      const path = wanted.get(prefix)?.join(' ') ?? '';
      if (this.#told.get(prefix) === path) continue;
      this.#told.set(prefix, path);
      this.#owner.onWire(this, prefix);
    }
  }

  #wanted(): Map<string, readonly number[]> {
    return new Map(wantedRoutes(this.state, this.plan, this.#place.nva).map((route) => [route.prefix, route.asPath]));
  }
}
