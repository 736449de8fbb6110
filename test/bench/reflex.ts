// How long the agent's reflex takes on loopback: application killed, hung, ordered elsewhere, until both peers have the UPDATE.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { realDisk } from '../../nva-agent/control/order-store.ts';
import { type RunningAgent, startAgent } from '../../nva-agent/runtime.ts';
import { type AgentWorld, createAgentWorld, until } from '../nva-agent/agent-world.ts';
import { LAST_RESORT, VIP_PREFIX } from '../nva-agent/order-draft.ts';
import { measureOutage } from './agent-client.ts';
import { type BenchResult, summarise } from './result.ts';

const CRASHES = 30;
/** Hangs take seconds and do not hurry each other: so many agents see so many each, at the same time. */
const HANG_AGENTS = 4;
const HANGS_EACH = 5;
const ORDERS = 110;
const WARM_UP = 10;
/** The sentinel is connected again by then. */
const SETTLE_MS = 600;
/** Prepends of the base rung, the last that was ordered. */
const ORDERED = 12;

const APP = `
  const { createServer } = require('node:http');
  createServer((_q, r) => r.end('ok')).listen(Number(process.argv[1]), '127.0.0.1', () => process.stdout.write('up'));
`;

/** An application in a process of its own, so that kill -9 and SIGSTOP are what they are in life. */
async function startApp(port: number): Promise<ChildProcess> {
  const app = spawn(process.execPath, ['-e', APP, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (app.stdout !== null) await once(app.stdout, 'data');
  return app;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const untilPrepend = (world: AgentWorld, prepend: number) =>
  until(`prepend ${prepend}`, () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === prepend), 30_000);

/** When the later of both peers got the newest UPDATE. */
const newestMs = (world: AgentWorld): number =>
  Math.max(...world.peers.map((peer) => peer.updates.at(-1)?.atMs ?? Number.NaN));

async function measure(world: AgentWorld, act: () => Promise<void> | void, prepend: number): Promise<number> {
  const startedMs = performance.now();
  await act();
  await untilPrepend(world, prepend);
  return newestMs(world) - startedMs;
}

/** An agent with its world, and an application that can be killed and frozen. */
interface Rig {
  readonly world: AgentWorld;
  readonly agent: RunningAgent;
  /** An order is accepted once it is checked and on disk; what follows is what a change costs the network. */
  readonly acceptedMs: () => number;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Interval 1 s and timeout 0.8 s; one pass is health again, so that no time is lost between two falls. */
async function startRig(): Promise<Rig> {
  const world = await createAgentWorld();
  await world.app.crash();
  world.write((topology) => {
    topology.vips[0].dataPlane = { mode: 'none' };
    const { health } = topology.vips[0];
    topology.vips[0].health = { ...health, intervalMs: 1000, timeoutMs: 800, window: { ...health.window, recover: 1 } };
    topology.guards = { ...topology.guards, flapPenalty: { perMove: 0 } };
    topology.timing.reportSeconds = 2;
  });
  let app = await startApp(world.app.port);
  const loaded = await loadAgentConfig(world.configFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  let acceptedMs = 0;
  const disk = {
    write: async (path: string, text: string) => {
      await realDisk.write(path, text);
      acceptedMs = performance.now();
    },
  };
  const agent = await startAgent(loaded.value, { disk });
  await untilPrepend(world, LAST_RESORT);
  return {
    world,
    agent,
    acceptedMs: () => acceptedMs,
    signal: (name) => void app.kill(name),
    restart: async () => {
      app = await startApp(world.app.port);
    },
    stop: async () => {
      void agent.stop();
      await agent.stop();
      app.kill('SIGKILL');
      await world.stop();
    },
  };
}

/** Figures of the reflex: application killed and hung at interval 1 s and timeout 0.8 s; order to the peer's RIB. */
export async function benchReflex(): Promise<readonly BenchResult[]> {
  const rig = await startRig();
  try {
    const orders = await benchOrders(rig);
    const crashes = await benchCrashes(rig);
    const hangs = await Promise.all(Array.from({ length: HANG_AGENTS }, (_, i) => benchHangs(i / HANG_AGENTS)));
    return [
      ...summarise('application killed -> off the path at the peer', crashes.tookMs, 'ms'),
      ...summarise('client outage, application killed', crashes.outageMs, 'ms'),
      ...summarise('application hangs -> off the path at the peer', hangs.flat(), 'ms'),
      ...summarise('order or command -> at the peer', orders.accepted, 'ms'),
      ...summarise('order sent over TLS -> at the peer', orders.sent, 'ms'),
    ];
  } finally {
    await rig.stop();
  }
}

async function benchCrashes(rig: Rig): Promise<{ tookMs: number[]; outageMs: number[] }> {
  const crashes = { tookMs: [] as number[], outageMs: [] as number[] };
  const { world } = rig;
  const isOnPath = () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === ORDERED);
  for (let i = 0; i < CRASHES; i += 1) {
    await pause(SETTLE_MS);
    const outageMs = await measureOutage(world.app.port, isOnPath, async () => {
      crashes.tookMs.push(await measure(world, () => rig.signal('SIGKILL'), LAST_RESORT));
    });
    crashes.outageMs.push(outageMs);
    await rig.restart();
    await untilPrepend(world, ORDERED);
  }
  return crashes;
}

/** The moments of the hangs are spread over the interval of the probes; `phase` is this agent's share of the grid. */
async function benchHangs(phase: number): Promise<number[]> {
  const rig = await startRig();
  try {
    await put(rig.agent.port, await rig.world.order({ generation: 1 }, { rung: 4, prepend: ORDERED }), new Agent());
    await untilPrepend(rig.world, ORDERED);
    const hangs: number[] = [];
    for (let i = 0; i < HANGS_EACH; i += 1) {
      await pause(SETTLE_MS + (1000 * (i + phase)) / HANGS_EACH);
      hangs.push(await measure(rig.world, () => rig.signal('SIGSTOP'), LAST_RESORT));
      rig.signal('SIGCONT');
      await untilPrepend(rig.world, ORDERED);
    }
    return hangs;
  } finally {
    await rig.stop();
  }
}

interface OrderTimes {
  /** From acceptance, and from the moment the seat sends it: TLS, signature, disk. */
  readonly accepted: readonly number[];
  readonly sent: readonly number[];
}

/** Orders over one kept connection, as a seat sends them; ends at rung 4. The first ones pay for everybody's warm-up. */
async function benchOrders({ world, agent, acceptedMs }: Rig): Promise<OrderTimes> {
  const accepted: number[] = [];
  const sent: number[] = [];
  const wires = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let generation = 1; generation <= ORDERS; generation += 1) {
    const rung = generation % 2 === 0 ? 4 : 3;
    const jws = await world.order({ generation }, { rung, prepend: rung * 3 });
    const tookMs = await measure(world, () => put(agent.port, jws, wires), rung * 3);
    if (generation <= WARM_UP) continue;
    sent.push(tookMs);
    accepted.push(newestMs(world) - acceptedMs());
  }
  wires.destroy();
  return { accepted, sent };
}

function put(port: number, jws: string, wires: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { host: '127.0.0.1', port, method: 'PUT', path: '/v1/order', rejectUnauthorized: false, agent: wires },
      (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}`)),
        );
      },
    );
    asking.on('error', reject);
    asking.end(jws);
  });
}
