// The NVA's data plane as one thing: brings addresses, rules, proxy and second chances to what is wanted.
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatingError } from '../../shared/errors.ts';
import { countConnections } from './connection-table.ts';
import { applyDevices } from './device-changes.ts';
import { parseDevices } from './devices.ts';
import { type Execute, execute as executeHere } from './execution.ts';
import { counterName, needsForwarding, renderNftables } from './forward-rules.ts';
import { createHaproxy } from './haproxy.ts';
import type { ProxyFigures } from './haproxy-answers.ts';
import { needsProxy } from './haproxy-config.ts';
import {
  applySettings,
  FORWARDING,
  readSetting,
  type Settings,
  SHARED_TRACKING,
  STRICT_TRACKING,
} from './kernel-settings.ts';
import { type Applied, applyTable, listTable, readCounters } from './nftables.ts';
import { type DataPlaneConfig, type DataPlaneVip, FORWARD_TABLE } from './plan.ts';
import { createSecondChance, type SecondChance, type SecondChanceStatus } from './second-chance.ts';
import { servedVips } from './served.ts';
import { createSharedSessions } from './shared-sessions.ts';
import { needsSharedSessions } from './shared-sessions-config.ts';
import {
  addTraffic,
  emptyTotals,
  NO_TRAFFIC,
  type TrafficSample,
  type TrafficTotal,
  takeSamples,
  totalOf,
} from './traffic-totals.ts';

/** How often a drain counts the connections that are left. */
const DRAIN_LOOK_MS = 250;

export interface DataPlaneOptions {
  readonly config: DataPlaneConfig;
  /** A directory of the data plane's own, for configurations, sockets and what stood before. */
  readonly folder: string;
  /** Runs commands; replaced by tests. */
  readonly execute?: Execute;
}

/** Parts that are brought to what is wanted one after the other; one that fails does not hold up the others. */
export const PARTS = ['devices', 'forwarding', 'kernel-settings', 'proxy', 'shared-sessions', 'second-chance'] as const;
export type Part = (typeof PARTS)[number];

export interface VipTraffic extends TrafficTotal {
  readonly vip: string;
  /** Client connections that stand now. */
  readonly established: number;
}

export interface DataPlaneStatus {
  readonly vips: readonly VipTraffic[];
  /** Parts whose last attempt failed, with the reason. */
  readonly problems: Partial<Readonly<Record<Part, string>>>;
  readonly secondChance: SecondChanceStatus;
}

export type DrainOutcome = { readonly type: 'drained' } | { readonly type: 'expired'; readonly established: number };

export interface DataPlane {
  /**
   * Brings everything to the configuration (the one given last, if none is given), and answers what had to be
   * changed. Throws OperatingError `data-plane-not-applied` naming every part that failed; call again to retry.
   */
  apply(config?: DataPlaneConfig): Promise<readonly Part[]>;
  /** Takes away everything that is ours, kernel settings included. Connections get `graceMs` to finish. */
  remove(graceMs?: number): Promise<void>;
  status(): Promise<DataPlaneStatus>;
  /** Vips whose traffic would reach their application as the machine stands now. For after a failed `apply`. */
  served(): Promise<readonly string[]>;
  /** Whether the reverse proxy runs, or none is needed. Cheap: a question on its socket. */
  isProxyUp(): Promise<boolean>;
  /** Waits until the vip's connections are done, at most its drainSeconds. The route must have moved away before. */
  drain(vip: string, signal?: AbortSignal): Promise<DrainOutcome>;
  readonly secondChance: SecondChance;
  /** Stops heartbeats and refreshes and leaves everything else standing: the agent ends, traffic goes on. */
  close(): void;
}

export function createDataPlane(options: DataPlaneOptions): DataPlane {
  const execute = options.execute ?? executeHere;
  const { folder } = options;
  const haproxy = createHaproxy(execute, folder);
  const sessions = createSharedSessions(execute, folder);
  const secondChance = createSecondChance(execute, folder);
  let config = options.config;
  let problems: Partial<Record<Part, string>> = {};
  let totals = emptyTotals;
  let queue: Promise<unknown> = Promise.resolve();

  /** One change at a time: two would see each other's half-finished work. */
  const oneByOne = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  };

  const steps: Readonly<Record<Part, (wanted: DataPlaneConfig) => Promise<Applied>>> = {
    devices: (wanted) => applyDevices(execute, wanted),
    'kernel-settings': async (wanted) => {
      await secondChance.warmUp(wanted);
      return applySettings(execute, folder, settingsOf(wanted));
    },
    forwarding: (wanted) =>
      applyTable(execute, folder, {
        table: FORWARD_TABLE,
        ruleset: needsForwarding(wanted) ? renderNftables(wanted) : undefined,
      }),
    proxy: (wanted) => haproxy.apply(wanted),
    'shared-sessions': (wanted) => sessions.apply(wanted),
    'second-chance': (wanted) => secondChance.apply(wanted),
  };

  const applyAll = async (wanted: DataPlaneConfig): Promise<readonly Part[]> => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const changed: Part[] = [];
    problems = {};
    for (const part of PARTS) {
      try {
        if ((await steps[part](wanted)) === 'changed') changed.push(part);
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error;
        problems[part] = error.message;
      }
    }
    const failed = Object.entries(problems);
    if (failed.length === 0) return changed;
    const text = failed.map(([part, problem]) => `${part}: ${problem}`).join('; ');
    throw new OperatingError('data-plane-not-applied', text, { retryable: true });
  };

  /** Client connections that stand now, by vip. */
  const countEstablished = async (
    vips: readonly DataPlaneVip[],
    figures: Iterable<readonly ProxyFigures[]>,
  ): Promise<ReadonlyMap<string, number>> => {
    const rows = [...figures].flat();
    const forwarded = vips.filter((vip) => vip.mode !== 'reverse-proxy');
    const inKernel = forwarded.length === 0 ? undefined : await countConnections(execute, forwarded);
    const inProxy = (name: string) =>
      rows.filter((row) => row.vip === name).reduce((sum, row) => sum + row.established, 0);
    return new Map(vips.map((vip) => [vip.vip, inKernel?.get(vip.address) ?? inProxy(vip.vip)]));
  };

  const sampleKernel = async (): Promise<TrafficSample[]> => {
    const forwarded = config.vips.filter((vip) => vip.mode !== 'reverse-proxy');
    // Without the table (not applied yet, or taken away by somebody) nothing is forwarded and nothing is counted.
    const counters =
      forwarded.length === 0 ? undefined : await readCounters(execute, FORWARD_TABLE).catch(() => undefined);
    if (counters === undefined) return [];
    return forwarded.map(({ vip }) => ({
      source: 'kernel',
      vip,
      connections: counters.get(counterName(vip, 'new'))?.packets ?? 0,
      bytesIn: counters.get(counterName(vip, 'in'))?.bytes ?? 0,
      bytesOut: counters.get(counterName(vip, 'out'))?.bytes ?? 0,
    }));
  };

  return {
    secondChance,
    close: () => secondChance.close(),
    apply: (wanted) =>
      oneByOne(async () => {
        config = wanted ?? config;
        return applyAll(config);
      }),
    remove: (graceMs = 0) =>
      oneByOne(async () => {
        await haproxy.stop(graceMs);
        config = { nva: config.nva, address: config.address, vips: [] };
        await applyAll(config);
      }),
    status: async () => {
      const figures = await haproxy.figures();
      const proxied = [...figures].flatMap(([pid, rows]) =>
        config.vips.map((vip) => sumOfRows(`haproxy ${pid}`, vip.vip, rows)),
      );
      totals = takeSamples(totals, [...proxied, ...(await sampleKernel())]);
      const established = await countEstablished(config.vips, figures.values());
      const vips = config.vips.map(({ vip }) => ({
        vip,
        established: established.get(vip) ?? 0,
        ...totalOf(totals, vip),
      }));
      return { vips, problems, secondChance: await secondChance.status() };
    },
    served: async () => {
      const [worker] = (await haproxy.figures()).values();
      return servedVips(config, {
        devices: parseDevices(await execute(['ip', '-j', '-d', 'addr', 'show'])),
        proxies: new Set(worker?.map((row) => row.proxy)),
        forwardTable: needsForwarding(config) ? await listTable(execute, FORWARD_TABLE) : undefined,
        forwards: needsForwarding(config) && (await readSetting(execute, 'net.ipv4.ip_forward')) === '1',
        sharesSessions: needsSharedSessions(config) && (await sessions.isUp()),
      });
    },
    isProxyUp: async () => !needsProxy(config) || (await haproxy.isRunning()),
    drain: async (name, signal) => {
      const vip = config.vips.find((candidate) => candidate.vip === name);
      if (vip === undefined) return { type: 'drained' };
      const deadline = performance.now() + vip.drainSeconds * 1000;
      for (;;) {
        const figures = vip.mode === 'reverse-proxy' ? await haproxy.figures() : new Map();
        const established = (await countEstablished([vip], figures.values())).get(name) ?? 0;
        if (established === 0) return { type: 'drained' };
        if (performance.now() >= deadline || signal?.aborted === true) return { type: 'expired', established };
        await sleep(DRAIN_LOOK_MS);
      }
    },
  };
}

function sumOfRows(
  source: string,
  vip: string,
  rows: readonly { vip: string; total: number; bytesIn: number; bytesOut: number }[],
): TrafficSample {
  const sum = rows
    .filter((row) => row.vip === vip)
    .reduce((total, row) => addTraffic(total, { ...row, connections: row.total }), NO_TRAFFIC);
  return { source, vip, ...sum };
}

const settingsOf = (config: DataPlaneConfig): Settings => ({
  ...(needsForwarding(config) ? FORWARDING : {}),
  ...(needsSharedSessions(config) ? SHARED_TRACKING : {}),
  ...(config.tunnel === undefined ? {} : STRICT_TRACKING),
});
