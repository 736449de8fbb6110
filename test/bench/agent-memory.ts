// What the packaged agent costs on its NVA: memory and processor at 1, 50 and 200 vips, each probed by http once a second.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SLOT_MS_MAX } from '../../nva-agent/health/vip-health.ts';
import { bundleAgent, RUNTIME_ENVIRONMENT, RUNTIME_FLAGS } from '../../nva-agent/packaging/bundle.ts';
import { type AgentWorld, createAgentWorld, until } from '../nva-agent/agent-world.ts';
import type { BenchResult } from './result.ts';

export interface AgentLoad {
  /** Each is probed by http once a second, with a sentinel connection kept. */
  readonly vips: number;
  /** How long it is watched once every vip is announced. */
  readonly seconds: number;
  /** Flags of the runtime; those of the package unless given. */
  readonly flags?: readonly string[];
}

export interface AgentCost {
  /** Highest of the samples of the second half: what has settled, garbage included. */
  readonly rssAnonMb: number;
  readonly rssMb: number;
  /** Share of one core over the second half. */
  readonly cpuPercent: number;
  /** Probes answered per second, so that a figure cannot come from an agent that does nothing. */
  readonly probesPerSecond: number;
}

/** Ticks per second of /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 500;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Octet pairs of the vips' prefixes: 198.18.0.0/15 is reserved for benchmarks (RFC 2544). */
const prefixOf = (index: number): string => `198.18.${index >>> 8}.${index & 255}/32`;

function writeVips(world: AgentWorld, count: number): void {
  world.write((topology) => {
    const [model] = topology.vips;
    const names = Array.from({ length: count }, (_, i) => `vip-${i + 1}`);
    // Copies: YAML writes an object that occurs twice as an alias, and aliases in number are refused.
    topology.vips = names.map((name, i) => ({
      ...structuredClone(model),
      name,
      prefix: prefixOf(i),
      health: { ...structuredClone(model.health), intervalMs: 1000, timeoutMs: 800 },
      dataPlane: { mode: 'none' },
    }));
    for (const region of topology.regions) {
      region.apps = Object.fromEntries(names.map((name) => [name, `127.0.0.1:${world.app.port}`]));
    }
    topology.timing.reportSeconds = 2;
    topology.timing.routeChangeSeconds = 30;
  });
}

/** Starts the bundled agent as the package does, watches it, and stops it again. */
export async function measureAgent(bundle: string, load: AgentLoad): Promise<AgentCost> {
  const world = await createAgentWorld();
  writeVips(world, load.vips);
  const argv = [...(load.flags ?? RUNTIME_FLAGS), bundle, 'run', '-c', world.configFile];
  const agent = spawn(process.execPath, argv, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...RUNTIME_ENVIRONMENT },
  });
  try {
    await until('every vip is announced', () => world.peers.every(({ held }) => held.size === load.vips), 60_000);
    return await watch(agent, world, load.seconds);
  } finally {
    const gone = once(agent, 'exit');
    agent.kill('SIGKILL');
    await gone;
    await world.stop();
  }
}

async function watch(agent: ChildProcess, world: AgentWorld, seconds: number): Promise<AgentCost> {
  const pid = agent.pid ?? 0;
  await pause((seconds / 2) * 1000);
  const [startedMs, ticks, requests] = [performance.now(), ticksOf(pid), world.app.requests];
  let [rssAnonMb, rssMb] = [0, 0];
  while (performance.now() - startedMs < (seconds / 2) * 1000) {
    await pause(SAMPLE_MS);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    rssAnonMb = Math.max(rssAnonMb, megabytes(status, 'RssAnon'));
    rssMb = Math.max(rssMb, megabytes(status, 'VmRSS'));
  }
  const tookSeconds = (performance.now() - startedMs) / 1000;
  return {
    rssAnonMb,
    rssMb,
    cpuPercent: (100 * (ticksOf(pid) - ticks)) / TICKS_PER_SECOND / tookSeconds,
    probesPerSecond: (world.app.requests - requests) / tookSeconds,
  };
}

function megabytes(status: string, key: string): number {
  const kib = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`no ${key} in /proc/PID/status`);
  return (Number(kib) * 1024) / 1e6;
}

/** User and system time, in ticks: fields 14 and 15 (proc(5)), counted behind the name in parentheses. */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** What the runtime itself takes for so many new connections a second, each asked once, in slots as the agent's. */
const BARE_PROBES = `
  const { connect } = require('node:net');
  const [port, perSlot, slotMs] = process.argv.slice(1).map(Number);
  const buffer = Buffer.alloc(16384);
  const request = Buffer.from('GET / HTTP/1.1\\r\\nhost: bare\\r\\nconnection: close\\r\\n\\r\\n');
  const probe = () => {
    const callback = () => (socket.destroy(), true);
    const socket = connect({ host: '127.0.0.1', port, onread: { buffer, callback } }, () => socket.write(request));
    socket.on('error', () => {});
  };
  setInterval(() => { for (let i = 0; i < perSlot; i += 1) probe(); }, slotMs);
`;

/** Share of one core that the bare connections take, \`slotMs\` apart. */
async function measureBare(probesPerSecond: number, slotMs: number, seconds: number): Promise<number> {
  const world = await createAgentWorld();
  const perSlot = (probesPerSecond * slotMs) / 1000;
  const argv = [...RUNTIME_FLAGS, '-e', BARE_PROBES, String(world.app.port), String(perSlot), String(slotMs)];
  const bare = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    await until('bare probes', () => world.app.requests > probesPerSecond, 60_000);
    return (await watch(bare, world, seconds)).cpuPercent;
  } finally {
    const gone = once(bare, 'exit');
    bare.kill('SIGKILL');
    await gone;
    await world.stop();
  }
}

const LOADS: readonly AgentLoad[] = [
  { vips: 1, seconds: 16 },
  { vips: 50, seconds: 16 },
  { vips: 200, seconds: 30 },
];

const BARE_SECONDS = 12;

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** Figures of the packaged agent, about two minutes. */
export async function benchAgentMemory(): Promise<readonly BenchResult[]> {
  const bundle = join('dist', 'agent', 'agent.mjs');
  await bundleAgent(bundle);
  const results: BenchResult[] = [];
  for (const load of LOADS) {
    const cost = await measureAgent(bundle, load);
    const name = `agent at ${load.vips} vips`;
    results.push(
      { name: `${name}, RssAnon`, value: rounded(cost.rssAnonMb), unit: 'MB' },
      { name: `${name}, RSS`, value: rounded(cost.rssMb), unit: 'MB' },
      { name: `${name}, processor`, value: rounded(cost.cpuPercent), unit: '% of a core' },
      { name: `${name}, probes`, value: rounded(cost.probesPerSecond), unit: '1/s' },
    );
  }
  const most = LOADS.at(-1)?.vips ?? 0;
  for (const [slotMs, how] of [
    [SLOT_MS_MAX, 'bare connections of the runtime, together in the same slots'],
    [1000 / most, 'bare connections of the runtime, evenly spread'],
  ] as const) {
    const value = rounded(await measureBare(most, slotMs, BARE_SECONDS));
    results.push({ name: `agent at ${most} vips, processor [${how}]`, value, unit: '% of a core', peer: how });
  }
  return results;
}
