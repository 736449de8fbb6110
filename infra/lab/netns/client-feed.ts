// The measuring client as the lab sees it: starts it, keeps its latest samples, answers questions about them.
import { join } from 'node:path';
import type { ClientArguments } from './client.ts';
import type { LabContext } from './context.ts';
import { identityEndpoint, type LabFiles } from './lab-files.ts';
import { isServedBy, type Sample } from './outage.ts';
import { REGION_HEADER, VIP } from './plan.ts';
import { until } from './poll.ts';
import { type LabProcess, nodeArgv } from './processes.ts';
import { untilReady } from './region.ts';
import { OBSERVER } from './topology.ts';

/** A new connection every ten milliseconds. */
export const CLIENT_PERIOD_MS = 10;
/** About ten minutes of requests; older ones are forgotten. */
const SAMPLES_MAX = 60_000;
/** This many answers in a row, half a second of them, mean that a region serves. */
const SERVED_COUNT = 50;

export interface ClientFeed {
  readonly process: LabProcess;
  /** Requests that ended at or after the given time, in the order they ended. */
  since(fromMs: number): readonly Sample[];
  isServedBy(region: string): boolean;
  /** Resolves when the latest half second was answered by this region without a failure. */
  untilServedBy(region: string, timeoutMs: number): Promise<void>;
  /** The region of the latest answer. */
  answeredBy(): string | null;
  /** Called with each batch of new samples. */
  onSamples(listener: (samples: readonly Sample[]) => void): void;
}

/** Epoch ms with fractions, on the clock that all processes of the machine share. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

export async function startClient({ plan, processes }: LabContext, files: LabFiles): Promise<ClientFeed> {
  const options: ClientArguments = {
    vip: VIP.name,
    url: `http://${VIP.address}/`,
    header: REGION_HEADER,
    periodMs: CLIENT_PERIOD_MS,
    observer: OBSERVER,
    topology: files.topology,
    identity: identityEndpoint(OBSERVER),
  };
  const process = processes.start({
    name: 'client',
    isOwnMachine: true,
    namespace: plan.client,
    argv: nodeArgv(join(import.meta.dirname, 'client.ts'), JSON.stringify(options)),
    ipc: true,
  });
  const samples: Sample[] = [];
  process.onMessage((message) => {
    const batch = (message as { samples?: readonly Sample[] }).samples;
    if (batch === undefined) return;
    samples.push(...batch);
    if (samples.length > SAMPLES_MAX) samples.splice(0, samples.length - SAMPLES_MAX);
  });
  await untilReady(process);
  const served = (region: string) => isServedBy(samples, region, SERVED_COUNT);
  return {
    process,
    since: (fromMs) => samples.filter((sample) => sample.endMs >= fromMs),
    isServedBy: served,
    untilServedBy: async (region, timeoutMs) => {
      await until(`clients are served by ${region}`, timeoutMs, () => served(region));
    },
    answeredBy: () => samples.at(-1)?.region ?? null,
    onSamples: (listener) =>
      process.onMessage((message) => {
        const batch = (message as { samples?: readonly Sample[] }).samples;
        if (batch !== undefined) listener(batch);
      }),
  };
}
