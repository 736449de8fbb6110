// One seat of the control plane: the product's triggers, orchestrations and activities over wires that fail.
//
// A look that would conclude nothing is left out: `isIdle` asks the product's own `look` whether it would. Everything
// that decides, commits, delivers or proves runs as on Azure: driven orchestrations, activities over ports that fail.
import { auditAhead } from '../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { deliverOrder } from '../../functions/activities/deliver-order.ts';
import { drillCheck, drillRecord } from '../../functions/activities/drill.ts';
import { gather } from '../../functions/activities/gather.ts';
import { ACTIVITIES } from '../../functions/activities/names.ts';
import { readLearned } from '../../functions/activities/read-learned.ts';
import { recordDelivery } from '../../functions/activities/record-delivery.ts';
import { shipAudit } from '../../functions/activities/ship-audit.ts';
import { startVerify } from '../../functions/activities/start-verify.ts';
import { verifyStep } from '../../functions/activities/verify-step.ts';
import { createMemoryReports } from '../../functions/adapters/memory/memory-evidence.ts';
import { look, nvasBehind } from '../../functions/decision.ts';
import { createDeployment, nvasOf, type Plane } from '../../functions/deployment.ts';
import { findDrift } from '../../functions/drift.ts';
import { probesWanted } from '../../functions/engine/evidence.ts';
import { baseOf } from '../../functions/engine/rows.ts';
import type { Snapshot } from '../../functions/engine/types.ts';
import { leaseIdOf } from '../../functions/lead.ts';
import { type Ledger, parseLedger } from '../../functions/ledger.ts';
import {
  DELIVER_TIMEOUT_MS,
  LEARNED_DRIFT_MS,
  LEARNED_PROOF_MS,
  PROBE_TIMEOUT_MS,
  VIEW_MS,
} from '../../functions/limits.ts';
import { drill } from '../../functions/orchestrators/drill.ts';
import { evaluate } from '../../functions/orchestrators/evaluate.ts';
import { type OperationInput, ORCHESTRATIONS } from '../../functions/orchestrators/names.ts';
import { operation } from '../../functions/orchestrators/operation.ts';
import { upkeep } from '../../functions/orchestrators/upkeep.ts';
import { verify } from '../../functions/orchestrators/verify.ts';
import type { ReportStore, StoredEvidence, StoredSeatView } from '../../functions/ports.ts';
import { toView } from '../../functions/seat-view.ts';
import { newestReported, type Sight, toSnapshot } from '../../functions/snapshot.ts';
import { startOnce } from '../../functions/start-once.ts';
import { newReportMemory, type ReportMemory, takeReport } from '../../functions/triggers/report.ts';
import { tick } from '../../functions/triggers/tick.ts';
import type { Random } from '../../infra/lab/seeded-random.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import { OperatingError } from '../../shared/errors.ts';
import type { ObserverReport, Report, ReportAnswer, ReportSession } from '../../shared/report.ts';
import type { Seat, Topology } from '../../shared/topology-schema.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { type Activity, DurableHost, type Orchestrator } from './durable-host.ts';
import type { Network } from './network.ts';
import type { SimAgent } from './sim-agent.ts';
import { GROUP, type Stores } from './stores.ts';
import type { Timeline } from './timeline.ts';
import { Process, type Wires } from './wires.ts';

/** Everything outside that a seat talks to. */
export interface Places {
  readonly storage: Process;
  readonly arm: Process;
  readonly ingestion: Process;
}

export interface SeatOwner {
  readonly topology: Topology;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly wires: Wires;
  readonly stores: Stores;
  readonly network: Network;
  readonly places: Places;
  readonly agents: ReadonlyMap<string, SimAgent>;
  /** The storage account is slow: this much is added to every request. */
  readonly storageDelayMs: () => number;
  readonly onMistake: (text: string) => void;
  /** How many looks were made in full, and how many were left out. */
  readonly counts: { looks: number; idle: number };
}

const STORAGE_TIMEOUT_MS = 4000;
const ARM_TIMEOUT_MS = 5000;
/** However quiet it is, somebody looks this often. */
const QUIET_MS_MAX = 60_000;

export class SimSeat {
  readonly process: Process;
  readonly seat: Seat;
  readonly host: DurableHost;
  readonly leaseId: string;
  clockOffsetMs = 0;
  plane: Plane;
  /** What this seat heard; in a table of its own, so a restart keeps it. */
  readonly evidence: { current: StoredEvidence };
  readonly #owner: SeatOwner;
  readonly #reports: SimReports;
  #memory: ReportMemory = newReportMemory();
  /** Until then a look at what is known comes out as the last one did, unless one of `#quietOn` is replaced. */
  #quietUntilMs = 0;
  #quietOn: readonly unknown[] = [];
  #parsed: { text: string; ledger: Ledger | undefined } = { text: '', ledger: undefined };

  constructor(owner: SeatOwner, seat: Seat) {
    this.#owner = owner;
    this.seat = seat;
    this.process = new Process(seat.name);
    this.leaseId = leaseIdOf(seat.name, GROUP);
    this.evidence = { current: NOTHING };
    this.#reports = createReports(this.evidence);
    this.host = new DurableHost({
      timeline: owner.timeline,
      process: this.process,
      orchestrators: ORCHESTRATORS,
      nowMs: () => this.nowMs(),
      stepMs: () => owner.random.between(2, 20),
      onMistake: (text) => owner.onMistake(`${seat.name}: ${text}`),
    });
    this.plane = this.#newPlane();
  }

  get name(): string {
    return this.seat.name;
  }

  setClock(offsetMs: number): void {
    this.clockOffsetMs = offsetMs;
  }

  nowMs(): number {
    return this.#owner.timeline.nowMs + this.clockOffsetMs;
  }

  boot(): void {
    this.plane = this.#newPlane();
    this.#memory = newReportMemory();
    this.host.activities = activitiesOf(this.plane);
    this.host.recover();
    this.#armTick();
  }

  kill(): void {
    this.process.kill();
  }

  start(): void {
    this.process.start();
    this.boot();
  }

  /** Starts what a person or runbook asked this seat for. */
  operate(input: OperationInput): void {
    const name = input.kind === 'drill' ? ORCHESTRATIONS.drill : ORCHESTRATIONS.operation;
    this.process.resume(this.process.boot, () => {
      this.#owner.timeline.stir();
      void this.host.client.startNew(name, { instanceId: input.id, input });
    });
  }

  // ---------------------------------------------------------------- reports

  /** What the HTTP trigger answers; a report that changes nothing for anybody is only stored. */
  async hear(report: Report | ObserverReport): Promise<ReportAnswer> {
    if (this.hearNoNews(report)) return { accepted: true };
    const body = new TextEncoder().encode(JSON.stringify(report));
    const name = senderOf(report);
    const response = await takeReport(this.#memory)({
      plane: this.plane,
      client: this.host.client,
      request: { params: { nva: name }, headers: new Map(), body: [body] } as never,
      principal: { id: name, name, isApplication: true, roles: ['Agent.Report'] },
      log: { warn: () => undefined, error: () => undefined },
    });
    if (response.status !== 200) throw new OperatingError('report', String(response.body), { retryable: true });
    return JSON.parse(String(response.body)) as ReportAnswer;
  }

  /** Takes a report that would only be stored; false when it must be heard in full. */
  hearNoNews(report: Report | ObserverReport): boolean {
    const name = senderOf(report);
    if (!this.process.isRunning || !this.#isNoNews(name, report)) return false;
    const nowMs = this.nowMs();
    const heard = { receivedAtMs: nowMs, report };
    if (!this.#isAsBefore(name, report)) this.#quietUntilMs = 0;
    if ('nva' in report) this.#reports.put('reports', name, heard as StoredEvidence['reports'][string]);
    else this.#reports.put('observers', name, heard as StoredEvidence['observers'][string]);
    const { bootId, seq } = report;
    this.#memory.heard.set(`${name}|${report.group}`, { bootId, seq, storedAtMs: nowMs });
    if (nowMs - (this.#memory.viewWrittenAtMs.get(GROUP) ?? 0) >= VIEW_MS) {
      this.#memory.viewWrittenAtMs.set(GROUP, nowMs);
      this.#owner.stores.putView(this.#view(this.#owner.stores.shared.views.get(this.name)?.decidedAtMs ?? null));
    }
    return true;
  }

  #isNoNews(name: string, report: Report | ObserverReport): boolean {
    if (report.transition || !this.#isStorageFair()) return false;
    const known = this.#memory.heard.get(`${name}|${report.group}`);
    const nowMs = this.nowMs();
    const { reportMs } = this.plane.deployment.configOf(GROUP);
    if (known?.bootId !== report.bootId || report.seq <= known.seq) return false;
    if (nowMs - known.storedAtMs < reportMs / 2) return false;
    if (this.#isAnyLate(nowMs, 1.1 * reportMs)) return false;
    if (!('nva' in report)) return true;
    const ledger = this.#ledgerNow();
    if (ledger === undefined) return false;
    const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
    return compareSequence(report.order, newest) === 0;
  }

  /** Nothing that a look reads has changed since this sender's last report, but its time. */
  #isAsBefore(name: string, report: Report | ObserverReport): boolean {
    const { reports, observers } = this.evidence.current;
    if ('nva' in report) {
      const known = reports[name]?.report;
      return known !== undefined && readsTheSame(known, report);
    }
    const known = observers[name]?.report.vips;
    return report.vips.every((vip, i) => vip.failures === 0 && vip.answeredBy === known?.[i]?.answeredBy);
  }

  #isAnyLate(nowMs: number, lateMs: number): boolean {
    const { reports } = this.evidence.current;
    for (const nva in reports) if (nowMs - (reports[nva]?.receivedAtMs ?? 0) > lateMs) return true;
    return false;
  }

  // ---------------------------------------------------------------- ticks

  #armTick(): void {
    const { timeline, topology } = this.#owner;
    const tickMs = topology.timing.tickSeconds * 1000;
    const nowMs = this.nowMs();
    const { boot } = this.process;
    timeline.after(tickMs - (nowMs % tickMs), () =>
      this.process.resume(boot, () => {
        this.#tick();
        this.#armTick();
      }),
    );
  }

  #tick(): void {
    const { timeline, counts } = this.#owner;
    if (!this.#isIdle()) {
      timeline.stir();
      counts.looks += 1;
      void this.#guarded(() => tick(this.plane, this.host.client));
      return;
    }
    counts.idle += 1;
    this.#passIdly();
    const ledger = this.#ledgerNow();
    if (ledger === undefined || !this.#wantsUpkeep(ledger) || this.#readIdly(ledger)) return;
    const slot = Math.floor(this.nowMs() / (this.#owner.topology.timing.tickSeconds * 1000));
    const input = { group: GROUP, purge: false };
    timeline.stir();
    void this.#guarded(() => startOnce(this.host.client, ORCHESTRATIONS.upkeep, `upkeep-${GROUP}-${slot}`, input));
  }

  async #guarded(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof OperatingError)) this.#owner.onMistake(`${this.name}: ${String(error)}`);
    }
  }

  /** True when this tick would change nothing but the lease's end and the seat's view. */
  #isIdle(): boolean {
    const { stores, timeline } = this.#owner;
    if (!this.#isStorageFair()) return false;
    const ledger = this.#ledgerNow();
    if (ledger === undefined || stores.lease.untilMs <= timeline.nowMs + 1000) return false;
    const config = this.plane.deployment.configOf(GROUP);
    const evidence = this.evidence.current;
    const nowMs = this.nowMs();
    const isLeader = stores.lease.id === this.leaseId;
    // A follower only asks who is silent.
    const basis = isLeader ? [ledger, stores.shared.proofs] : [];
    const isSame = basis.length === this.#quietOn.length && basis.every((part, i) => part === this.#quietOn[i]);
    if (nowMs < this.#quietUntilMs && isSame) {
      if (!this.#isAnyLate(nowMs, 1.5 * config.reportMs)) return true;
    }
    this.#quietUntilMs = 0;
    const nvas = Object.fromEntries(
      nvasOf(config).map(({ nva }) => {
        const [report, probe] = [evidence.reports[nva.name], evidence.probes[nva.name]];
        return [nva.name, { ...(report && { report }), ...(probe && { probe }) }];
      }),
    );
    if (probesWanted({ nvas } as unknown as Snapshot, config, nowMs).length > 0) return false;
    if (!isLeader) {
      this.#rest(basis, nowMs + QUIET_MS_MAX);
      return true;
    }
    if (ledger.seat !== this.name || compareSequence(newestReported(evidence), ledger) > 0) return false;
    if (ledger.decisionId === '' || !this.#isProofUnderWay(ledger) || !this.#isConfirmed(ledger)) return false;
    if (nvasBehind(ledger, evidence, Object.keys(nvas)).length > 0) return false;
    const sight: Sight = { evidence, proofs: stores.shared.proofs, views: [...stores.shared.views.values()] };
    const drift = findDrift(ledger, sight, config, nowMs);
    const snapshot = toSnapshot(this.plane, GROUP, ledger, sight);
    const at = { ledger, config, nowMs, snapshotHash: '', correlationId: '', drift };
    if (look({ ...at, snapshot }).change !== undefined) return false;
    const isWell = Object.keys(ledger.proofs).length === 0 && drift.length === 0 && ledger.policy.intents.length === 0;
    if (isWell) {
      // The same with reports that never age: what is left are the times at which something is due by itself.
      const due = look({ ...at, snapshot: { ...snapshot, nvas: neverAging(snapshot.nvas) } });
      if (due.change === undefined) this.#rest(basis, Math.min(nowMs + QUIET_MS_MAX, due.decision.nextLookMs));
    }
    return true;
  }

  #rest(basis: readonly unknown[], untilMs: number): void {
    this.#quietOn = basis;
    this.#quietUntilMs = untilMs;
  }

  #passIdly(): void {
    const { stores } = this.#owner;
    const isLeader = stores.lease.id === this.leaseId;
    if (isLeader) stores.renew(this.leaseId);
    stores.putView(this.#view(isLeader ? this.nowMs() : null));
  }

  /** Reads what Route Server holds, when nothing but that is due and nothing stands in the way. */
  #readIdly(ledger: Ledger): boolean {
    const { stores, network, places, wires } = this.#owner;
    if (stores.confirmed.size > stores.shipped.size || Object.keys(ledger.proofs).length > 0) return false;
    if (!places.arm.isRunning || !wires.isFair(this.name, 'arm') || !this.#isStorageFair()) return false;
    for (const { region, nva } of nvasOf(this.plane.deployment.configOf(GROUP))) {
      if (this.nowMs() - (stores.shared.proofs.learned[nva.name]?.atMs ?? 0) < LEARNED_DRIFT_MS) continue;
      stores.putLearned(nva.name, { atMs: this.nowMs(), peers: network.learned(region.name, nva.name) });
    }
    return !this.#wantsUpkeep(ledger);
  }

  #view(decidedAtMs: number | null): StoredSeatView {
    const heardAtMs: Record<string, number> = {};
    const { reports } = this.evidence.current;
    for (const nva of Object.keys(reports)) heardAtMs[nva] = reports[nva]?.receivedAtMs ?? 0;
    return toView(this.plane, heardAtMs, decidedAtMs);
  }

  /** Every open proof has somebody who looks at it. */
  #isProofUnderWay(ledger: Ledger): boolean {
    return Object.values(ledger.proofs).every(
      ({ decisionId, operation }) => operation !== '' || this.host.instances.has(`verify-${decisionId}`),
    );
  }

  #isConfirmed(ledger: Ledger): boolean {
    const last = ledger.pending.at(-1);
    return last === undefined || this.#owner.stores.confirmed.has(last.EventId);
  }

  /** Routes are due to be read, or records wait to be shipped. */
  #wantsUpkeep(ledger: Ledger): boolean {
    const { stores } = this.#owner;
    if (stores.confirmed.size > stores.shipped.size) return true;
    const config = this.plane.deployment.configOf(GROUP);
    const nowMs = this.nowMs();
    return nvasOf(config).some(({ region, nva }) => {
      const isUnsettled = config.vips.some((vip) => {
        const row = ledger.policy.vips[vip.name]?.regions[region.name];
        return row !== undefined && (row.maybe.length > 0 || row.rung !== baseOf(config, vip, region.name));
      });
      const dueMs = isUnsettled ? Math.max(LEARNED_PROOF_MS, config.routeChangeMs) : LEARNED_DRIFT_MS;
      return nowMs - (stores.shared.proofs.learned[nva.name]?.atMs ?? 0) >= dueMs;
    });
  }

  #ledgerNow(): Ledger | undefined {
    const text = this.#owner.stores.ledger.textOf(GROUP);
    if (text === undefined) return undefined;
    if (text !== this.#parsed.text) {
      const parsed = parseLedger(text, GROUP);
      this.#parsed = { text, ledger: parsed.ok ? parsed.value : undefined };
    }
    return this.#parsed.ledger;
  }

  #isStorageFair(): boolean {
    const { wires, places, storageDelayMs } = this.#owner;
    return places.storage.isRunning && storageDelayMs() === 0 && wires.isFair(this.name, 'storage');
  }

  // ---------------------------------------------------------------- ports

  #newPlane(): Plane {
    const { stores, network, agents, topology, places } = this.#owner;
    const storage = <T extends object>(port: T): T => this.#over(port, places.storage, 'storage', STORAGE_TIMEOUT_MS);
    return {
      deployment: createDeployment(topology, this.seat),
      clock: { nowMs: () => this.nowMs() },
      ledger: storage(stores.ledger),
      reports: storage(this.#reports),
      proofs: storage(stores.proofs),
      outbox: storage(stores.outbox),
      orders: {
        deliver: async (nva, text) => {
          const agent = agents.get(nva.name);
          if (agent === undefined) throw new Error(`no agent ${nva.name}`);
          return await this.#ask('order-delivery', agent.process, DELIVER_TIMEOUT_MS, () => agent.accept(text));
        },
      },
      probe: {
        probe: async (nva) => {
          const agent = agents.get(nva.name);
          if (agent === undefined) return 'failed';
          const reply = await this.#owner.wires.request(this.process, agent.process, PROBE_TIMEOUT_MS, () => true);
          return reply.type === 'answered' ? 'answered' : 'failed';
        },
      },
      signer: { sign: async (order) => JSON.stringify(order) },
      tokens: { verify: async () => ({ type: 'refused', code: 'none', detail: 'nobody asks over HTTP here' }) },
      routes: {
        learned: async (region, nva) =>
          await this.#ask('arm', places.arm, ARM_TIMEOUT_MS, () => network.learned(region.name, nva.name)),
        circuit: async (region) =>
          await this.#ask('arm', places.arm, ARM_TIMEOUT_MS, () =>
            region.nvas.flatMap((nva) =>
              Object.values(network.learned(region.name, nva.name)).flatMap((routes, i) =>
                Object.entries(routes).map(([prefix, asPath]) => ({
                  ...{ prefix, asPath: [65515, ...asPath] },
                  device: i === 0 ? ('primary' as const) : ('secondary' as const),
                })),
              ),
            ),
          ),
      },
      sink: {
        upload: async (records) =>
          await this.#ask('ingestion', places.ingestion, ARM_TIMEOUT_MS, () => {
            for (const record of records) stores.shipped.set(record.EventId, record as AuditRecord);
            return [];
          }),
      },
    };
  }

  async #ask<T>(code: string, to: Process, timeoutMs: number, handle: () => T | Promise<T>): Promise<T> {
    const reply = await this.#owner.wires.request(this.process, to, timeoutMs, handle);
    if (reply.type === 'answered') return reply.value;
    throw new OperatingError(code, `${to.name}: ${reply.why}`, { retryable: true });
  }

  /** The same port across the wire: every call may be late, lost, or done without anybody hearing of it. */
  #over<T extends object>(port: T, to: Process, code: string, timeoutMs: number): T {
    const { storageDelayMs, timeline } = this.#owner;
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          const slowMs = storageDelayMs();
          if (slowMs > 0) {
            const { boot } = this.process;
            await new Promise<void>((resolve) => {
              timeline.after(slowMs, () =>
                this.process.resume(boot, () => {
                  timeline.stir();
                  resolve();
                }),
              );
            });
          }
          return await this.#ask(code, to, timeoutMs, () =>
            (member as (...a: unknown[]) => unknown).apply(target, args),
          );
        };
      },
    });
  }
}

const ORCHESTRATORS: Readonly<Record<string, Orchestrator>> = {
  [ORCHESTRATIONS.evaluate]: evaluate,
  [ORCHESTRATIONS.operation]: operation,
  [ORCHESTRATIONS.verify]: verify,
  [ORCHESTRATIONS.drill]: drill,
  [ORCHESTRATIONS.upkeep]: upkeep,
};

const activitiesOf = (plane: Plane): Readonly<Record<string, Activity>> => ({
  [ACTIVITIES.gather]: gather(plane),
  [ACTIVITIES.decideAndCommit]: decideAndCommit(plane),
  [ACTIVITIES.auditAhead]: auditAhead(plane),
  [ACTIVITIES.deliverOrder]: deliverOrder(plane),
  [ACTIVITIES.recordDelivery]: recordDelivery(plane),
  [ACTIVITIES.startVerify]: (input: never, client) => startVerify(client as never, input),
  [ACTIVITIES.verifyStep]: verifyStep(plane),
  [ACTIVITIES.shipAudit]: shipAudit(plane),
  [ACTIVITIES.readLearned]: readLearned(plane),
  [ACTIVITIES.drillCheck]: drillCheck(plane),
  [ACTIVITIES.drillRecord]: drillRecord(plane),
  [ACTIVITIES.purgeHistory]: async () => ({ ok: true }),
});

/** Nothing was ever heard of anything. */
const NOTHING = { reports: {}, observers: {}, probes: {}, signals: {}, vetoes: {} } as StoredEvidence;
const AGES_MS = 1e9;

/** Reports moved into the future together with their senders' clocks: what they say stays, their ages never matter. */
const neverAging = (nvas: Snapshot['nvas']): Snapshot['nvas'] =>
  Object.fromEntries(
    Object.entries(nvas).map(([name, { report }]) => {
      if (report === undefined) return [name, {}];
      const moved = { ...report.report, atMs: report.report.atMs + AGES_MS };
      return [name, { report: { receivedAtMs: report.receivedAtMs + AGES_MS, report: moved } }];
    }),
  );

/** Windows, latencies and penalties of agents are for people: no look reads them. */
function readsTheSame(known: Report, report: Report): boolean {
  if (known.stopping !== report.stopping) return false;
  const areVipsTheSame =
    known.vips === report.vips ||
    report.vips.every(({ local, announced }, i) => {
      const before = known.vips[i];
      return (
        before?.local.verdict === local.verdict &&
        before.local.sinceMs === local.sinceMs &&
        before.local.detail === local.detail &&
        before.announced?.rung === announced?.rung &&
        before.announced?.prepend === announced?.prepend &&
        before.announced?.lastResort === announced?.lastResort &&
        before.announced?.sinceMs === announced?.sinceMs
      );
    });
  if (!areVipsTheSame) return false;
  return (
    known.sessions === report.sessions ||
    report.sessions.every((session, i) => {
      const before = known.sessions[i];
      return before?.state === session.state && before.sinceMs === session.sinceMs && sameRoutes(before, session);
    })
  );
}

const sameRoutes = (before: ReportSession, now: ReportSession): boolean =>
  before.routes.length === now.routes.length &&
  now.routes.every(({ prefix, asPath }, i) => {
    const route = before.routes[i];
    return route?.prefix === prefix && route.asPath.length === asPath.length;
  });

const senderOf = (report: Report | ObserverReport): string => ('nva' in report ? report.nva : report.observer);

interface SimReports extends ReportStore {
  put<K extends keyof StoredEvidence>(kind: K, name: string, row: StoredEvidence[K][string]): void;
}

/** A seat's table of what it heard. What a reader got never changes under its hands: it is copied when it was read. */
function createReports(evidence: { current: StoredEvidence }): SimReports {
  let isRead = true;
  const put: SimReports['put'] = (kind, name, row) => {
    if (isRead) {
      const { reports, observers, probes } = evidence.current;
      evidence.current = {
        ...evidence.current,
        ...{ reports: { ...reports }, observers: { ...observers }, probes: { ...probes } },
      };
      isRead = false;
    }
    (evidence.current[kind] as Record<string, typeof row>)[name] = row;
  };
  return {
    ...createMemoryReports(),
    put,
    putReport: async (_group, receivedAtMs, report) => put('reports', report.nva, { receivedAtMs, report }),
    putObserverReport: async (_group, receivedAtMs, report) =>
      put('observers', report.observer, { receivedAtMs, report }),
    putProbe: async (_group, nva, probe) => put('probes', nva, probe),
    read: async () => {
      isRead = true;
      return evidence.current;
    },
    heard: async () =>
      Object.fromEntries(
        Object.entries(evidence.current.reports).map(([nva, { receivedAtMs }]) => [nva, receivedAtMs]),
      ),
  };
}
