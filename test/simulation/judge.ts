// The promises of the product, watched on the true state of the world. A broken one is a violation with its time.
import type { Ledger } from '../../functions/ledger.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import type { Order } from '../../shared/order.ts';
import type { Topology, Vip } from '../../shared/topology-schema.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { ledgerIn, rowsText } from './judged-texts.ts';
import type { Network } from './network.ts';
import { hasRoom } from './rest.ts';
import type { SimAgent } from './sim-agent.ts';
import type { SimSeat } from './sim-seat.ts';
import type { Timeline } from './timeline.ts';
import type { Wires } from './wires.ts';

export interface Violation {
  readonly promise: string;
  readonly atMs: number;
  readonly detail: string;
}

export interface JudgeOptions {
  readonly topology: Topology;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly wires: Wires;
  readonly agents: ReadonlyMap<string, SimAgent>;
  readonly seats: readonly SimSeat[];
  readonly routeChangeMs: number;
  readonly holdMs: number;
  readonly isStorageFair: () => boolean;
  /** Somebody puts the ledger back or spoils it in this story. */
  readonly isLedgerHarmed: boolean;
  /** Since when nothing has been broken; undefined while something is. */
  readonly calmSinceMs: () => number | undefined;
  readonly tell: (text: string) => void;
}

/** What a takeover of a healthy region over a failed one may take at most, without route windows and hold times. */
const REFLEX_MS = 12_000;
/** Silence noticed, a lease run out, a new leader warmed up, orders out. */
const JUDGEMENT_MS = 75_000;
const SLACK_MS = 15_000;
/** A report on its way, and its period: what the control plane cannot know yet. */
const NEWS_MS = 8_000;
/** Kinds of action that move users. */
const MOVES: ReadonlySet<string> = new Set(['takeover', 'failback', 'move']);
/** What was broken is over and noticed to be over. */
const CALM_MS = 60_000;
const VIOLATIONS_MAX = 10;

interface VipWatch {
  readonly vip: Vip;
  servedBy: string | null;
  unservedSinceMs: number | null;
  absentSinceMs: number | null;
  longestMs: number;
  readonly fitSinceMs: Map<string, number>;
}

export class Judge {
  readonly violations: Violation[] = [];
  ledger: Ledger | undefined;
  moves = 0;
  commits = 0;
  outageMs = 0;
  readonly #options: JudgeOptions;
  readonly #vips: VipWatch[];
  readonly #records = new Set<string>();
  readonly #orders = new Map<string, string>();
  readonly #wireChanges = new Map<string, number[]>();
  readonly #automatic: { readonly atMs: number; readonly cause: string }[] = [];
  #ledgerText = '';
  #lastSilentMs = Number.NEGATIVE_INFINITY;

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#vips = options.topology.vips.map((vip) => ({
      ...{ vip, servedBy: null, unservedSinceMs: options.timeline.nowMs, absentSinceMs: null, longestMs: 0 },
      fitSinceMs: new Map(),
    }));
  }

  breach(promise: string, detail: string): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    this.violations.push({ promise, atMs: this.#options.timeline.nowMs, detail });
    this.#options.tell(`VIOLATION ${promise}: ${detail}`);
  }

  longestOutageMs(): number {
    return Math.max(...this.#vips.map((watch) => watch.longestMs));
  }

  // ---------------------------------------------------------------- what users see

  /** Routes or machines changed: who answers now? */
  look(): void {
    const { nowMs } = this.#options.timeline;
    for (const watch of this.#vips) {
      this.#noteFit(watch);
      const hops = this.#options.network.nextHops(watch.vip.prefix);
      const agents = hops.flatMap((name) => this.#options.agents.get(name) ?? []);
      const isServed = agents.length > 0 && agents.every((agent) => agent.answers(watch.vip.name));
      const by = isServed ? [...new Set(agents.map((agent) => agent.region))].join('+') : null;
      if (by !== watch.servedBy)
        this.#options.tell(
          `${watch.vip.name}: ${by ?? 'NOBODY'} answers (${this.#options.network.pathsText(watch.vip.prefix)})`,
        );
      watch.servedBy = by;
      if (isServed) watch.unservedSinceMs = null;
      else watch.unservedSinceMs ??= nowMs;
      if (this.#options.network.isHeld(watch.vip.prefix)) watch.absentSinceMs = null;
      else watch.absentSinceMs ??= nowMs;
    }
  }

  servedBy(vip: string): string | null {
    return this.#vips.find((watch) => watch.vip.name === vip)?.servedBy ?? null;
  }

  unservedSince(vip: string): number | null {
    return this.#vips.find((watch) => watch.vip.name === vip)?.unservedSinceMs ?? null;
  }

  /** Time has passed: has anything lasted too long? */
  check(): void {
    const { nowMs } = this.#options.timeline;
    for (const agent of this.#options.agents.values()) {
      if (agent.process.isRunning) this.#checkReflex(agent);
      else this.#lastSilentMs = nowMs;
    }
    for (const watch of this.#vips) {
      if (watch.unservedSinceMs === null && watch.absentSinceMs === null) continue;
      this.#noteFit(watch);
      this.#checkOutage(watch);
      this.#checkAnnouncers(watch);
    }
  }

  /** An agent whose application has fallen wants no users, whoever ordered what, unless a person forced it. */
  #checkReflex(agent: SimAgent): void {
    for (const { vip } of agent.plan.vips) {
      const held = agent.state.vips.get(vip);
      if (held?.health.standing !== 'down' || held.announced === null || held.announced.lastResort) continue;
      const row = [...agent.state.orders.values()].flatMap((order) => order.vips).find((one) => one.vip === vip);
      if (row?.onLocalFailure !== 'ignore')
        this.breach('reflex', `${agent.name} invites users of ${vip}, which is down`);
    }
  }

  #noteFit({ vip, fitSinceMs }: VipWatch): void {
    for (const region of vip.regions) {
      if (!this.isFit(vip, region)) fitSinceMs.delete(region);
      else if (!fitSinceMs.has(region)) fitSinceMs.set(region, this.#options.timeline.nowMs);
    }
  }

  /** Some NVA of the region could serve users: it lives, its application works, it may announce and is connected. */
  isFit(vip: Vip, region: string): boolean {
    const row = this.ledger?.policy.vips[vip.name]?.regions[region];
    if (row === undefined || row.role === 'drained' || row.role === 'out' || row.state === 'withheld') return false;
    return [...this.#options.agents.values()].some(
      (agent) =>
        agent.region === region &&
        agent.process.isRunning &&
        agent.apps.get(vip.name) === 'ok' &&
        agent.sessions.some((session) => session.isUp) &&
        agent.state.vips.get(vip.name)?.health.standing === 'up' &&
        agent.state.orders.size > 0,
    );
  }

  #fitSince({ fitSinceMs }: VipWatch): { region: string; sinceMs: number } | undefined {
    const [first] = [...fitSinceMs].sort((a, b) => a[1] - b[1]);
    return first === undefined ? undefined : { region: first[0], sinceMs: first[1] };
  }

  #checkOutage(watch: VipWatch): void {
    const { timeline, topology, routeChangeMs, holdMs, network, agents } = this.#options;
    const fit = this.#fitSince(watch);
    if (watch.unservedSinceMs === null || fit === undefined) return;
    // Somebody forced users onto a region that does not work: that is his own outage.
    const regions = Object.values(this.ledger?.policy.vips[watch.vip.name]?.regions ?? {});
    if (regions.some((row) => row.ignoreUntilMs !== undefined)) return;
    const lastedMs = timeline.nowMs - Math.max(watch.unservedSinceMs, fit.sinceMs);
    watch.longestMs = Math.max(watch.longestMs, lastedMs);
    const hops = network.nextHops(watch.vip.prefix).flatMap((name) => agents.get(name) ?? []);
    const isReflex = hops.every((agent) => agent.process.isRunning && agent.upSinceMs < timeline.nowMs - lastedMs);
    const isSilent = timeline.nowMs - this.#lastSilentMs < holdMs + 60_000;
    const canJudge = this.#canJudge(fit.region) && hasRoom(watch.vip, topology);
    const kind = isReflex && !isSilent ? 'reflex' : 'judgement or hold time';
    const noticedMs = kind === 'reflex' ? REFLEX_MS : canJudge ? Math.min(holdMs, JUDGEMENT_MS) : holdMs;
    const boundMs = noticedMs + routeChangeMs + SLACK_MS;
    if (lastedMs < boundMs) return;
    this.breach(
      'outage',
      `${watch.vip.name} unanswered for ${lastedMs} ms though ${fit.region} is fit (bound ${boundMs} ms, ${kind}; ${network.pathsText(watch.vip.prefix)})`,
    );
    watch.unservedSinceMs = timeline.nowMs;
  }

  /** Every seat that may lead hears everybody and reaches the storage. */
  #canJudge(region: string): boolean {
    const { seats, wires, agents, isStorageFair } = this.#options;
    // A ledger that is not trusted waits for a person, and moves nobody.
    if (!isStorageFair() || this.ledger?.policy.trusted !== true) return false;
    return seats.every(
      (seat) =>
        seat.process.isRunning &&
        wires.isFair(seat.name, 'storage') &&
        [...agents.values()].every((agent) => agent.region !== region || wires.isFair(seat.name, agent.name)),
    );
  }

  #checkAnnouncers(watch: VipWatch): void {
    const fit = this.#fitSince(watch);
    if (watch.absentSinceMs === null || fit === undefined) return;
    const { timeline, routeChangeMs } = this.#options;
    const lastedMs = timeline.nowMs - Math.max(watch.absentSinceMs, fit.sinceMs);
    if (lastedMs < routeChangeMs + SLACK_MS) return;
    this.breach('announcers', `nobody announces ${watch.vip.name} for ${lastedMs} ms though ${fit.region} is fit`);
    watch.absentSinceMs = timeline.nowMs;
  }

  // ---------------------------------------------------------------- what the control plane does

  onAppended(records: readonly AuditRecord[]): void {
    for (const record of records) {
      this.#records.add(`${record.Epoch}.${record.Generation}`);
      if (record.Kind === 'order') this.#records.add(`${record.Epoch}.${record.Generation} ${record.Nva}`);
    }
  }

  onCommit(leaseId: string, beforeText: string, afterText: string): void {
    const before = beforeText === this.#ledgerText ? this.ledger : ledgerIn(beforeText);
    const after = JSON.parse(afterText) as Ledger;
    this.ledger = after;
    this.#ledgerText = afterText;
    this.commits += 1;
    const seat = this.#options.seats.find((one) => one.leaseId === leaseId);
    if (before !== undefined && seat !== undefined) {
      if (after.seat !== before.seat) this.#options.tell(`${after.seat} leads, epoch ${after.epoch}`);
      if (compareSequence(after, before) <= 0)
        this.breach('sequence', `${after.epoch}.${after.generation} after ${before.epoch}.${before.generation}`);
      if (seat.name !== after.seat) this.breach('one writer', `${seat.name} wrote as ${after.seat}`);
    }
    for (const record of after.pending)
      if (record.Generation === after.generation) this.#onRecord(record, before, after, seat);
  }

  #onRecord(record: AuditRecord, before: Ledger | undefined, after: Ledger, seat: SimSeat | undefined): void {
    const { kind } = record.Detail as { kind?: string };
    if (record.Kind === 'intent')
      this.#options.tell(
        `intent ${record.Reason}: ${record.Vip} ${record.Region} ${(record.Detail as { type?: string }).type ?? ''} ${JSON.stringify((record.Detail as { reasons?: unknown }).reasons ?? '')}`,
      );
    if (record.Kind === 'verification' && record.Reason !== 'proved')
      this.#options.tell(`${record.Reason}: ${record.Vip} ${record.Region} ${JSON.stringify(record.Detail)}`);
    if (record.Kind === 'config') this.#options.tell(`${record.Reason}: ${JSON.stringify(record.Detail)}`);
    // A rebuilt ledger knows no earlier moves; before the next one a person has looked at it.
    if (record.Reason === 'ledger-rebuilt') this.#automatic.length = 0;
    if (record.Reason === 'ledger-rebuilt' && !this.#options.isLedgerHarmed)
      this.breach('needless doubt', `${after.seat} rebuilt a ledger that nobody had harmed`);
    if (record.Kind !== 'decision' || kind === undefined) return;
    if (kind !== 'role') {
      this.#options.tell(
        `${after.seat} ${after.epoch}.${after.generation}: ${kind} ${record.Vip} ${record.Region} ${record.Before} -> ${record.After} (${record.Reason})`,
      );
    }
    if (!MOVES.has(kind) || before === undefined || seat === undefined) return;
    this.moves += 1;
    // Members that go below a lost one are nobody's choice, and it is not to them alone that users move.
    if (record.Reason === 'member-lost') this.#checkLoss(record);
    else this.#checkMove(record, kind, before, after, seat);
    // Trust, and what was waiting for it, may come in one commit.
    if (!before.policy.trusted && !after.policy.trusted)
      this.breach('untrusted ledger', `${kind} ${record.Vip} to ${record.Region}`);
  }

  #checkMove(record: AuditRecord, kind: string, before: Ledger, after: Ledger, seat: SimSeat): void {
    if (kind === 'takeover') this.#checkAlarm(record, before);
    else this.#checkPacing(record, before);
    if (record.ActorType !== 'automation') return;
    this.#checkFresh(record, after, seat);
    this.#checkBudget(record, before, kind);
  }

  /** No automatic move to a region without fresh health. */
  #checkFresh(record: AuditRecord, after: Ledger, seat: SimSeat): void {
    const region = this.#options.topology.regions.find((one) => one.name === record.Region);
    const freshMs = 3 * this.#options.topology.timing.reportSeconds * 1000;
    const isFresh = region?.nvas.some(({ name }) => {
      const heard = seat.evidence.current.reports[name];
      const told = heard?.report.vips.find((vip) => vip.vip === record.Vip)?.local.verdict;
      // Reports that arrived after the decision was made tell nothing; the age is that at the decision.
      return (
        heard !== undefined &&
        after.decidedAtMs - heard.receivedAtMs <= freshMs &&
        told !== 'unhealthy' &&
        told !== 'unknown'
      );
    });
    if (isFresh !== true)
      this.breach('fresh health', `${record.Vip} moved to ${record.Region}, of which nothing fresh and good was known`);
  }

  /** Nothing is broken and has not been for long: whatever it was that moved users, it was wrong. */
  #checkAlarm(record: AuditRecord, before: Ledger): void {
    const acting = before.policy.vips[record.Vip]?.acting ?? '';
    if (this.#isCalm() && !this.#isDown(record.Vip, acting))
      this.breach('false alarm', `${acting} was well when ${record.Region} took over`);
  }

  /** As a false alarm: with nothing broken for long no member is lost. */
  #checkLoss({ Vip }: AuditRecord): void {
    const members = this.#options.topology.vips.find(({ name }) => name === Vip)?.regions ?? [];
    if (this.#isCalm() && !members.some((region) => this.#isDown(Vip, region)))
      this.breach('false alarm', `every member of ${Vip} was well when one counted as lost`);
  }

  #isCalm(): boolean {
    return this.#options.timeline.nowMs - (this.#options.calmSinceMs() ?? Number.POSITIVE_INFINITY) >= CALM_MS;
  }

  /** A planned change of a region keeps its distance from the change of its wire before. */
  #checkPacing(record: AuditRecord, before: Ledger): void {
    const { nowMs } = this.#options.timeline;
    const acting = before.policy.vips[record.Vip]?.acting ?? '';
    const isNecessary = this.#isDown(record.Vip, acting);
    if (isNecessary) return;
    const windowMs = this.#options.topology.timing.routeChangeSeconds * 1000;
    const prefix = this.#options.topology.vips.find((vip) => vip.name === record.Vip)?.prefix;
    for (const agent of this.#options.agents.values()) {
      if (agent.region !== record.Region) continue;
      const lastMs = (this.#wireChanges.get(`${agent.name} ${prefix}`) ?? [])
        .filter((atMs) => nowMs - atMs > NEWS_MS)
        .at(-1);
      if (lastMs !== undefined && nowMs - lastMs < windowMs - NEWS_MS)
        this.breach(
          'pacing',
          `${record.Reason} of ${record.Vip} to ${record.Region} ${nowMs - lastMs} ms after its last change`,
        );
    }
  }

  #isDown(vip: string, region: string): boolean {
    const agents = [...this.#options.agents.values()].filter((agent) => agent.region === region);
    return !agents.some(
      (agent) =>
        agent.answers(vip) && agent.state.vips.get(vip)?.health.standing === 'up' && agent.sessions.some((s) => s.isUp),
    );
  }

  /** Moves by choice stay within the budget, counted by cause as the guard does. */
  #checkBudget(record: AuditRecord, before: Ledger, kind: string): void {
    const { nowMs } = this.#options.timeline;
    const { maxMovesPerWindow, windowSeconds } = this.#options.topology.guards;
    const cause = `${before.policy.vips[record.Vip]?.acting}/${kind === 'takeover' ? record.Reason : kind}`;
    const recent = this.#automatic.filter((move) => nowMs - move.atMs < windowSeconds * 1000 - NEWS_MS);
    const isJoined = recent.some((move) => move.cause === cause && nowMs - move.atMs < 40_000);
    if (kind !== 'takeover' && !isJoined && recent.length >= maxMovesPerWindow)
      this.breach(
        'budget',
        `${kind} of ${record.Vip} is automatic move ${recent.length + 1} within ${windowSeconds} s`,
      );
    if (!isJoined) this.#automatic.push({ atMs: nowMs, cause });
  }

  onWire(agent: SimAgent, prefix: string): void {
    const key = `${agent.name} ${prefix}`;
    const times = this.#wireChanges.get(key) ?? [];
    times.push(this.#options.timeline.nowMs);
    this.#wireChanges.set(key, times.slice(-20));
  }

  onApplied(agent: SimAgent, order: Order, before: Order | undefined): void {
    const sequence = `${order.epoch}.${order.generation}`;
    if (before !== undefined && compareSequence(order, before) <= 0)
      this.breach('order age', `${agent.name} applied ${sequence} after ${before.epoch}.${before.generation}`);
    const rows = rowsText(order);
    const known = this.#orders.get(`${sequence} ${agent.name}`);
    if (known !== undefined && known !== rows) this.breach('one order', `${agent.name} has two orders ${sequence}`);
    this.#orders.set(`${sequence} ${agent.name}`, rows);
    const isChange = before === undefined || rowsText(before) !== rows;
    const isRecorded = this.#records.has(`${sequence} ${agent.name}`) || (!isChange && this.#records.has(sequence));
    // The first orders of an epoch repeat what stood; the seat's own record stands for them.
    if (!isRecorded && !this.#records.has(sequence))
      this.breach('audit ahead', `${agent.name} applied ${sequence} before any record of it`);
    else if (
      isChange &&
      !isRecorded &&
      before !== undefined &&
      before.epoch === order.epoch &&
      before.generation + 1 === order.generation
    )
      this.breach('audit ahead', `${agent.name} applied ${sequence} without its order record`);
    const ageMs = this.#options.timeline.nowMs - order.issuedAtMs;
    if (agent.clockOffsetMs === 0 && ageMs > 63_000)
      this.breach('order lifetime', `${agent.name} applied ${sequence}, ${ageMs} ms old`);
  }
}
