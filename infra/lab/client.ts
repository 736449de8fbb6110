// The client on-premises: asks every vip with a new connection every few milliseconds, knows who answered and which
// outages it lived through. It is the observer of the lab.
import { connect } from 'node:net';
import type { ObserverReport } from '../../shared/report.ts';
import { type FinishedRequest, OUTAGE_WATCH_START, type Outage, type OutageWatch, watchOutage } from './outages.ts';

/** A request without an answer after this long has failed. */
export const REQUEST_TIMEOUT_MS = 1000;
/** Requests of one vip under way at once. */
const IN_FLIGHT_MAX = 100;
/** Latest outages kept. */
const OUTAGES_MAX = 1000;
/** The share of failures is told over so many of the newest requests. */
const LOSS_LOOKS_MAX = 600;
const ANSWER_BYTES_MAX = 4096;
const REGION_HEADER = /^x-anycast-region: *([^\r\n]+)/im;
const REQUEST = 'GET / HTTP/1.0\r\nhost: vip\r\nconnection: close\r\n\r\n';

export interface ClientVip {
  readonly vip: string;
  readonly group: string;
  /** Where the on-premises router takes connections for it. */
  readonly port: number;
}

export interface VipOutage extends Outage {
  readonly vip: string;
}

export interface AnsweredVip {
  readonly vip: string;
  readonly answeredBy: string | null;
  readonly sinceMs: number | null;
  readonly lastAnswerAtMs: number | null;
  readonly requests: number;
  readonly failures: number;
  /** Answered by an outage still going on. */
  readonly outageSinceMs: number | null;
}

export interface ClientOptions {
  readonly vips: readonly ClientVip[];
  readonly intervalMs: number;
  /** Called when the region that answers a vip changes, or nobody does any more. */
  readonly onChange: (vip: string, answeredBy: string | null) => void;
}

export interface Client {
  vips(): AnsweredVip[];
  /** Oldest first. */
  outages(): VipOutage[];
  /** What was seen since the last call, per vip of the group: the body of an observer's report. */
  takePeriod(group: string): ObserverReport['vips'];
  stop(): void;
}

/** Starts asking at once. */
export function startClient(options: ClientOptions): Client {
  const outages: VipOutage[] = [];
  const keep = (outage: VipOutage) => {
    outages.push(outage);
    if (outages.length > OUTAGES_MAX) outages.shift();
  };
  const asked = options.vips.map((vip) => new AskedVip(vip, options.onChange, keep));
  const timers = asked.map((vip, i) => {
    // Vips take turns within the interval.
    let timer = setTimeout(
      () => {
        timer = setInterval(() => vip.ask(), options.intervalMs);
      },
      (i * options.intervalMs) / asked.length,
    );
    return () => clearTimeout(timer);
  });
  return {
    vips: () => asked.map((vip) => vip.answered()),
    outages: () => [...outages],
    takePeriod: (group) => asked.filter((vip) => vip.target.group === group).map((vip) => vip.takePeriod()),
    stop: () => {
      for (const stop of timers) stop();
    },
  };
}

interface PendingRequest {
  readonly startedAtMs: number;
  finished?: FinishedRequest;
}

const EMPTY_PERIOD = { requests: 0, failures: 0, outageMs: 0, connectMs: null, firstByteMs: null };

class AskedVip {
  readonly target: ClientVip;
  readonly #onChange: ClientOptions['onChange'];
  readonly #onOutage: (outage: VipOutage) => void;
  /** In the order they were begun. */
  readonly #pending: PendingRequest[] = [];
  #watch: OutageWatch = OUTAGE_WATCH_START;
  #answeredBy: string | null = null;
  #sinceMs: number | null = null;
  #newestAnswerStartMs = 0;
  #requests = 0;
  #failures = 0;
  /** Of the newest requests, oldest first: whether each failed. */
  readonly #newest: boolean[] = [];
  #period: {
    requests: number;
    failures: number;
    outageMs: number;
    connectMs: number | null;
    firstByteMs: number | null;
  } = { ...EMPTY_PERIOD };

  constructor(target: ClientVip, onChange: ClientOptions['onChange'], onOutage: (outage: VipOutage) => void) {
    this.target = target;
    this.#onChange = onChange;
    this.#onOutage = onOutage;
  }

  ask(): void {
    if (this.#pending.length >= IN_FLIGHT_MAX) return;
    const pending: PendingRequest = { startedAtMs: Date.now() };
    this.#pending.push(pending);
    request(this.target.port, (result) => {
      pending.finished = { startedAtMs: pending.startedAtMs, endedAtMs: Date.now(), region: result.region };
      this.#period.connectMs = result.connectMs ?? this.#period.connectMs;
      this.#period.firstByteMs = result.firstByteMs ?? this.#period.firstByteMs;
      this.#noteAnswer(pending.finished);
      this.#settle();
    });
  }

  answered(): AnsweredVip {
    return {
      vip: this.target.vip,
      answeredBy: this.#answeredBy,
      sinceMs: this.#sinceMs,
      lastAnswerAtMs: this.#watch.lastAnswerAtMs,
      requests: this.#requests,
      failures: this.#failures,
      outageSinceMs: this.#watch.open?.startedAtMs ?? null,
    };
  }

  takePeriod(): ObserverReport['vips'][number] {
    const { requests, failures, connectMs, firstByteMs } = this.#period;
    const openMs = this.#watch.open === null ? 0 : Date.now() - this.#watch.open.startedAtMs;
    const outageMs = Math.max(this.#period.outageMs, openMs);
    this.#period = { ...EMPTY_PERIOD };
    const answer = { answeredBy: this.#answeredBy, sinceMs: this.#sinceMs };
    const looks = this.#newest.length;
    const loss = { share: this.#newest.filter(Boolean).length / Math.max(1, looks), looks };
    const seen = { requests, failures, connectMs, firstByteMs, outageMs, ...(looks > 0 && { loss }) };
    return { vip: this.target.vip, ...answer, ...seen };
  }

  /** Who answers now is the newest request's business, whatever older ones are still waiting for. */
  #noteAnswer({ startedAtMs, endedAtMs, region }: FinishedRequest): void {
    if (startedAtMs < this.#newestAnswerStartMs) return;
    this.#newestAnswerStartMs = startedAtMs;
    if (region === this.#answeredBy) return;
    this.#answeredBy = region;
    this.#sinceMs = region === null ? null : endedAtMs;
    this.#onChange(this.target.vip, region);
  }

  #settle(): void {
    for (let finished = this.#pending[0]?.finished; finished !== undefined; finished = this.#pending[0]?.finished) {
      this.#pending.shift();
      this.#requests += 1;
      this.#period.requests += 1;
      this.#newest.push(finished.region === null);
      if (this.#newest.length > LOSS_LOOKS_MAX) this.#newest.shift();
      if (finished.region === null) {
        this.#failures += 1;
        this.#period.failures += 1;
      }
      const { watch, ended } = watchOutage(this.#watch, finished);
      this.#watch = watch;
      if (ended === undefined) continue;
      this.#period.outageMs = Math.max(this.#period.outageMs, ended.outageMs);
      this.#onOutage({ vip: this.target.vip, ...ended });
    }
  }
}

interface RequestResult {
  readonly region: string | null;
  readonly connectMs?: number;
  readonly firstByteMs?: number;
}

/** One request on a connection of its own. A status other than 200 is a failure: the user got no service. */
function request(port: number, done: (result: RequestResult) => void): void {
  const startedAtMs = performance.now();
  let text = '';
  let connectMs: number | undefined;
  let firstByteMs: number | undefined;
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const patience = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS);
  socket.setEncoding('latin1');
  socket.once('connect', () => {
    connectMs = performance.now() - startedAtMs;
    socket.write(REQUEST);
  });
  socket.on('data', (chunk: string) => {
    firstByteMs ??= performance.now() - startedAtMs;
    if (text.length < ANSWER_BYTES_MAX) text += chunk;
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => {
    clearTimeout(patience);
    const region = /^HTTP\/1\.[01] 200 /.test(text) ? (REGION_HEADER.exec(text)?.[1]?.trim() ?? null) : null;
    done({
      region,
      ...(connectMs === undefined ? {} : { connectMs }),
      ...(firstByteMs === undefined ? {} : { firstByteMs }),
    });
  });
}
