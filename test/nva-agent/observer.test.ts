// An observer on loopback, end to end.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadAgentConfig } from '../../nva-agent/control/config.ts';
import { type RunningObserver, startObserver } from '../../nva-agent/observer.ts';
import { type ObserverReport, observerReportSchema } from '../../shared/report.ts';
import { type AgentWorld, ask, createAgentWorld, until } from './agent-world.ts';

let world: AgentWorld;
let observer: RunningObserver;

beforeEach(async () => {
  world = await createAgentWorld();
  world.write(
    (topology) => {
      topology.vips[0].observe = { url: `http://127.0.0.1:${world.app.port}/` };
    },
    (agent) => {
      agent.mode = 'observer';
      agent.nva = 'hq';
    },
  );
  const loaded = await loadAgentConfig(world.configFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  observer = await startObserver(loaded.value);
});

afterEach(async () => {
  await observer.stop();
  await world.stop();
});

const reports = () => world.seat.reports.map(({ report }) => report as unknown as ObserverReport);

describe('an observer', () => {
  test('sees which region answers, reports it at once and every period, and sees an outage begin and end', async () => {
    await until('answered', () => reports().some((report) => report.vips[0]?.answeredBy === 'westeurope'));
    expect(world.seat.reports[0]?.path).toBe('/api/agents/hq/reports');
    await world.app.crash();
    await until('the outage is told', () =>
      reports().some((report) => report.transition && (report.vips[0]?.failures ?? 0) > 0),
    );
    await world.app.start();
    const told = reports().length;
    await until('the return is told', () =>
      reports()
        .slice(told)
        .some((report) => (report.vips[0]?.outageMs ?? 0) > 0 && report.vips[0]?.answeredBy === 'westeurope'),
    );
    expect(reports().at(-1)?.vips[0]?.loss?.share).toBeGreaterThan(0);
    expect((await ask(observer.port, 'GET', '/v1/status')).json.vips[0].loss.looks).toBeGreaterThan(0);
    const metrics = (await ask(observer.port, 'GET', '/metrics')).text;
    expect(metrics).toMatch(/anycast_agent_observed_loss_ratio\{vip="orders"\} 0\.\d+/);
    for (const report of reports()) expect(observerReportSchema.safeParse(report).error).toBeUndefined();
  });

  test('samples throughput where it is told to, in reports, status and metrics, and drops a figure that is over', async () => {
    let size = 256 * 1024;
    const big = createServer((_request, response) => response.end(Buffer.alloc(size)));
    await new Promise<void>((resolve) => big.listen(0, '127.0.0.1', resolve));
    const { port } = big.address() as AddressInfo;
    try {
      const sampling = (everySeconds: number) => {
        world.write(
          (topology) => {
            const throughput = { url: `http://127.0.0.1:${port}/`, everySeconds };
            topology.vips[0].observe = { url: `http://127.0.0.1:${world.app.port}/`, throughput };
          },
          (agent) => Object.assign(agent, { mode: 'observer', nva: 'hq' }),
        );
        return loadAgentConfig(world.configFile);
      };
      const loaded = await sampling(60);
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
      await observer.reload(loaded.value);
      await until('a sample', () => reports().at(-1)?.vips[0]?.throughput !== undefined, 60_000);
      const told = reports().at(-1)?.vips[0]?.throughput;
      expect(told?.bytes).toBeGreaterThan(128 * 1024);
      expect(told?.bytesPerSecond).toBeGreaterThan(0);
      expect((await ask(observer.port, 'GET', '/v1/status')).json.vips[0].throughput).toEqual(told);
      const metric = /anycast_agent_observed_throughput_bytes_per_second\{vip="orders"\} \d+/;
      expect((await ask(observer.port, 'GET', '/metrics')).text).toMatch(metric);
      for (const report of reports()) expect(observerReportSchema.safeParse(report).error).toBeUndefined();
      size = 10;
      const again = await sampling(61);
      if (!again.ok) throw new Error(JSON.stringify(again.error));
      await observer.reload(again.value);
      await until('the figure to go', () => reports().at(-1)?.vips[0]?.throughput === undefined, 60_000);
      expect((await ask(observer.port, 'GET', '/metrics')).text).not.toMatch(metric);
    } finally {
      big.closeAllConnections();
      big.close();
    }
  }, 150_000);

  test('takes no order', async () => {
    expect((await ask(observer.port, 'PUT', '/v1/order', await world.order())).json.code).toBe('misaddressed');
    expect((await ask(observer.port, 'GET', '/v1/status')).json).toMatchObject({ mode: 'observer', observer: 'hq' });
  });
});
