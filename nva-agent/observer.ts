// The observer's shell: asks every vip from on-premises, sees which region answers, and reports it like an agent.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ObserverReport } from '../shared/report.ts';
import type { Finding } from '../shared/result.ts';
import type { Vip } from '../shared/topology-schema.ts';
import { type Clock, createClock } from './clock.ts';
import type { AgentConfig } from './control/config.ts';
import { type AgentServer, openAgentServer } from './control/http-server.ts';
import { createTokenSource } from './control/identity-token.ts';
import { createMetrics } from './control/metrics.ts';
import { createReportSender, type ReportSender } from './control/report-sender.ts';
import { createLog, type LogSink } from './log.ts';
import { lossOf, newObservation, nextPeriod, type Observation, observe, reportRow } from './observation.ts';
import { askWho } from './probes/observe.ts';
import { ThroughputSamples } from './throughput-samples.ts';
import { AGENT_VERSION } from './version.ts';

export interface ObserverPorts {
  readonly clock?: Clock;
  readonly logSink?: LogSink;
}

export interface RunningObserver {
  readonly port: number;
  status(): ObserverStatus;
  stop(): Promise<void>;
  reload(config: AgentConfig): Promise<readonly Finding[]>;
  readonly gone: Promise<void>;
}

export interface ObserverStatus {
  readonly v: 1;
  readonly mode: 'observer';
  readonly observer: string;
  readonly version: string;
  readonly bootId: string;
  readonly vips: ObserverReport['vips'];
}

/** A vip is asked this often, each time over a new connection. */
export const LOOK_INTERVAL_MS = 200;
export const LOOK_TIMEOUT_MS = 1000;
const LAST_REPORT_MS = 1000;

type ObservedVip = Vip & { readonly observe: NonNullable<Vip['observe']> };

/** Starts an observer. Rejects when its port is taken or its TLS files do not fit. */
export async function startObserver(config: AgentConfig, ports: ObserverPorts = {}): Promise<RunningObserver> {
  const observer = new Observer(config, ports);
  await observer.start();
  return observer;
}

class Observer implements RunningObserver {
  readonly gone: Promise<void>;
  readonly #bootId = randomUUID();
  readonly #clock: Clock;
  readonly #log;
  readonly #metrics;
  #config: AgentConfig;
  #server: AgentServer | undefined;
  #sender: ReportSender | undefined;
  #seen = new Map<string, Observation>();
  readonly #samples: ThroughputSamples;
  #documents: readonly { group: string; body: string }[] = [];
  #period: NodeJS.Timeout | undefined;
  #timers = new Map<string, NodeJS.Timeout>();
  #seq = 0;
  #isStopped = false;
  #settleGone: () => void = () => {};

  constructor(config: AgentConfig, ports: ObserverPorts) {
    this.#config = config;
    this.#clock = ports.clock ?? createClock();
    this.#log = createLog(config.log.level, config.nva, this.#clock.nowMs, ports.logSink);
    this.#metrics = createMetrics(AGENT_VERSION, config.nva);
    this.#samples = new ThroughputSamples({
      nowMs: this.#clock.nowMs,
      onFailure: (vip, detail) => this.#log.warn('no throughput sample', { vip, detail }),
    });
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve;
    });
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async start(): Promise<void> {
    this.#server = await openAgentServer(this.#config.listen, this.#config.tls, {
      acceptOrder: async () => ({ accepted: false, refusal: 'misaddressed', detail: 'an observer announces nothing' }),
      status: () => this.status(),
      metrics: () => this.#scrape(),
      isAlive: () => !this.#isStopped,
      override: async () => ({ status: 404, body: {} }),
    });
    this.#begin();
    this.#log.info('started', { bootId: this.#bootId, version: AGENT_VERSION, vips: this.#vips().length });
  }

  status(): ObserverStatus {
    const nowMs = this.#clock.nowMs();
    const vips = [...this.#seen].map(([vip, seen]) => this.#row(vip, seen, nowMs));
    return { v: 1, mode: 'observer', observer: this.#config.nva, version: AGENT_VERSION, bootId: this.#bootId, vips };
  }

  #row(vip: string, seen: Observation, nowMs: number): ObserverReport['vips'][number] {
    const throughput = this.#samples.of(vip);
    return { ...reportRow(vip, seen, nowMs), ...(throughput === undefined ? {} : { throughput }) };
  }

  #scrape(): Promise<string> {
    const { observedLoss, observedThroughput, registry } = this.#metrics;
    observedLoss.reset();
    observedThroughput.reset();
    for (const [vip, seen] of this.#seen) {
      const loss = lossOf(seen);
      if (loss !== undefined) observedLoss.set({ vip }, loss.share);
      const throughput = this.#samples.of(vip);
      if (throughput !== undefined) observedThroughput.set({ vip }, throughput.bytesPerSecond);
    }
    return registry.metrics();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return await this.gone;
    this.#isStopped = true;
    this.#end();
    this.#write(true);
    await this.#sender?.flush(LAST_REPORT_MS);
    this.#sender?.stop();
    await this.#server?.close();
    this.#settleGone();
  }

  async reload(config: AgentConfig): Promise<readonly Finding[]> {
    this.#end();
    this.#sender?.stop();
    this.#config = { ...config, listen: this.#config.listen };
    this.#server?.reloadTls(this.#config.tls);
    this.#begin();
    return [];
  }

  #vips(): ObservedVip[] {
    return this.#config.loadedTopology.vips.filter((vip): vip is ObservedVip => vip.observe !== undefined);
  }

  #begin(): void {
    this.#sender = this.#createSender();
    const vips = this.#vips();
    this.#seen = new Map(
      vips.map((vip) => [vip.name, this.#seen.get(vip.name) ?? newObservation(this.#clock.nowMs())]),
    );
    vips.forEach((vip, i) => {
      this.#schedule(vip, Math.floor((LOOK_INTERVAL_MS * i) / vips.length));
    });
    this.#samples.configure(vips);
    this.#period = setInterval(() => this.#closePeriod(), this.#config.loadedTopology.timing.reportSeconds * 1000);
  }

  #end(): void {
    clearInterval(this.#period);
    this.#samples.stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #schedule(vip: ObservedVip, waitMs: number): void {
    this.#timers.set(
      vip.name,
      setTimeout(() => void this.#look(vip), waitMs),
    );
  }

  /** One look after the other: a vip that answers slowly is asked less often, never twice at a time. */
  async #look(vip: ObservedVip): Promise<void> {
    const timer = this.#timers.get(vip.name);
    const startedMs = this.#clock.nowMs();
    const look = await askWho(vip.observe, LOOK_TIMEOUT_MS);
    // A reload or stop meanwhile has put another timer here, or none.
    if (this.#isStopped || this.#timers.get(vip.name) !== timer) return;
    const nowMs = this.#clock.nowMs();
    const { seen, isTransition } = observe(this.#seen.get(vip.name) ?? newObservation(nowMs), look, nowMs);
    this.#seen.set(vip.name, seen);
    this.#metrics.probes.inc({ vip: vip.name, outcome: look.type });
    if (look.type === 'answered') this.#metrics.probeSeconds.observe({ vip: vip.name }, look.firstByteMs / 1000);
    if (isTransition) {
      this.#log.warn('observed', { vip: vip.name, answeredBy: seen.isOut ? null : seen.answeredBy });
      this.#write(true);
      this.#sender?.report();
    }
    this.#schedule(vip, Math.max(0, LOOK_INTERVAL_MS - (nowMs - startedMs)));
  }

  #closePeriod(): void {
    this.#write(false);
    for (const [vip, seen] of this.#seen) this.#seen.set(vip, nextPeriod(seen));
    this.#sender?.report();
  }

  /** Writes the reports every seat is sent next: one document for all of them, so that they can be told apart by `seq`. */
  #write(transition: boolean): void {
    const nowMs = this.#clock.nowMs();
    const vips = this.#vips();
    this.#documents = [...new Set(vips.map((vip) => vip.group))].map((group) => {
      this.#seq += 1;
      const report: ObserverReport = {
        v: 1,
        observer: this.#config.nva,
        group,
        bootId: this.#bootId,
        seq: this.#seq,
        atMs: Math.round(nowMs),
        transition,
        vips: vips
          .filter((vip) => vip.group === group)
          .map((vip) => this.#row(vip.name, this.#seen.get(vip.name) ?? newObservation(nowMs), nowMs)),
      };
      return { group, body: JSON.stringify(report) };
    });
  }

  #createSender(): ReportSender {
    const { identity, seatCa, loadedTopology, nva, tls } = this.#config;
    const credential = loadedTopology.observers.find((observer) => observer.name === nva)?.credential;
    const ca = seatCa === undefined ? {} : { ca: readFileSync(seatCa) };
    const header = identity.header === undefined ? {} : { header: identity.header };
    return createReportSender({
      seats: loadedTopology.seats,
      sender: nva,
      ...(credential === 'token'
        ? { tokens: createTokenSource({ endpoint: identity.endpoint, ...header }, this.#clock.nowMs), tls: ca }
        : { tls: { ...ca, cert: readFileSync(tls.cert), key: readFileSync(tls.key) } }),
      build: () => this.#documents,
      onOrder: () => {},
      onOutcome: ({ seat, error }) => {
        this.#metrics.reports.inc({ seat, outcome: error === undefined ? 'taken' : 'failed' });
        if (error === undefined) this.#metrics.lastReport.set({ seat }, this.#clock.wallMs() / 1000);
        else this.#log.warn('report not taken', { seat, error });
      },
    });
  }
}
