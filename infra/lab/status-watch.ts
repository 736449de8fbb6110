// Follows what the control plane says of itself: its status once a second, its audit records as they are written.
import { auditPageSchema, type Status, statusSchema } from '../../shared/api.ts';
import type { AuditRecord } from '../../shared/audit.ts';

const PERIOD_MS = 1000;
const TIMEOUT_MS = 2000;
/** Newest records kept. */
const RECORDS_MAX = 5000;
/** Pages read at a time; the rest comes with the next period. */
const PAGES_MAX = 20;

export interface StatusWatch {
  /** The last answer, or undefined before the first one. */
  readonly status: Status | undefined;
  /** Why the last question was not answered, or undefined when it was. */
  readonly failure: string | undefined;
  /** Audit records read so far, oldest first. */
  readonly records: readonly AuditRecord[];
  /** Asks now. */
  refresh(): Promise<void>;
  stop(): void;
}

export interface StatusWatchOptions {
  /** Origins of all seats; the first that answers is believed. */
  readonly seats: readonly string[];
  readonly token: () => Promise<string>;
  readonly onRecord: (record: AuditRecord) => void;
}

/** Starts at once. */
export function watchStatus(options: StatusWatchOptions): StatusWatch {
  return new Watch(options);
}

class Watch implements StatusWatch {
  status: Status | undefined;
  failure: string | undefined = 'not asked yet';
  readonly records: AuditRecord[] = [];
  readonly #options: StatusWatchOptions;
  #cursor: string | null = null;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #seen = new Set<string>();

  constructor(options: StatusWatchOptions) {
    this.#options = options;
    void this.#loop();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async refresh(): Promise<void> {
    const failures: string[] = [];
    for (const seat of this.#options.seats) {
      try {
        this.status = statusSchema.parse(await this.#get(seat, '/api/status'));
        this.failure = undefined;
        await this.#readAudit(seat);
        return;
      } catch (error) {
        failures.push(error instanceof Error ? messageOf(error) : String(error));
      }
    }
    this.failure = failures.join('; ');
  }

  async #loop(): Promise<void> {
    await this.refresh();
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#loop(), PERIOD_MS);
  }

  async #readAudit(seat: string): Promise<void> {
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const after = this.#cursor === null ? '' : `&after=${encodeURIComponent(this.#cursor)}`;
      const { records, next } = auditPageSchema.parse(await this.#get(seat, `/api/audit?limit=200${after}`));
      for (const record of records) this.#take(record);
      if (next === null) return;
      this.#cursor = next;
    }
  }

  #take(record: AuditRecord): void {
    if (this.#seen.has(record.EventId)) return;
    this.#seen.add(record.EventId);
    this.records.push(record);
    if (this.records.length > RECORDS_MAX) this.#seen.delete(this.records.shift()?.EventId ?? '');
    this.#options.onRecord(record);
  }

  async #get(seat: string, path: string): Promise<unknown> {
    const token = await this.#options.token();
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${seat}${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
  }
}

/** fetch hides the reason in its cause. */
const messageOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
