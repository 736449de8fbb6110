// The throughput samples of an observer: each vip at its own pace, one at a time, and the newest of each kept.
import type { ObserverReport } from '../shared/report.ts';
import type { Vip } from '../shared/topology-schema.ts';
import { type HowToSample, type Sample, sampleThroughput } from './probes/throughput.ts';

type Reported = NonNullable<ObserverReport['vips'][number]['throughput']>;

/** The first sample comes soon, so that a new observer shows one. */
const FIRST_MS = 1000;

export interface ThroughputOwner {
  readonly nowMs: () => number;
  /** A sample could not be measured. */
  readonly onFailure: (vip: string, detail: string) => void;
}

export class ThroughputSamples {
  readonly #owner: ThroughputOwner;
  readonly #newest = new Map<string, Reported>();
  /** Vips that wait for the line; two samples at a time would measure each other. */
  readonly #waiting = new Set<string>();
  readonly #wanted = new Map<string, HowToSample>();
  #timers: NodeJS.Timeout[] = [];
  #isRunning = false;

  constructor(owner: ThroughputOwner) {
    this.#owner = owner;
  }

  /** Begins, or goes on with other vips; what was measured of a vip that stays is kept. */
  configure(vips: readonly Vip[]): void {
    this.stop();
    for (const { name, observe } of vips) {
      if (observe?.throughput === undefined) continue;
      this.#wanted.set(name, observe.throughput);
      const ask = () => this.#ask(name);
      this.#timers.push(setTimeout(ask, FIRST_MS), setInterval(ask, observe.throughput.everySeconds * 1000));
    }
    for (const name of this.#newest.keys()) if (!this.#wanted.has(name)) this.#newest.delete(name);
  }

  /** The newest sample, until one fails: an old figure would hide that nothing comes any more. */
  of(vip: string): Reported | undefined {
    return this.#newest.get(vip);
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#waiting.clear();
    this.#wanted.clear();
  }

  #ask(vip: string): void {
    this.#waiting.add(vip);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (const vip of this.#waiting) {
      this.#waiting.delete(vip);
      const how = this.#wanted.get(vip);
      if (how === undefined) continue;
      const sample = await sampleThroughput(how);
      // A reload meanwhile may have taken the vip out.
      if (this.#wanted.has(vip)) this.#note(vip, sample);
    }
    this.#isRunning = false;
  }

  #note(vip: string, sample: Sample): void {
    if (sample.type === 'measured') {
      const { bytesPerSecond, bytes } = sample;
      this.#newest.set(vip, { bytesPerSecond, bytes, atMs: Math.round(this.#owner.nowMs()) });
      return;
    }
    this.#newest.delete(vip);
    this.#owner.onFailure(vip, sample.detail);
  }
}
