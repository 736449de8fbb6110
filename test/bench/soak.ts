// A long life in a short time: thousands of health transitions over real sockets, then what was kept that should not be.
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { parseArgs, promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import type { ProbeOutcome } from '../../nva-agent/health/window.ts';
import { RUNTIME_FLAGS } from '../../nva-agent/packaging/bundle.ts';
import { startAgent } from '../../nva-agent/runtime.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { createAgentWorld, until } from '../nva-agent/agent-world.ts';
import { VIP_PREFIX } from '../nva-agent/order-draft.ts';
import type { BenchResult } from './result.ts';

export interface SoakResult {
  readonly transitions: number;
  readonly seconds: number;
  /** Growth of the process between the first tenth and the end, garbage collected at both. */
  readonly heapGrowthBytes: number;
  readonly rssGrowthBytes: number;
  /** Sockets open and timers armed at the end less those after the first tenth. */
  readonly socketGrowth: number;
  readonly timerGrowth: number;
}

const INTERVAL_MS = 1;
/** Probes go on meanwhile, so one look may meet one under way: what is kept is there in every look. */
const LOOKS = 20;
const LOOK_MS = 15;

interface Look {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly sockets: number;
  readonly timers: number;
}

async function look(): Promise<Look> {
  const seen: { readonly sockets: number; readonly timers: number }[] = [];
  for (let i = 0; i < LOOKS; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    seen.push({ sockets: openSockets(), timers });
  }
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    sockets: Math.min(...seen.map(({ sockets }) => sockets)),
    timers: Math.min(...seen.map(({ timers }) => timers)),
  };
}

/** Works without the flag too, so that a figure never holds garbage. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

function openSockets(): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor that listed the folder is closed again.
      return '';
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

/**
 * Turns an application up and down until its verdict has changed so often. Each change makes one UPDATE to both peers and
 * a report to the seat; probes open real sockets, their answers are made up so that no time is lost waiting.
 */
export async function soak(transitions: number): Promise<SoakResult> {
  const world = await createAgentWorld();
  world.write((topology) => {
    topology.vips[0].health = { ...topology.vips[0].health, intervalMs: 100, timeoutMs: 50, sentinel: false };
    topology.vips[0].health.window = { fail: 1, of: 1, recover: 1 };
    topology.vips[0].dataPlane = { mode: 'none' };
    topology.guards = { ...topology.guards, flapPenalty: { perMove: 0 } };
  });
  const loaded = await loadAgentConfig(world.configFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const config = { ...loaded.value, loadedTopology: hurried(loaded.value.loadedTopology) };
  let isWell = true;
  const { probeHttp } = await import('../../nva-agent/probes/http.ts');
  const agent = await startAgent(config, {
    runProbe: async (probe, timeoutMs): Promise<ProbeOutcome> => {
      const real = probe.type === 'http' ? await probeHttp(probe, timeoutMs) : { type: 'unknown' as const };
      const latencyMs = real.type === 'pass' ? real.latencyMs : 0;
      return isWell ? { type: 'pass', latencyMs } : { type: 'fail', latencyMs, detail: 'made up' };
    },
  });
  const seen = () => agent.status().vips[0]?.local.verdict;
  const turn = async () => {
    isWell = !isWell;
    await until('the verdict turns', () => (seen() === 'unhealthy') === !isWell, 10_000);
  };
  try {
    await until('announced', () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) !== undefined));
    for (let i = 0; i < transitions / 10; i += 1) await turn();
    forget(world);
    const before = await look();
    const startedMs = performance.now();
    for (let i = 0; i < transitions; i += 1) {
      await turn();
      if (i % 100 === 0) forget(world);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    forget(world);
    const after = await look();
    return {
      transitions,
      seconds: Math.round(seconds * 10) / 10,
      heapGrowthBytes: after.heapBytes - before.heapBytes,
      rssGrowthBytes: after.rssBytes - before.rssBytes,
      socketGrowth: after.sockets - before.sockets,
      timerGrowth: after.timers - before.timers,
    };
  } finally {
    void agent.stop();
    await agent.stop();
    await world.stop();
  }
}

/** Probes every few milliseconds, which no configuration allows: years of changes fit into a minute. */
const hurried = (topology: Topology): Topology => ({
  ...topology,
  vips: topology.vips.map((vip) => ({ ...vip, health: { ...vip.health, intervalMs: INTERVAL_MS } })),
});

/** What the world around remembers is not the agent's. */
function forget(world: Awaited<ReturnType<typeof createAgentWorld>>): void {
  for (const peer of world.peers) {
    peer.updates.length = 0;
    peer.events.length = 0;
  }
  world.seat.reports.length = 0;
}

export async function benchSoak(): Promise<readonly BenchResult[]> {
  // In a process of its own with the flags of the package: what the bench itself holds is nobody's leak.
  const argv = ['--disable-warning=ExperimentalWarning', '--expose-gc', ...RUNTIME_FLAGS, 'test/bench/soak.ts'];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  const result: SoakResult = JSON.parse(stdout);
  return [
    { name: '10,000 health transitions, RSS growth', value: Math.round(result.rssGrowthBytes / 1e4) / 100, unit: 'MB' },
    {
      name: '10,000 health transitions, heap growth',
      value: Math.round(result.heapGrowthBytes / 1e4) / 100,
      unit: 'MB',
    },
    { name: '10,000 health transitions, sockets kept', value: result.socketGrowth, unit: '' },
    { name: '10,000 health transitions, timers kept', value: result.timerGrowth, unit: '' },
    { name: '10,000 health transitions, time', value: result.seconds, unit: 's' },
  ];
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { transitions: { type: 'string', default: '10000' } } });
  console.log(JSON.stringify(await soak(Number(values.transitions)), undefined, 2));
}
