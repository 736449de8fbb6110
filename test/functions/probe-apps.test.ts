// Seats that ask applications: what they ask, in which turn, within which bounds, and what they make of the answers.
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { decideAndCommit } from '../../functions/activities/decide-and-commit.ts';
import { appsWanted, refreshApps } from '../../functions/activities/probe-apps.ts';
import { readLearned } from '../../functions/activities/read-learned.ts';
import { appProbe } from '../../functions/adapters/app-probe.ts';
import { APPS_AT_ONCE, APPS_MAX, APPS_TIME_MS } from '../../functions/limits.ts';
import type { AppProbe } from '../../functions/ports.ts';
import { readStatus } from '../../functions/triggers/reading.ts';
import { parseTopology, seatProbeOf } from '../../shared/topology.ts';
import { type ProbeConfig, probeSchema } from '../../shared/topology-schema.ts';
import { createTestPlane, GROUP, START_MS, testTopology } from '../support/plane.ts';
import { contoso } from '../support/topology.ts';

/** Contoso whose seats ask the application of `orders` in both regions. */
// biome-ignore lint/suspicious/noExplicitAny: tests bend the object on purpose.
const fromSeats = (draft: any): void => {
  const vip = draft.vips.find((one: { name: string }) => one.name === 'orders');
  vip.health = { ...vip.health, fromSeats: true, probe: { type: 'http', url: 'http://{app}/healthz' } };
  for (const region of draft.regions) region.apps = { ...region.apps, orders: `${region.name}.test:8080` };
};
const topology = testTopology(fromSeats);

const answering = (answer: (url: string) => 'healthy' | 'unhealthy' | 'unknown') => {
  const asked: string[] = [];
  let atOnce = 0;
  let atOnceMax = 0;
  const source: AppProbe = {
    async ask(probe) {
      const url = 'url' in probe ? probe.url : '';
      asked.push(url);
      atOnce += 1;
      atOnceMax = Math.max(atOnceMax, atOnce);
      await Promise.resolve();
      atOnce -= 1;
      return { verdict: answer(url), detail: 'as told' };
    },
  };
  return { source, asked, atOnceMax: () => atOnceMax };
};

describe('anycast.yaml', () => {
  test('seats ask only where it says so', () => {
    const [vip] = topology.vips.filter((one) => one.name === 'orders');
    const [region] = topology.regions;
    if (vip === undefined || region === undefined) throw new Error('not contoso');
    expect(seatProbeOf(vip, region)).toMatchObject({ url: 'http://westeurope.test:8080/healthz' });
    expect(seatProbeOf({ ...vip, health: { ...vip.health, fromSeats: false } }, region)).toBeUndefined();
    expect(testTopology().vips.every((one) => one.health.fromSeats === false)).toBe(true);
  });

  test('a probe that does not name each region its own application is refused', () => {
    const draft = contoso();
    draft.vips[0].health = { ...draft.vips[0].health, fromSeats: true, probe: { type: 'tcp', target: '10.0.0.1:80' } };
    delete draft.vips[0].health.probes;
    const parsed = parseTopology(JSON.stringify(draft));
    expect(parsed.ok ? [] : parsed.error.map(({ path, code }) => [path, code])).toContainEqual([
      'vips[0].health.fromSeats',
      'from-seats-without-app',
    ]);
  });
});

describe('one look', () => {
  test('asks both regions, keeps what they answered for all seats, and status and explain show it', async () => {
    const world = createTestPlane({ topology });
    const { source, asked } = answering((url) => (url.includes('north') ? 'unhealthy' : 'healthy'));
    Object.assign(world.plane, { apps: source });
    await world.report();
    expect(await readLearned(world.plane)({ group: GROUP })).toMatchObject({ ok: true, failed: 0 });
    expect(asked).toEqual(['http://westeurope.test:8080/healthz', 'http://northeurope.test:8080/healthz']);
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    const status = await readStatus(world.plane);
    const regions = status.vips.find((vip) => vip.vip === 'orders')?.regions ?? [];
    const seat = world.plane.deployment.seat.name;
    const told = regions.map(({ region, verdict, sources }) => [
      region,
      verdict,
      sources?.find((one) => one.source === `application from ${seat}`)?.says,
    ]);
    expect(told).toEqual([
      ['westeurope', 'healthy', 'healthy'],
      ['northeurope', 'degraded', 'unhealthy'],
    ]);
  });

  test('nobody is asked where no seat can ask', async () => {
    const world = createTestPlane({ topology });
    expect(await refreshApps(world.plane, GROUP, {})).toEqual({ read: 0, failed: 0 });
    expect((await world.plane.proofs.read(GROUP)).apps).toEqual({});
  });

  test('is bounded in number and time, and those that waited longest come first', async () => {
    const many = testTopology((draft) => {
      fromSeats(draft);
      const [vip] = draft.vips;
      draft.vips = Array.from({ length: 300 }, (_, i) => ({
        ...vip,
        name: `v-${i}`,
        prefix: `198.18.${Math.floor(i / 250)}.${i % 250}/32`,
        health: { ...vip.health, fromSeats: true, probe: { type: 'http', url: 'http://{app}/healthz' } },
      }));
      draft.schedules = [];
      for (const region of draft.regions)
        region.apps = Object.fromEntries(draft.vips.map((one: { name: string }) => [one.name, 'app.test:80']));
    });
    const world = createTestPlane({ topology: many });
    const config = world.plane.deployment.configOf(GROUP);
    const seat = world.plane.deployment.seat.name;
    expect(appsWanted(config, {})).toHaveLength(APPS_MAX);
    const slow = answering(() => 'healthy');
    Object.assign(world.plane, { apps: slow.source });
    expect(await refreshApps(world.plane, GROUP, {})).toEqual({ read: APPS_MAX, failed: 0 });
    expect(slow.atOnceMax()).toBeLessThanOrEqual(APPS_AT_ONCE);
    const { apps } = await world.plane.proofs.read(GROUP);
    const next = appsWanted(config, apps?.[seat] ?? {});
    // The two hundred that were left out are first now.
    expect(next.slice(0, 200).every(({ vip, region }) => apps?.[seat]?.[vip]?.[region] === undefined)).toBe(true);
    const hanging: AppProbe = {
      async ask() {
        world.nowMs += 1000;
        return { verdict: 'unknown', detail: 'no answer' };
      },
    };
    Object.assign(world.plane, { apps: hanging });
    world.nowMs = START_MS + 60_000;
    const looked = await refreshApps(world.plane, GROUP, apps);
    expect(looked.read).toBeLessThanOrEqual(APPS_TIME_MS / 1000 + APPS_AT_ONCE);
  });
});

describe('the adapter', () => {
  let web: Server;
  let quiet: TcpServer;
  const open: { destroy(): unknown }[] = [];
  const portOf = (server: Server | TcpServer) => (server.address() as AddressInfo).port;
  beforeAll(async () => {
    web = createServer((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
      else if (request.url === '/bad') response.writeHead(503).end('down');
      else response.end(`hello ${request.headers['x-who'] ?? 'nobody'}`);
    });
    quiet = createTcpServer((socket) => void open.push(socket));
    for (const server of [web, quiet]) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  });
  afterAll(() => {
    for (const socket of open) socket.destroy();
    web.close();
    quiet.close();
  });

  const http = (path: string, given: object = {}): ProbeConfig =>
    probeSchema.parse({ type: 'http', url: `http://127.0.0.1:${portOf(web)}${path}`, ...given });
  const ask = async (probe: ProbeConfig, timeoutMs = 30_000) => (await appProbe.ask(probe, timeoutMs)).verdict;

  test('an answer as expected is healthy, any other unhealthy', async () => {
    expect(await ask(http('/'))).toBe('healthy');
    expect(await ask(http('/bad'))).toBe('unhealthy');
    expect(await ask(http('/bad', { expectStatus: [503] }))).toBe('healthy');
    expect(await ask(http('/moved'))).toBe('unhealthy');
    expect(await ask(http('/', { expectBody: 'hello hq', headers: { 'x-who': 'hq' } }))).toBe('healthy');
    expect(await ask(http('/', { expectBody: 'hello hq' }))).toBe('unhealthy');
    expect(await ask({ type: 'tcp', target: `127.0.0.1:${portOf(quiet)}` })).toBe('healthy');
  });

  test('no answer is unknown: refused, silent, not TLS, not a name, not for seats', async () => {
    const closed = createTcpServer();
    await new Promise<void>((done) => closed.listen(0, '127.0.0.1', done));
    const port = portOf(closed);
    await new Promise((done) => closed.close(done));
    expect(await ask({ type: 'tcp', target: `127.0.0.1:${port}` })).toBe('unknown');
    expect(await ask(probeSchema.parse({ type: 'http', url: `http://127.0.0.1:${port}/` }))).toBe('unknown');
    const silent = probeSchema.parse({ type: 'http', url: `http://127.0.0.1:${portOf(quiet)}/` });
    expect(await appProbe.ask(silent, 50)).toEqual({ verdict: 'unknown', detail: 'no answer within 50 ms' });
    expect(await ask(probeSchema.parse({ type: 'https', url: `https://127.0.0.1:${portOf(web)}/` }))).toBe('unknown');
    expect(await ask({ type: 'exec', argv: ['true'] })).toBe('unknown');
  });
});
