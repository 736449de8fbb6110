// An agent on loopback, end to end, with two peers, an application and a seat.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { type AgentPorts, type RunningAgent, startAgent } from '../../nva-agent/runtime.ts';
import { signOrder } from '../../shared/order-signature.ts';
import { reportSchema } from '../../shared/report.ts';
import { type AgentWorld, ask, askSocket, createAgentWorld, makeOrderKey, openTcp, until } from './agent-world.ts';
import { LAST_RESORT, makeOrder, VIP_PREFIX } from './order-draft.ts';

// Each waits for conditions with deadlines of their own; a loaded machine needs more than the default.
jest.setTimeout(30_000);

let world: AgentWorld;
let agents: RunningAgent[];

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
  until(`both peers hold prepend ${prepend}`, () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === prepend));

/** An agent that serves at rung 4. */
async function startOrdered(): Promise<RunningAgent> {
  const agent = await start();
  await untilPrepend(LAST_RESORT);
  expect((await ask(agent.port, 'PUT', '/v1/order', await world.order())).status).toBe(200);
  await untilPrepend(12);
  return agent;
}

const verdictOf = (agent: RunningAgent) => agent.status().vips[0]?.local.verdict;

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

describe('an agent on loopback', () => {
  test('several probes: falls when too few are well, says which, and a reload to one probe moves nothing', async () => {
    const side = await openTcp(() => {});
    world.write((topology) => {
      const { probe, ...rest } = topology.vips[0].health;
      topology.vips[0].health = { ...rest, probes: [probe, { type: 'tcp', target: `127.0.0.1:${side.port}` }] };
    });
    const agent = await startOrdered();
    expect(agent.status().vips[0]?.local.probes?.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['probe 1 (http)', 'healthy'],
      ['probe 2 (tcp)', 'healthy'],
    ]);
    await side.close();
    await untilPrepend(LAST_RESORT);
    expect(agent.status().vips[0]?.local).toMatchObject({
      verdict: 'unhealthy',
      detail: expect.stringContaining('1 of 2 probes up, 2 must be; probe 2 (tcp): connection refused'),
    });
    await until('a seat hears it', () => world.seat.reports.at(-1)?.report.vips[0]?.local.verdict === 'unhealthy');
    expect(reportSchema.safeParse(world.seat.reports.at(-1)?.report).error).toBeUndefined();
    world.write((topology) => {
      const { probe, ...rest } = topology.vips[0].health;
      topology.vips[0].health = { ...rest, probes: [probe, { type: 'tcp', target: '127.0.0.1:1' }], require: 'any' };
    });
    await agent.reload(await load());
    await untilPrepend(12);
    const updates = world.peers[0].updates.length;
    world.write();
    await agent.reload(await load());
    expect(agent.status().vips[0]?.local).toMatchObject({ verdict: 'healthy' });
    expect(world.peers[0].updates.length).toBe(updates);
  }, 20_000);

  test('announces its last resort by itself, then what an order says', async () => {
    const agent = await startOrdered();
    expect(agent.status()).toMatchObject({
      orders: { default: { epoch: 1, generation: 1 } },
      vips: [{ announced: { rung: 4, prepend: 12, lastResort: false } }],
    });
  });

  test('falls to last resort by ONE replacing UPDATE to both peers when its application dies, and returns', async () => {
    await startOrdered();
    const before = world.peers.map((peer) => peer.updates.length);
    await world.app.crash();
    await untilPrepend(LAST_RESORT);
    for (const [i, peer] of world.peers.entries()) {
      const fresh = peer.updates.slice(before[i]);
      expect(fresh.map(({ update }) => [update.withdrawn, update.announced])).toEqual([[[], [VIP_PREFIX]]]);
    }
    await world.app.start();
    await untilPrepend(12);
  });

  test.each(['hang', 'errors', 'alternate'] as const)(
    'an application that shows %s moves to last resort',
    async (mode) => {
      await startOrdered();
      world.app.mode = mode;
      await untilPrepend(LAST_RESORT);
    },
  );

  test('an application that never lived is never announced without an order', async () => {
    await world.app.crash();
    const agent = await start();
    await until('unhealthy', () => verdictOf(agent) === 'unhealthy');
    await until('sessions up', () => world.peers.every((peer) => peer.isEstablished));
    expect(world.peers.map((peer) => peer.prepend(VIP_PREFIX))).toEqual([undefined, undefined]);
  });

  test('one peer gone: the other keeps the route, and the lost one gets it again', async () => {
    const agent = await startOrdered();
    await world.peers[0].stop();
    await until(
      'one session left',
      () => agent.status().sessions.filter((s) => s.state === 'Established').length === 1,
    );
    expect(world.peers[1].prepend(VIP_PREFIX)).toBe(12);
    await world.peers[0].start(65001, '10.1.0.4');
    await untilPrepend(12);
  });

  test('says a change within the window once more when it closes', async () => {
    world.write((topology) => {
      topology.timing.routeChangeSeconds = 1;
      topology.vips[0].failback.afterSeconds = 600;
    });
    const agent = await start();
    await untilPrepend(LAST_RESORT);
    await ask(agent.port, 'PUT', '/v1/order', await world.order());
    await untilPrepend(12);
    const ours = () =>
      world.peers[0].updates.filter(
        ({ update }) => update.announced.includes(VIP_PREFIX) && update.asPath?.length === 13,
      );
    await until('said twice', () => ours().length === 2);
  });
});

describe('orders', () => {
  test('a refused order changes nothing, is counted and answered with its word', async () => {
    const agent = await startOrdered();
    const older = await ask(
      agent.port,
      'PUT',
      '/v1/order',
      await world.order({ generation: 0 }, { rung: 0, prepend: 0 }),
    );
    expect([older.status, older.json.code]).toEqual([409, 'older']);
    const forged = await ask(
      agent.port,
      'PUT',
      '/v1/order',
      `${(await world.order({ generation: 9 })).slice(0, -6)}AAAAAA`,
    );
    expect([forged.status, forged.json.code]).toEqual([401, 'bad-signature']);
    expect(world.peers.map((peer) => peer.prepend(VIP_PREFIX))).toEqual([12, 12]);
    const metrics = (await ask(agent.port, 'GET', '/metrics')).text;
    expect(metrics).toContain('anycast_agent_orders_total{outcome="older"} 1');
    expect(metrics).toContain('anycast_agent_orders_total{outcome="bad-signature"} 1');
    expect(metrics).toContain('anycast_agent_orders_total{outcome="accepted"} 1');
  });

  test('an order handed out in the answer to a report takes the same way', async () => {
    const agent = await startOrdered();
    world.seat.order = await world.order({ generation: 2 }, { rung: 3, prepend: 9 });
    await untilPrepend(9);
    expect(agent.status().orders.default).toMatchObject({ epoch: 1, generation: 2 });
  });

  test('survive a restart: last resort until healthy, then the ordered rung, without any seat', async () => {
    const first = await startOrdered();
    await first.stop();
    await untilPrepend(undefined);
    await world.seat.stop();
    await start();
    await untilPrepend(12);
    const seen = world.peers[0].updates.flatMap(({ update }) =>
      update.announced.length > 0 ? [update.asPath?.length] : [],
    );
    expect(new Set(seen)).toEqual(new Set([1 + LAST_RESORT, 13]));
  });

  test('a damaged order file is refused loudly and the agent goes on as without it', async () => {
    const first = await startOrdered();
    await first.stop();
    const file = join(world.folder, 'state', 'order-default.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -20));
    const lines: string[] = [];
    world.write(undefined, (agent) => {
      agent.log.level = 'info';
    });
    await start({ logSink: { write: (line) => lines.push(line) } });
    await untilPrepend(LAST_RESORT);
    expect(lines.some((line) => line.includes('persisted order refused'))).toBe(true);
  });

  test('a full disk refuses the order with 503 and keeps the route', async () => {
    const agent = await start({ disk: { write: () => Promise.reject(new Error('ENOSPC')) } });
    await untilPrepend(LAST_RESORT);
    const answer = await ask(agent.port, 'PUT', '/v1/order', await world.order());
    expect([answer.status, answer.json.code]).toEqual([503, 'not-persisted']);
    expect(world.peers.map((peer) => peer.prepend(VIP_PREFIX))).toEqual([LAST_RESORT, LAST_RESORT]);
  });
});

describe('reports', () => {
  test('follow the schema, carry sessions and routes, and a transition at once', async () => {
    await startOrdered();
    await until('the order is acknowledged', () => world.seat.reports.at(-1)?.report.order.generation === 1);
    const last = world.seat.reports.at(-1);
    expect(reportSchema.safeParse(last?.report).error).toBeUndefined();
    expect(last?.authorization).toMatch(/^Bearer token-\d+$/);
    expect(last?.report.sessions).toHaveLength(2);
    expect(last?.report.sessions[0]?.routes[0]).toMatchObject({
      prefix: VIP_PREFIX,
      asPath: [65001, ...Array(12).fill(64500)],
    });
    await world.app.crash();
    await until('reported', () =>
      world.seat.reports.some(
        ({ report }) =>
          report.transition &&
          report.vips[0]?.local.verdict === 'unhealthy' &&
          report.vips[0].announced?.lastResort === true,
      ),
    );
    const seqs = world.seat.reports.map(({ report }) => report.seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
  });
});

describe('the end', () => {
  test('last resort, withdrawal with sessions up, CEASE, a last report', async () => {
    const agent = await startOrdered();
    const from = world.peers[0].updates.length;
    await agent.stop();
    const words = world.peers[0].updates
      .slice(from)
      .map(({ update }) => (update.withdrawn.length > 0 ? 'withdrawn' : `×${(update.asPath?.length ?? 0) - 1}`));
    expect(words).toEqual([`×${LAST_RESORT}`, 'withdrawn']);
    await until('ceased', () =>
      world.peers.every((peer) =>
        peer.events.some((e) => e.type === 'notification' && e.code === 6 && e.subcode === 2),
      ),
    );
    const cease = world.peers[0].events.find((event) => event.type === 'notification');
    expect(cease).toMatchObject({ direction: 'in', text: 'anycast-agent is stopping' });
    expect(world.seat.reports.at(-1)?.report.stopping).toBe(true);
    await expect(ask(agent.port, 'GET', '/healthz')).rejects.toThrow();
  });

  test('a second stop does not wait', async () => {
    world.write(undefined, (agent) => {
      agent.stop = { lastResortSeconds: 60, withdrawSeconds: 60 };
    });
    const agent = await startOrdered();
    const stopping = agent.stop();
    await untilPrepend(LAST_RESORT);
    void agent.stop();
    await stopping;
  });

  test('a port that is taken leaves nothing running', async () => {
    const agent = await start();
    world.write(undefined, (file) => {
      file.listen = `127.0.0.1:${agent.port}`;
    });
    await expect(start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    // The BGP port comes after HTTPS: that one must be closed again.
    world.write(undefined, (file) => {
      file.bgp = { listen: `127.0.0.1:${agent.port}` };
    });
    await expect(start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('root', () => {
  const socket = () => join(world.folder, 'state', 'agent.sock');

  test('an override acts at once, shows in the status, survives a restart and ends', async () => {
    const agent = await startOrdered();
    const body = { vip: 'orders', action: 'withhold', reason: 'CHG0042', seconds: 600 };
    expect((await askSocket(socket(), 'PUT', '/v1/override', JSON.stringify(body))).status).toBe(200);
    await untilPrepend(undefined);
    await agent.stop();
    const again = await start();
    await until('healthy', () => verdictOf(again) === 'healthy');
    expect(again.status().overrides).toMatchObject([{ vip: 'orders', action: 'withhold', reason: 'CHG0042' }]);
    expect(world.peers[0].prepend(VIP_PREFIX)).toBeUndefined();
    await askSocket(socket(), 'PUT', '/v1/override', JSON.stringify({ vip: 'orders', action: 'end', reason: 'done' }));
    await untilPrepend(12);
  });
});

describe('reload', () => {
  test('applies what changed while the sessions stay up', async () => {
    const agent = await startOrdered();
    const states = world.peers.map((peer) => peer.events.filter((event) => event.type === 'state').length);
    world.write((topology) => {
      topology.vips[0].health.window = { fail: 1, of: 1, recover: 1 };
      topology.vips.push({ ...topology.vips[0], name: 'billing', prefix: '192.0.2.20/32' });
      for (const region of topology.regions) region.apps.billing = region.apps.orders;
    });
    expect(await agent.reload(await load())).toEqual([]);
    await ask(agent.port, 'PUT', '/v1/order', await world.order({ generation: 2, vips: [] }));
    await untilPrepend(undefined);
    expect(agent.status().vips.map((vip) => vip.vip)).toEqual(['orders', 'billing']);
    expect(world.peers.map((peer) => peer.events.filter((event) => event.type === 'state').length)).toEqual(states);
  });

  test('another order key takes effect: the old kid is refused, the new one accepted, and the routes stay', async () => {
    const agent = await startOrdered();
    const next = makeOrderKey('test-2');
    const put = async (order: Promise<string>) => (await ask(agent.port, 'PUT', '/v1/order', await order)).json;
    const signedAnew = () => signOrder(makeOrder({ generation: 2 }, { rung: 3, prepend: 9 }), next.signing);
    expect(await put(signedAnew())).toMatchObject({ code: 'unknown-key' });
    world.write((topology) => {
      topology.seats[0].orderKeys = [next.public];
    });
    expect(await agent.reload(await load())).toEqual([]);
    expect(await put(world.order({ generation: 2 }, { rung: 3, prepend: 9 }))).toMatchObject({ code: 'unknown-key' });
    expect(world.peers.every((peer) => peer.prepend(VIP_PREFIX) === 12)).toBe(true);
    expect(await put(signedAnew())).toMatchObject({ generation: 2 });
    await untilPrepend(9);
  });

  test('names what needs a restart and goes on without it', async () => {
    const agent = await startOrdered();
    world.write(
      (topology) => {
        topology.timing.holdSeconds = 90;
      },
      (file) => {
        file.listen = '127.0.0.1:1';
      },
    );
    const found = await agent.reload(await load());
    expect(found.map((finding) => finding.path)).toEqual(['listen', 'topology:timing.holdSeconds']);
    expect((await ask(agent.port, 'GET', '/healthz')).status).toBe(200);
  });
});

describe('metrics', () => {
  test('have the names others are written against', async () => {
    const agent = await startOrdered();
    const metrics = (await ask(agent.port, 'GET', '/metrics')).text;
    for (const line of [
      `anycast_agent_announced{vip="orders",prefix="${VIP_PREFIX}"} 1`,
      'anycast_agent_prepend{vip="orders"} 12',
      `anycast_agent_session_up{peer="127.0.0.1:${world.peers[0].port}"} 1`,
      'anycast_agent_probe_seconds_count{vip="orders"}',
      'anycast_agent_transitions_total{vip="orders",to="healthy"} 1',
      'anycast_agent_orders_total{outcome="expired"} 0',
      'anycast_agent_build_info{version="0.1.0",nva="we-nva-1"} 1',
      'anycast_agent_order_generation{group="default"} 1',
      'anycast_agent_flap_penalty{vip="orders"} 0',
      'anycast_agent_certificate_expiry_timestamp_seconds',
      'anycast_agent_last_report_timestamp_seconds{seat="seat-we"}',
    ]) {
      expect(metrics).toContain(line);
    }
    expect(existsSync(join(world.folder, 'state', 'order-default.json'))).toBe(true);
  });
});
