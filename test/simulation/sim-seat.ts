// One seat of the control plane: the product's triggers, orchestrations and activities over wires that fail.
//
// A look that would conclude nothing is left out: `isIdle` asks the product's own `look` whether it would. Everything
// that decides, commits, delivers or proves runs as on Azure: driven orchestrations, activities over ports that fail.
import { type Look, look, nvasBehind } from '../../functions/decision.ts';
import { nvasOf, type Plane } from '../../functions/deployment.ts';
import { findDrift } from '../../functions/drift.ts';
import { PROBE_PERIODS, probesWanted } from '../../functions/engine/evidence.ts';
import { baseOf } from '../../functions/engine/rows.ts';
import type { Snapshot } from '../../functions/engine/types.ts';
import { leaseIdOf } from '../../functions/lead.ts';
import { type Ledger, parseLedger } from '../../functions/ledger.ts';
import { LEARNED_DRIFT_MS, LEARNED_PROOF_MS, VIEW_MS } from '../../functions/limits.ts';
import { drill } from '../../functions/orchestrators/drill.ts';
import { evaluate } from '../../functions/orchestrators/evaluate.ts';
import { type OperationInput, ORCHESTRATIONS } from '../../functions/orchestrators/names.ts';
import { operation } from '../../functions/orchestrators/operation.ts';
import { upkeep } from '../../functions/orchestrators/upkeep.ts';
import { verify } from '../../functions/orchestrators/verify.ts';
import type { StoredEvidence, StoredSeatView } from '../../functions/ports.ts';
import { toView } from '../../functions/seat-view.ts';
import { newestReported, type Sight, toSnapshot } from '../../functions/snapshot.ts';
import { startOnce } from '../../functions/start-once.ts';
import { newReportMemory, type ReportMemory, takeReport } from '../../functions/triggers/report.ts';
import { tick } from '../../functions/triggers/tick.ts';
import type { Random } from '../../infra/lab/seeded-random.ts';
import { OperatingError } from '../../shared/errors.ts';
import type { ObserverReport, Report, ReportAnswer } from '../../shared/report.ts';
import type { Seat } from '../../shared/topology-schema.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { DurableHost, type Orchestrator } from './durable-host.ts';
import { activitiesOf, createReports, createSeatPlane, type Outside, type SimReports } from './seat-ports.ts';
import { LATER_MS, neverAging, neverStale, readsTheSame, reportsOf, senderOf } from './seat-quiet.ts';
import { GROUP } from './stores.ts';
import { Process } from './wires.ts';

export interface SeatOwner extends Outside {
  readonly random: Random;
  readonly onMistake: (text: string) => void;
  /** How many looks were made in full, and how many were left out. */
  readonly counts: { looks: number; idle: number };
}

/** Silence this old is no news: a report of somebody else starts no look because of it, as the report trigger has it. */
const NEWS_PERIODS = 4;
/** However quiet it is, somebody looks this often. */
const QUIET_MS_MAX = 5 * 60_000;

/** What a look came out of; one that finds the very same need not be made. */
type Basis = readonly unknown[];

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
  #quietOn: Basis = [];
  /** Nothing would come of reading the same routes of Route Server anew. */
  #outlivesReading = false;
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
    this.plane = createSeatPlane(this, this.#owner, this.#reports);
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
    this.plane = createSeatPlane(this, this.#owner, this.#reports);
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
    this.#quietUntilMs = 0;
    const body = new TextEncoder().encode(JSON.stringify(report));
    const name = senderOf(report);
    const response = await takeReport(this.#memory)({
      plane: this.plane,
      client: this.host.client,
      request: {
        params: { nva: name },
        headers: new Map([['content-length', String(body.length)]]),
        arrayBuffer: async () => body,
      } as never,
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
    this.#memory.heard.set(heardKey(name), { bootId, seq, storedAtMs: nowMs });
    if (nowMs - (this.#memory.viewWrittenAtMs.get(GROUP) ?? 0) >= VIEW_MS) {
      this.#memory.viewWrittenAtMs.set(GROUP, nowMs);
      this.#owner.stores.putView(this.#view(this.#owner.stores.shared.views.get(this.name)?.decidedAtMs ?? null));
    }
    return true;
  }

  #isNoNews(name: string, report: Report | ObserverReport): boolean {
    if (report.transition || !this.#isStorageFair()) return false;
    const known = this.#memory.heard.get(heardKey(name));
    const nowMs = this.nowMs();
    const { reportMs } = this.plane.deployment.configOf(GROUP);
    if (known?.bootId !== report.bootId || report.seq <= known.seq) return false;
    if (nowMs - known.storedAtMs < reportMs / 2) return false;
    if (this.#isAnyLate(nowMs, 1.1 * reportMs + 1, NEWS_PERIODS * reportMs)) return false;
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

  #isAnyLate(nowMs: number, lateMs: number, untilMs = Number.POSITIVE_INFINITY): boolean {
    const { reports } = this.evidence.current;
    for (const nva in reports) {
      const ageMs = nowMs - (reports[nva]?.receivedAtMs ?? 0);
      if (ageMs >= lateMs && ageMs < untilMs) return true;
    }
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
    const basis = isLeader ? this.#basisOf(ledger) : [];
    const isSame = basis.length === this.#quietOn.length && basis.every((part, i) => part === this.#quietOn[i]);
    if (nowMs < this.#quietUntilMs && isSame) {
      if (!this.#isAnyLate(nowMs, PROBE_PERIODS * config.reportMs)) return true;
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
      this.#rest([], nowMs + QUIET_MS_MAX);
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
      const learned = neverStale(snapshot.learned);
      const later = { ...snapshot, nvas: neverAging(snapshot.nvas), learned };
      const seen = { evidence: { ...evidence, reports: reportsOf(later) }, proofs: { ...sight.proofs, learned } };
      this.#outlivesReading = findDrift(ledger, { ...sight, ...seen }, config, nowMs + LATER_MS).length === 0;
      this.#restWhileDue(at, later, snapshot.learned);
    }
    return true;
  }

  /** With reports that never age what is left are the times at which something is due by itself. */
  #restWhileDue(at: Omit<Look, 'snapshot'>, snapshot: Snapshot, learned: Snapshot['learned']): void {
    let due = look({ ...at, snapshot });
    if (due.change !== undefined) {
      this.#outlivesReading = false;
      due = look({ ...at, snapshot: { ...snapshot, learned } });
    }
    if (due.change !== undefined) return;
    this.#rest(this.#basisOf(at.ledger), Math.min(at.nowMs + QUIET_MS_MAX, due.decision.nextLookMs));
  }

  #basisOf(ledger: Ledger): Basis {
    const { proofs, proved } = this.#owner.stores.shared;
    return [ledger, this.#outlivesReading ? proved : proofs];
  }

  #rest(basis: Basis, untilMs: number): void {
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
}

const ORCHESTRATORS: Readonly<Record<string, Orchestrator>> = {
  [ORCHESTRATIONS.evaluate]: evaluate,
  [ORCHESTRATIONS.operation]: operation,
  [ORCHESTRATIONS.verify]: verify,
  [ORCHESTRATIONS.drill]: drill,
  [ORCHESTRATIONS.upkeep]: upkeep,
};

/** Nothing was ever heard of anything. */
const NOTHING = { reports: {}, observers: {}, probes: {}, signals: {}, vetoes: {} } as StoredEvidence;

const heardKeys = new Map<string, string>();

/** By what the report trigger remembers a sender; made once each, for every report asks. */
function heardKey(name: string): string {
  const known = heardKeys.get(name) ?? `${name}|${GROUP}`;
  heardKeys.set(name, known);
  return known;
}
