// Reports what the lab's client is answered to every seat, as an on-premises observer does: each period, and at once
// when another region answers.
import { randomUUID } from 'node:crypto';
import type { ObserverReport } from '../../shared/report.ts';
import { groupsOf } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { Client } from './client.ts';

const TIMEOUT_MS = 2000;

export interface Observer {
  /** The client was answered by somebody else. */
  noteChange(): void;
  stop(): void;
}

export interface ObserverOptions {
  readonly topology: Topology;
  readonly observer: string;
  readonly client: Pick<Client, 'takePeriod'>;
  readonly token: () => Promise<string>;
}

/** Starts reporting at once. A seat that does not answer misses that report; the next one says it all again. */
export function startObserver({ topology, observer, client, token }: ObserverOptions): Observer {
  const bootId = randomUUID();
  let seq = 0;
  let isStopped = false;
  /** Reports under way, with the newest that waits behind each: a slow seat holds up nobody and misses no change. */
  const busy = new Map<string, ObserverReport | undefined>();

  async function send(seat: string, report: ObserverReport): Promise<void> {
    const line = `${seat} ${report.group}`;
    if (busy.has(line)) {
      busy.set(line, report);
      return;
    }
    busy.set(line, undefined);
    await post(seat, report);
    const waiting = busy.get(line);
    busy.delete(line);
    if (waiting !== undefined && !isStopped) await send(seat, waiting);
  }

  async function post(seat: string, report: ObserverReport): Promise<void> {
    try {
      const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' };
      const body = JSON.stringify(report);
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      await fetch(`${seat}/api/agents/${observer}/reports`, { method: 'POST', headers, body, signal });
    } catch {
      // Nobody to tell: the control plane is what is missing, and its own status says so.
    }
  }

  function report(transition: boolean): void {
    if (isStopped) return;
    for (const group of groupsOf(topology)) {
      seq += 1;
      const head = { v: 1 as const, observer, group, bootId, seq, atMs: Date.now(), transition };
      const vips = client.takePeriod(group).map(rounded);
      for (const seat of topology.seats) void send(seat.url, { ...head, vips });
    }
  }

  const timer = setInterval(() => report(false), topology.timing.reportSeconds * 1000);
  return {
    noteChange: () => report(true),
    stop: () => {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

type PeriodVip = ObserverReport['vips'][number];

const rounded = (vip: PeriodVip): PeriodVip => ({
  ...vip,
  connectMs: vip.connectMs === null ? null : Math.round(vip.connectMs * 100) / 100,
  firstByteMs: vip.firstByteMs === null ? null : Math.round(vip.firstByteMs * 100) / 100,
});
