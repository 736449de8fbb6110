import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { type AgentPorts, type RunningAgent, startAgent } from '../../nva-agent/runtime.ts';
import { type AgentWorld, ask, createAgentWorld, until } from './agent-world.ts';
import { LAST_RESORT, VIP_PREFIX } from './order-draft.ts';

let world: AgentWorld;
let agents: RunningAgent[];

async function start(ports: AgentPorts = {}): Promise<RunningAgent> {
  const loaded = await loadAgentConfig(world.configFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const agent = await startAgent(loaded.value, ports);
  agents.push(agent);
  return agent;
}

const untilPrepend = (prepend: number | undefined) =>
  until(`both peers hold prepend ${prepend}`, () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === prepend));

async function startOrdered(): Promise<RunningAgent> {
  const agent = await start();
  await untilPrepend(LAST_RESORT);
  expect((await ask(agent.port, 'PUT', '/v1/order', await world.order())).status).toBe(200);
  await untilPrepend(12);
  return agent;
}

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
});
