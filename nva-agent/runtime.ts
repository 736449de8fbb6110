// The agent's shell: feeds probes, sentinels, orders and timers into the pure step and carries out what it asks for.
import { randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order } from '../shared/order.ts';
import type { Finding } from '../shared/result.ts';
import { findNva } from '../shared/topology.ts';
import { type AgentEffect, type AgentEvent, type AgentPlan, type AgentState, newAgent, step } from './agent.ts';
import { Alarm } from './alarm.ts';
import { type Applications, createApplications } from './applications.ts';
import { CEASE } from './bgp/iana.ts';
import type { SessionEvent } from './bgp/session.ts';
import { type Clock, createClock } from './clock.ts';
import type { AgentConfig } from './control/config.ts';
import { type AgentDoor, type AgentServer, openAgentServer, openLocalSocket } from './control/http-server.ts';
import { SOCKET_NAME } from './control/local-client.ts';
import { type AgentMetrics, createMetrics } from './control/metrics.ts';
import { createOrderDesk, type OrderDesk, type OrderOutcome, pinnedKeys } from './control/order-desk.ts';
import { loadOrders, realDisk, type StateDisk } from './control/order-store.ts';
import { answerOverride, loadOverrides } from './control/override-store.ts';
import { Reporting } from './control/reporting.ts';
import { isAnotherNva, keepingStartup, restartNeeded } from './control/restart-needed.ts';
import { scrape } from './control/scrape.ts';
import { noteSessionEvent } from './control/session-notes.ts';
import { type AgentStatus, buildStatus } from './control/status.ts';
import { DataPlaneWiring } from './data-plane-wiring.ts';
import { dataPlaneOf } from './dataplane/plan.ts';
import { startDriver } from './drivers/driver.ts';
import type { ProbeOutcome } from './health/window.ts';
import { createLog, type Log, type LogSink } from './log.ts';
import { nextTickMs } from './next-tick.ts';
import { planOf } from './plan.ts';
import type { RunProbe } from './probes/probe.ts';
import { wantedRoutes } from './route/wanted-routes.ts';
import type { Speaker } from './speaker.ts';
import { AGENT_VERSION } from './version.ts';

/** What a test or the lab may replace; everything is real by default. */
export interface AgentPorts {
  readonly clock?: Clock;
  readonly disk?: StateDisk;
  readonly runProbe?: RunProbe;
  readonly logSink?: LogSink;
}

export interface RunningAgent {
  readonly bootId: string;
  /** Where HTTPS listens: the configured port, or the one the kernel chose for 0. */
  readonly port: number;
  status(): AgentStatus;
  /** Last resort, wait, withdraw, wait, CEASE. A second call leaves at once. Resolves when all is closed. */
  stop(): Promise<void>;
  /** Applies a newly loaded configuration; sessions stay up. Returns what needs a restart instead. */
  reload(config: AgentConfig): Promise<readonly Finding[]>;
  /** Resolves when the agent has gone, for whatever reason. */
  readonly gone: Promise<void>;
}

/** RFC 9003 text of our CEASE. */
const SHUTDOWN_TEXT = 'anycast-agent is stopping';

/** Starts an agent. Rejects when its port is taken or its TLS files do not fit; then nothing is left running. */
export async function startAgent(config: AgentConfig, ports: AgentPorts = {}): Promise<RunningAgent> {
  const agent = new AgentRuntime(config, ports);
  try {
    await agent.start();
  } catch (error) {
    await agent.abandon();
    throw error;
  }
  return agent;
}

class AgentRuntime implements RunningAgent {
  readonly bootId = randomUUID();
  readonly gone: Promise<void>;
  #config: AgentConfig;
  readonly #ports: AgentPorts;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: AgentMetrics;
  readonly #desk: OrderDesk;
  #plan: AgentPlan;
  #state: AgentState;
  #speaker: Speaker | undefined;
  #server: AgentServer | undefined;
  #socket: { close(): Promise<void> } | undefined;
  readonly #reporting: Reporting;
  readonly #applications: Applications;
  readonly #dataPlane: DataPlaneWiring;
  readonly #alarm: Alarm;
  readonly #startedAtMs: number;
  readonly #counts = { orders: {} as Record<string, number>, probes: 0 };
  #isStarted = false;
  #settleGone: () => void = () => {};

  constructor(config: AgentConfig, ports: AgentPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#clock = ports.clock ?? createClock();
    this.#log = createLog(config.log.level, config.nva, this.#clock.nowMs, ports.logSink);
    this.#metrics = createMetrics(AGENT_VERSION, config.nva);
    this.#plan = planOf(config.loadedTopology, this.#place(), config.stop);
    this.#startedAtMs = this.#clock.nowMs();
    this.#state = newAgent(this.#plan, [], [], this.#startedAtMs);
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve;
    });
    this.#alarm = new Alarm({
      nowMs: this.#clock.nowMs,
      dueMs: () => nextTickMs(this.#state),
      ring: () => this.#dispatch({ type: 'tick' }),
    });
    this.#applications = createApplications((heard) => {
      this.#dispatch(heard);
      if (heard.type === 'probed') this.#noteProbe(heard.vip, heard.outcome);
    }, ports.runProbe);
    this.#reporting = new Reporting({
      bootId: this.bootId,
      clock: this.#clock,
      log: this.#log,
      metrics: this.#metrics,
      view: () => ({ state: this.#state, plan: this.#plan, sessions: this.#speaker?.sessions() ?? [] }),
      onOrder: (jws, seat) => void this.#takeHandedOrder(jws, seat),
    });
    this.#dataPlane = new DataPlaneWiring({
      folder: join(config.stateDirectory, 'dataplane'),
      log: this.#log,
      nowMs: this.#clock.nowMs,
      state: () => this.#state,
      tell: (vip, obstacle) => this.#dispatch({ type: 'data-plane', vip, obstacle }),
    });
    this.#desk = createOrderDesk({
      plan: () => this.#plan,
      keys: () => pinnedKeys(this.#config.loadedTopology),
      stateDirectory: config.stateDirectory,
      last: (group) => this.#state.orders.get(group),
      apply: (order) => this.#carryOut(order),
      count: (outcome, detail) => this.#countOrder(outcome, detail),
      wallMs: this.#clock.wallMs,
      disk: ports.disk ?? realDisk,
    });
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(): Promise<void> {
    await this.#recall();
    this.#server = await openAgentServer(this.#config.listen, this.#config.tls, this.#door());
    this.#socket = await this.#openSocket();
    this.#noteCertificate();
    this.#speaker = await this.#startSpeaker();
    this.#applications.watch(this.#config.loadedTopology, this.#plan);
    this.#isStarted = true;
    this.#dispatch({ type: 'start' });
    this.#dataPlane.configure(dataPlaneOf(this.#config.loadedTopology, this.#place()));
    this.#reporting.configure(this.#config);
    this.#log.info('started', {
      bootId: this.bootId,
      version: AGENT_VERSION,
      port: this.port,
      vips: this.#plan.vips.length,
    });
  }

  /** Closes what a failed start has opened. */
  async abandon(): Promise<void> {
    this.#state = { ...this.#state, phase: 'gone' };
    await this.#leave();
  }

  status(): AgentStatus {
    return buildStatus(this.#state, this.#plan, {
      region: this.#place().region.name,
      bootId: this.bootId,
      startedAtMs: this.#startedAtMs,
      nowMs: this.#clock.nowMs(),
      sessions: this.#speaker?.sessions() ?? [],
      trouble: this.#speaker?.trouble() ?? null,
      counters: structuredClone({ ...this.#counts, reports: this.#reporting.counts }),
      dataPlane: this.#dataPlane.view() ?? null,
    });
  }

  async stop(): Promise<void> {
    // A second stop waits for nothing any more.
    if (this.#state.phase !== 'running') this.#dataPlane.hurry();
    else await this.#dataPlane.shareForStop();
    this.#dispatch({ type: 'stop' });
    await this.gone;
  }

  async reload(config: AgentConfig): Promise<readonly Finding[]> {
    const found = restartNeeded(this.#config, config);
    if (isAnotherNva(found)) {
      this.#log.error('reload refused: this would be another NVA, which only a restart makes', { found });
      return found;
    }
    // Files that do not fit together throw here, before anything has changed.
    this.#server?.reloadTls(config.tls);
    this.#config = keepingStartup(this.#config, config);
    this.#noteCertificate();
    this.#plan = planOf(config.loadedTopology, this.#place(), config.stop);
    this.#reporting.configure(this.#config);
    this.#applications.watch(this.#config.loadedTopology, this.#plan);
    this.#dispatch({ type: 'reload', plan: this.#plan });
    const goneMs = this.#config.stop.withdrawSeconds * 1000;
    this.#dataPlane.configure(dataPlaneOf(this.#config.loadedTopology, this.#place()), { goneMs });
    this.#log.info('reloaded', { vips: this.#plan.vips.length, restartNeededFor: found.map((f) => f.path) });
    return found;
  }

  // ---------------------------------------------------------------- the step and what it asks for

  /** Routes whose connections live elsewhere wait a moment for those to be provided for; all others change now. */
  #carryOut(order: Order): void {
    const go = () => this.#dispatch({ type: 'start' });
    const later = this.#dataPlane.share(order, this.#state.orders.get(order.group), go);
    this.#dispatch({ type: 'order', order, later });
  }

  #dispatch(event: AgentEvent): void {
    const { state, effects } = step(this.#state, this.#plan, event, this.#clock.nowMs());
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: AgentEffect): void {
    switch (effect.type) {
      case 'advertise':
        this.#speaker?.set(wantedRoutes(this.#state, this.#plan, this.#place().nva));
        return;
      case 'resend':
        this.#speaker?.resend(effect.prefixes);
        this.#log.info('said once more, the window has closed', { prefixes: effect.prefixes });
        return;
      case 'probe':
        for (let i = 0; i < effect.count; i += 1) this.#applications.probe(effect.vip, effect.probe);
        return;
      case 'report':
        this.#reporting.transition();
        return;
      case 'verdict':
        this.#metrics.transitions.inc({ vip: effect.vip, to: effect.to });
        this.#log.warn('verdict', { vip: effect.vip, from: effect.from, to: effect.to, detail: effect.detail });
        return;
      case 'route':
        this.#log.warn('route', { vip: effect.vip, from: effect.from, to: effect.to });
        if (effect.from?.lastResort === true && effect.to?.lastResort === false) {
          this.#dataPlane.shareOnReturn(effect.vip);
        }
        return;
      case 'override-expired':
        this.#log.warn('override expired', { vip: effect.vip });
        return;
      case 'leave':
        void this.#leave();
    }
  }

  #noteProbe(vip: string, outcome: ProbeOutcome): void {
    this.#counts.probes += 1;
    this.#metrics.probes.inc({ vip, outcome: outcome.type });
    if (outcome.type !== 'unknown') this.#metrics.probeSeconds.observe({ vip }, outcome.latencyMs / 1000);
    else this.#log.warn('probe told nothing', { vip, detail: outcome.detail });
  }

  #arm(): void {
    if (this.#state.phase === 'gone' || !this.#isStarted) this.#alarm.clear();
    else this.#alarm.set();
  }

  async #leave(): Promise<void> {
    this.#alarm.clear();
    this.#applications.stop();
    await this.#speaker?.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, SHUTDOWN_TEXT);
    await this.#reporting.end();
    await this.#dataPlane.end(this.#config.stop.drainSeconds * 1000);
    await Promise.all([this.#server?.close(), this.#socket?.close()]);
    this.#log.info('stopped');
    this.#settleGone();
  }

  // ---------------------------------------------------------------- the parts

  #place() {
    const place = findNva(this.#config.loadedTopology, this.#config.nva);
    if (place === undefined) throw new Error(`${this.#config.nva} was checked to be in the topology`);
    return place;
  }

  /** What the agent knew before it was started: orders and overrides. A damaged file is refused loudly, never guessed at. */
  async #recall(): Promise<void> {
    const { stateDirectory } = this.#config;
    const { orders, refused } = await loadOrders(stateDirectory, this.#plan.nva);
    for (const { file, why } of refused) this.#log.error('persisted order refused', { file, why });
    for (const order of orders) this.#noteOrder(order);
    const read = await loadOverrides(stateDirectory, this.#clock.wallMs());
    if (typeof read === 'string') this.#log.error('persisted overrides refused', { why: read });
    this.#state = newAgent(this.#plan, orders, typeof read === 'string' ? [] : read, this.#clock.nowMs());
  }

  async #openSocket(): Promise<{ close(): Promise<void> } | undefined> {
    const path = join(this.#config.stateDirectory, SOCKET_NAME);
    try {
      return await openLocalSocket(path, this.#door());
    } catch (error) {
      // Without it `status` and `override` do not work; routes and orders do.
      this.#log.error('no local socket', { path, why: String(error) });
      return undefined;
    }
  }

  async #startSpeaker(): Promise<Speaker> {
    const { region, nva } = this.#place();
    const { bgp, routerId, loadedTopology } = this.#config;
    return await startDriver(this.#config.driver, {
      peers: region.routeServer.peers,
      localAsn: nva.asn,
      routerId: routerId ?? nva.address,
      holdSeconds: loadedTopology.timing.holdSeconds,
      peerRouteLimit: region.routeServer.routeLimit,
      localAddress: bgp.localAddress,
      listen: bgp.listen,
      nowMs: this.#clock.nowMs,
      onEvent: (peer, event) => this.#heardFromSession(peer, event),
      onTrouble: (reason) => this.#log.error('routes and daemon', { trouble: reason ?? 'over' }),
    });
  }

  #heardFromSession(peer: string, event: SessionEvent): void {
    if (noteSessionEvent(peer, event, this.#log, this.#metrics)) this.#dispatch({ type: 'session', peer });
  }

  async #takeHandedOrder(jws: string, seat: string): Promise<void> {
    const answer = await this.#desk.accept(jws);
    if (!answer.accepted) this.#log.warn('order handed out by a seat was refused', { seat, refusal: answer.refusal });
  }

  #countOrder(outcome: OrderOutcome, detail: string): void {
    this.#metrics.orders.inc({ outcome });
    this.#counts.orders[outcome] = (this.#counts.orders[outcome] ?? 0) + 1;
    if (outcome === 'accepted') {
      for (const order of this.#state.orders.values()) this.#noteOrder(order);
      this.#log.info('order accepted', { detail });
    } else if (outcome !== 'same') this.#log.warn('order refused', { outcome, detail });
  }

  #noteOrder({ group, epoch, generation }: Order): void {
    this.#metrics.orderEpoch.set({ group }, epoch);
    this.#metrics.orderGeneration.set({ group }, generation);
  }

  #noteCertificate(): void {
    const { validToDate } = new X509Certificate(readFileSync(this.#config.tls.cert));
    this.#metrics.certificateExpiry.set(validToDate.getTime() / 1000);
  }

  #door(): AgentDoor {
    return {
      acceptOrder: (jws) => this.#desk.accept(jws),
      status: () => this.status(),
      metrics: () => this.#scrape(),
      isAlive: () => this.#state.phase === 'running',
      override: (body) =>
        answerOverride(body, {
          plan: this.#plan,
          overrides: [...this.#state.overrides.values()],
          stateDirectory: this.#config.stateDirectory,
          nowMs: this.#clock.nowMs(),
          disk: this.#ports.disk ?? realDisk,
          apply: (event) => {
            this.#log.warn('override', { ...event });
            this.#dispatch(event);
          },
        }),
    };
  }

  async #scrape(): Promise<string> {
    await this.#dataPlane.refresh();
    return await scrape(this.#metrics, this.status());
  }
}
