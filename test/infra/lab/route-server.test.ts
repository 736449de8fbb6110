// The Route Server model over real sessions on loopback.
import { afterEach, describe, expect, test } from '@jest/globals';
import { type RouteServer, startRouteServer } from '../../../infra/lab/route-server.ts';
import { createSession, type Session } from '../../../nva-agent/bgp/session.ts';

const open: { session?: Session; server?: RouteServer } = {};

afterEach(async () => {
  await open.session?.stop();
  await open.server?.close();
});

async function connected(options: { routeLimit?: number; routeChangeMs?: number; holdSeconds?: number } = {}) {
  let changes = 0;
  const server = await startRouteServer({
    instance: 'westeurope/0',
    routerId: '10.255.0.4',
    peers: [{ nva: 'we-nva-1', asn: 65001, address: '127.0.0.1' }],
    routeLimit: options.routeLimit ?? 4000,
    routeChangeMs: options.routeChangeMs ?? 0,
    onChange: () => {
      changes += 1;
    },
  });
  open.server = server;
  const session = createSession({
    peerAddress: '127.0.0.1',
    peerPort: server.port,
    peerAsn: 65515,
    localAsn: 65001,
    routerId: '10.1.1.4',
    holdSeconds: options.holdSeconds ?? 30,
    connectRetryMs: 100,
    idleHoldBaseMs: 20,
    idleHoldMaxMs: 50,
    onEvent: () => undefined,
  });
  open.session = session;
  await until(() => server.sessions()[0]?.state === 'Established');
  return { server, session, changes: () => changes };
}

/** Resolves when the condition holds; rejects after five seconds. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const route = (prefix: string, ...prepends: number[]) => ({
  prefix,
  asPath: [65001, ...prepends],
  nextHop: '10.1.1.4',
});

describe('Route Server', () => {
  test('offers 180 s and takes the lower hold time of its peer', async () => {
    const { server } = await connected({ holdSeconds: 30 });
    expect(server.sessions()[0]).toMatchObject({ nva: 'we-nva-1', state: 'Established', holdSeconds: 30 });
  });
  test('keeps its own 180 s with a peer that offers more', async () => {
    const { server } = await connected({ holdSeconds: 240 });
    expect(server.sessions()[0]?.holdSeconds).toBe(180);
  });
  test('learns, replaces and loses routes with the session', async () => {
    const { server, session, changes } = await connected();
    session.set([route('192.0.2.10/32', 64500, 64500)]);
    await until(() => server.routes()[0]?.asPath.length === 3);
    session.set([route('192.0.2.10/32')]);
    await until(() => server.routes()[0]?.asPath.length === 1);
    expect(changes()).toBeGreaterThan(1);
    await session.stop();
    await until(() => server.routes().length === 0);
  });
  test('ends the session of a peer that sends too many routes', async () => {
    const { server, session } = await connected({ routeLimit: 10 });
    session.set(Array.from({ length: 11 }, (_, i) => route(`198.51.100.${i}/32`)));
    await until(() => server.sessions()[0]?.lastError !== null && server.sessions()[0]?.state !== 'Established');
    expect(server.routes()).toEqual([]);
  });
  test('ends and refuses a session for maintenance, then takes it back', async () => {
    const { server, session } = await connected();
    session.set([route('192.0.2.10/32')]);
    await until(() => server.routes().length === 1);
    await server.endSession('we-nva-1');
    expect(server.routes()).toEqual([]);
    expect(server.sessions()[0]?.state).not.toBe('Established');
    server.resumeSession('we-nva-1');
    await until(() => server.routes().length === 1);
  });
  test('asks for the routes again', async () => {
    const { server, session } = await connected();
    session.set([route('192.0.2.10/32')]);
    await until(() => server.routes().length === 1);
    const before = server.sessions()[0]?.updatesIn ?? 0;
    server.requestRefresh();
    await until(() => (server.sessions()[0]?.updatesIn ?? 0) > before);
  });
  test('applies a second change only when the window has closed', async () => {
    const { server, session } = await connected({ routeChangeMs: 300 });
    session.set([route('192.0.2.10/32', 64500)]);
    await until(() => server.routes().length === 1);
    const firstAtMs = server.routes()[0]?.sinceMs ?? 0;
    session.set([route('192.0.2.10/32')]);
    await until(() => server.routes()[0]?.asPath.length === 1);
    expect(Date.now() - firstAtMs).toBeGreaterThanOrEqual(299);
  });
});
