// The observer on-premises: asks every vip all the time and tells both seats whom it was answered by.
import type { ObserverReport } from '../../shared/report.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { Judge } from './judge.ts';
import type { SimSeat } from './sim-seat.ts';
import { GROUP } from './stores.ts';
import type { Timeline } from './timeline.ts';
import { Process, type Wires } from './wires.ts';

const REQUESTS = 20;

interface Seen {
  by: string | null;
  sinceMs: number | null;
  downMs: number;
  downSinceMs: number | null;
}

export class SimObserver {
  readonly process: Process;
  readonly #parts: { topology: Topology; timeline: Timeline; judge: Judge; wires: Wires; seats: readonly SimSeat[] };
  readonly #seen: Map<string, Seen>;
  #seq = 0;
  #periodMs: number;

  constructor(
    name: string,
    parts: { topology: Topology; timeline: Timeline; judge: Judge; wires: Wires; seats: readonly SimSeat[] },
  ) {
    this.process = new Process(name);
    this.#parts = parts;
    this.#periodMs = parts.timeline.nowMs;
    this.#seen = new Map(
      parts.topology.vips.map((vip) => [
        vip.name,
        { by: null, sinceMs: null, downMs: 0, downSinceMs: parts.timeline.nowMs },
      ]),
    );
  }

  start(): void {
    this.#periodic();
  }

  /** Who answers may have changed. */
  look(): void {
    const { timeline, judge } = this.#parts;
    let isChanged = false;
    for (const [vip, seen] of this.#seen) {
      const by = judge.servedBy(vip);
      if (by === seen.by) continue;
      isChanged = true;
      if (seen.downSinceMs !== null) seen.downMs += timeline.nowMs - Math.max(seen.downSinceMs, this.#periodMs);
      Object.assign(seen, {
        by,
        sinceMs: by === null ? null : timeline.nowMs,
        downSinceMs: by === null ? timeline.nowMs : null,
      });
    }
    if (isChanged) timeline.after(100, () => this.#send(true));
  }

  #periodic(): void {
    const { timeline, topology } = this.#parts;
    timeline.after(topology.timing.reportSeconds * 1000, () => {
      this.#send(false);
      this.#periodic();
    });
  }

  #send(transition: boolean): void {
    const { timeline, wires, seats } = this.#parts;
    const nowMs = timeline.nowMs;
    const lengthMs = Math.max(1, nowMs - this.#periodMs);
    this.#seq += 1;
    const report: ObserverReport = {
      ...{ v: 1, observer: this.process.name, group: GROUP, bootId: 'hq', seq: this.#seq, atMs: nowMs, transition },
      vips: [...this.#seen].map(([vip, seen]) => {
        const downMs =
          seen.downMs + (seen.downSinceMs === null ? 0 : nowMs - Math.max(seen.downSinceMs, this.#periodMs));
        const failures = Math.min(REQUESTS, Math.ceil((REQUESTS * downMs) / lengthMs));
        const connectMs = seen.by === null ? null : 3;
        const answeredBy = seen.by?.split('+')[0] ?? null;
        return {
          ...{ vip, answeredBy, sinceMs: seen.sinceMs, requests: REQUESTS, failures },
          ...{ connectMs, firstByteMs: connectMs, outageMs: Math.round(downMs) },
        };
      }),
    };
    for (const seat of seats) {
      if (wires.isFair(this.process.name, seat.name) && seat.hearNoNews(report)) continue;
      void wires.request(this.process, seat.process, 5000, () => seat.hear(report).catch(() => undefined));
    }
    this.#periodMs = nowMs;
    for (const seen of this.#seen.values()) seen.downMs = 0;
  }
}
