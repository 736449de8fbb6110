// Keeps every seat told: builds reports from the agent's state each period and at once on a transition.
import { readFileSync } from 'node:fs';
import type { ReportSession } from '../../shared/report.ts';
import type { AgentPlan, AgentState } from '../agent.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentConfig } from './config.ts';
import { createTokenSource } from './identity-token.ts';
import type { AgentMetrics } from './metrics.ts';
import { createReportSender, type ReportOutcome, type ReportSender } from './report-sender.ts';
import { buildReport, groupsOfPlan } from './reports.ts';

/** What reports are built from, asked for at the moment of building. */
export interface ReportView {
  readonly state: AgentState;
  readonly plan: AgentPlan;
  readonly sessions: readonly ReportSession[];
}

export interface ReportingOwner {
  readonly bootId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly view: () => ReportView;
  readonly onOrder: (jws: string, seat: string) => void;
}

/** The last report may take this long; nobody waits longer for a seat that is gone itself. */
const LAST_REPORT_MS = 1000;

export class Reporting {
  /** Reports by outcome. */
  readonly counts: Record<string, number> = {};
  readonly #owner: ReportingOwner;
  #sender: ReportSender | undefined;
  #period: NodeJS.Timeout | undefined;
  #seq = 0;
  #transitions = 0;
  /** By seat: the transitions its report under way knows of, and those it has taken. */
  readonly #built = new Map<string, number>();
  readonly #told = new Map<string, number>();

  constructor(owner: ReportingOwner) {
    this.#owner = owner;
  }

  /** Begins, or goes on with other seats, credentials and period. */
  configure({ identity, seatCa, loadedTopology, nva }: AgentConfig): void {
    this.#close();
    const header = identity.header === undefined ? {} : { header: identity.header };
    this.#sender = createReportSender({
      seats: loadedTopology.seats,
      sender: nva,
      tokens: createTokenSource({ endpoint: identity.endpoint, ...header }, this.#owner.clock.nowMs),
      tls: seatCa === undefined ? {} : { ca: readFileSync(seatCa) },
      build: (seat) => this.#build(seat),
      onOrder: this.#owner.onOrder,
      onOutcome: (outcome) => this.#note(outcome),
    });
    this.#period = setInterval(() => this.#sender?.report(), loadedTopology.timing.reportSeconds * 1000);
    this.#sender.report();
  }

  /** Something changed that every seat should hear of now. */
  transition(): void {
    this.#transitions += 1;
    this.#sender?.report();
  }

  /** The last report, then silence. */
  async end(): Promise<void> {
    clearInterval(this.#period);
    await this.#sender?.flush(LAST_REPORT_MS);
    this.#close();
  }

  #close(): void {
    clearInterval(this.#period);
    this.#sender?.stop();
  }

  #build(seat: string): { group: string; body: string }[] {
    const { state, plan, sessions } = this.#owner.view();
    const transition = this.#transitions > (this.#told.get(seat) ?? 0);
    this.#built.set(seat, this.#transitions);
    return groupsOfPlan(plan).map((group) => {
      this.#seq += 1;
      const moment = {
        bootId: this.#owner.bootId,
        seq: this.#seq,
        atMs: this.#owner.clock.nowMs(),
        transition,
        sessions,
      };
      return { group, body: JSON.stringify(buildReport(state, plan, group, moment)) };
    });
  }

  #note({ seat, group, error }: ReportOutcome): void {
    const { metrics, log, clock } = this.#owner;
    const outcome = error === undefined ? 'taken' : 'failed';
    metrics.reports.inc({ seat, outcome });
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
    if (error === undefined) {
      this.#told.set(seat, this.#built.get(seat) ?? 0);
      metrics.lastReport.set({ seat }, clock.wallMs() / 1000);
    } else log.warn('report not taken', { seat, group, error });
  }
}
