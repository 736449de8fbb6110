// What befalls an agent over the years: systemd, clocks that jump, disks that fill or freeze, reloads that do not fit.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { type AgentPorts, type RunningAgent, startAgent } from '../../nva-agent/runtime.ts';
import { describeWith } from '../support/needs.ts';
import { type AgentWorld, ask, createAgentWorld, until } from './agent-world.ts';
import { LAST_RESORT, VIP_PREFIX } from './order-draft.ts';

jest.setTimeout(40_000);

let world: AgentWorld;
let agents: RunningAgent[];

beforeEach(async () => {
  agents = [];
  world = await createAgentWorld();
});

afterEach(async () => {
  for (const agent of agents) {
    void agent.stop();
    await agent.stop();
  }
  await world.stop();
});

async function load() {
  const loaded = await loadAgentConfig(world.configFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

async function start(ports: AgentPorts = {}): Promise<RunningAgent> {
  const agent = await startAgent(await load(), ports);
  agents.push(agent);
  return agent;
}

const untilPrepend = (prepend: number | undefined) =>
  until(`prepend ${prepend}`, () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === prepend), 20_000);

const put = async (agent: RunningAgent, generation: number, rung = 4) =>
  await ask(agent.port, 'PUT', '/v1/order', await world.order({ generation }, { rung, prepend: rung * 3 }));

describe('systemd', () => {
  test('hears when the agent is ready, that it lives as often as the unit asks, and that it stops', async () => {
    const bin = join(world.folder, 'bin');
    const heard = join(world.folder, 'heard');
    mkdirSync(bin);
    writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$@" >> ${heard}\n`);
    chmodSync(join(bin, 'systemd-notify'), 0o755);
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      NOTIFY_SOCKET: join(world.folder, 'notify'),
      WATCHDOG_USEC: '150000',
    };
    const node = join(process.cwd(), 'node_modules/.bin/node');
    const argv = ['--disable-warning=ExperimentalWarning', 'nva-agent/main.ts', 'run', '-c', world.configFile];
    const agent = spawn(node, argv, { env, stdio: 'ignore' });
    const lines = () => (existsSync(heard) ? readFileSync(heard, 'utf8').trim().split('\n') : []);
    await until('three signs of life', () => lines().filter((line) => line === 'WATCHDOG=1').length >= 3, 30_000);
    expect(lines()).toContain('READY=1');
    agent.kill('SIGSTOP');
    const frozenAt = lines().length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    // At most one program was under way when the agent froze: a hung agent is found out.
    expect(lines().length).toBeLessThanOrEqual(frozenAt + 1);
    agent.kill('SIGCONT');
    const exited = once(agent, 'exit');
    agent.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    await until('the stop is told', () => lines().includes('STOPPING=1'));
  });
});

describe('the wall clock jumps', () => {
  test('an hour ahead and an hour back: windows, sessions and routes do not notice; only orders are dated by it', async () => {
    let offsetMs = 0;
    const startMs = Date.now() - performance.now();
    const clock = { nowMs: () => startMs + performance.now(), wallMs: () => Date.now() + offsetMs };
    const agent = await start({ clock });
    await untilPrepend(LAST_RESORT);
    expect((await put(agent, 1)).status).toBe(200);
    await untilPrepend(12);
    const session = agent.status().sessions[0]?.sinceMs;
    offsetMs = 3_600_000;
    expect((await put(agent, 2, 3)).status).toBe(410);
    expect((await put(agent, 2, 3)).text).toContain('past notAfterMs');
    offsetMs = -3_600_000;
    await world.app.crash();
    await untilPrepend(LAST_RESORT);
    await world.app.start();
    await untilPrepend(12);
    expect((await put(agent, 2, 3)).status).toBe(200);
    await untilPrepend(9);
    expect((await put(agent, 1)).status).toBe(409);
    expect(agent.status().sessions[0]?.sinceMs).toBe(session);
  });
});

describe('Route Server', () => {
  test('one instance away is degraded, not failed; the other keeps every route, and both agree again after', async () => {
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    expect(agent.status().bgp).toEqual({ state: 'up', differing: [] });
    await world.peers[1].stop();
    await until('one session is down', () => agent.status().bgp.state === 'degraded');
    expect(world.peers[0].prepend(VIP_PREFIX)).toBe(LAST_RESORT);
    expect(agent.status().vips[0]).toMatchObject({
      local: { verdict: 'healthy' },
      announced: { prepend: LAST_RESORT },
    });
    expect((await ask(agent.port, 'GET', '/healthz')).status).toBe(200);
    expect((await put(agent, 1)).status).toBe(200);
    await until('the other follows', () => world.peers[0].prepend(VIP_PREFIX) === 12);
    await world.peers[1].start(65001, '10.1.0.5');
    await until(
      'both agree',
      () => agent.status().bgp.state === 'up' && agent.status().bgp.differing.length === 0,
      20_000,
    );
    expect((await ask(agent.port, 'GET', '/metrics')).text).toContain('anycast_agent_peers_differ 0');
  });

  test('a withdrawal within the window goes out at once, and once more on the wire when the window closes', async () => {
    world.write((topology) => {
      topology.timing.routeChangeSeconds = 3;
    });
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    const jws = await world.order({ generation: 1 }, { state: 'withheld' });
    expect((await ask(agent.port, 'PUT', '/v1/order', jws)).status).toBe(200);
    const withdrawals = (peer: (typeof world.peers)[number]) =>
      peer.updates.filter(({ update }) => update.withdrawn.includes(VIP_PREFIX)).map(({ atMs }) => atMs);
    await until('twice at both', () => world.peers.every((peer) => withdrawals(peer).length === 2));
    for (const peer of world.peers) {
      const [first = 0, second = 0] = withdrawals(peer);
      expect(second).toBeGreaterThan(first);
      expect(peer.prepend(VIP_PREFIX)).toBeUndefined();
    }
  });
});

describe('a reload that does not fit', () => {
  test('a key that is not of the certificate is refused as a whole; the old one goes on serving', async () => {
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    const other = join(world.folder, 'other.pem');
    execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', other]);
    world.write(
      (topology) => {
        topology.vips[0].health.intervalMs = 500;
      },
      (file) => {
        file.tls.key = other;
      },
    );
    await expect(agent.reload(await load())).rejects.toThrow(/key/i);
    expect((await put(agent, 1)).status).toBe(200);
    await untilPrepend(12);
  });

  test('another ASN of this NVA is named as needing a restart and changes nothing', async () => {
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    world.write((topology) => {
      topology.regions[0].nvas[0].asn = 65009;
    });
    expect((await agent.reload(await load())).map(({ path }) => path)).toEqual(['topology:nva']);
    expect((await put(agent, 1)).status).toBe(200);
    await untilPrepend(12);
  });
});

describeWith({ programs: ['mount', 'umount'], root: true }, 'a disk', () => {
  let state: string;

  beforeEach(() => {
    state = join(world.folder, 'state');
    mkdirSync(state, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', state]);
  });

  afterEach(async () => {
    for (const agent of agents) {
      void agent.stop();
      await agent.stop();
    }
    execFileSync('umount', ['--lazy', state]);
  });

  /** Whatever room is left is taken. */
  function fill(): void {
    try {
      for (let i = 0; i < 100; i += 1) writeFileSync(join(state, `filler-${i}`), Buffer.alloc(4096));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }

  test('that is full: the order is refused with the reason, the old one stays and survives a restart', async () => {
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    expect((await put(agent, 1)).status).toBe(200);
    await untilPrepend(12);
    fill();
    const refused = await put(agent, 2, 3);
    expect([refused.status, refused.json.detail]).toEqual([503, expect.stringContaining('ENOSPC')]);
    expect(agent.status()).toMatchObject({
      orders: { default: { generation: 1 } },
      counters: { orders: { 'not-persisted': 1 } },
    });
    expect(world.peers.map((peer) => peer.prepend(VIP_PREFIX))).toEqual([12, 12]);
    await agent.stop();
    await start();
    await untilPrepend(12);
    for (let i = 0; i < 100; i += 1) rmSync(join(state, `filler-${i}`), { force: true });
    expect((await put(agents.at(-1) as RunningAgent, 2, 3)).status).toBe(200);
    await untilPrepend(9);
  });

  test('that became read-only: orders are refused with the reason, and a restart goes on with the old one', async () => {
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    expect((await put(agent, 1)).status).toBe(200);
    await untilPrepend(12);
    execFileSync('mount', ['-o', 'remount,ro', state]);
    const refused = await put(agent, 2, 3);
    expect([refused.status, refused.json.detail]).toEqual([503, expect.stringContaining('EROFS')]);
    await agent.stop();
    const next = await start();
    await untilPrepend(12);
    expect((await put(next, 2, 3)).status).toBe(503);
  });
});
