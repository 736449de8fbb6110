// The agent's HTTP: answers, limits, and callers that mean no good.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type AgentDoor,
  type AgentServer,
  openAgentServer,
  openLocalSocket,
} from '../../../nva-agent/control/http-server.ts';
import type { OrderAnswer } from '../../../nva-agent/control/order-desk.ts';
import { REQUESTS_BURST } from '../../../nva-agent/control/request-rate.ts';
import { ORDER_BYTES_MAX, ORDER_REFUSALS } from '../../../shared/order.ts';
import { ask, askSocket, makeCertificate, type TlsFixture } from '../agent-world.ts';

let folder: string;
let tls: TlsFixture;
let server: AgentServer;
let local: { close(): Promise<void> };
let bodies: string[];
let answer: () => OrderAnswer;

const ACCEPTED: OrderAnswer = { accepted: true, group: 'default', epoch: 1, generation: 2 };
const door: AgentDoor = {
  acceptOrder: async (jws) => {
    bodies.push(jws);
    return answer();
  },
  status: () => ({ nva: 'we-nva-1' }),
  metrics: async () => 'anycast_agent_announced 1\n',
  isAlive: () => true,
  override: async (body) => ({ status: 200, body }),
};
const socketPath = () => join(folder, 'agent.sock');

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anycast-http-'));
  tls = makeCertificate(folder);
  server = await openAgentServer({ address: '127.0.0.1', port: 0 }, tls, door);
  local = await openLocalSocket(socketPath(), door);
});
afterAll(async () => {
  await Promise.all([server.close(), local.close()]);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  bodies = [];
  answer = () => ACCEPTED;
});

/** The status of one order sent over this agent's connections. */
const statusOf = (port: number, agent: Agent): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const asking = httpsRequest({ host: '127.0.0.1', port, method: 'PUT', path: '/v1/order', agent }, (got) => {
      got.resume();
      got.on('end', () => resolve(got.statusCode));
    });
    asking.on('error', reject);
    asking.end('a.b.c');
  });

describe('over HTTPS', () => {
  test('an order is handed on as it came and its acknowledgement answered', async () => {
    const got = await ask(server.port, 'PUT', '/v1/order', 'a.b.c');
    expect([got.status, got.json, bodies]).toEqual([200, ACCEPTED, ['a.b.c']]);
  });

  test.each(ORDER_REFUSALS)('an order refused as %s is a problem document with that code', async (refusal) => {
    answer = () => ({ accepted: false, refusal, detail: 'because' });
    const got = await ask(server.port, 'PUT', '/v1/order', 'a.b.c');
    expect(got.type).toBe('application/problem+json');
    expect(got.json).toMatchObject({ code: refusal, status: got.status, detail: 'because' });
    expect(got.status).toBeGreaterThanOrEqual(400);
  });

  test('an order longer than the limit is refused by its length, unread', async () => {
    const got = await ask(server.port, 'PUT', '/v1/order', undefined, {
      'content-length': String(ORDER_BYTES_MAX + 1),
    });
    expect([got.status, got.json.code, bodies]).toEqual([413, 'too-large', []]);
  });

  test('an order longer than the limit that hides its length is refused too', async () => {
    const status = await new Promise<number | string>((resolve) => {
      const asking = httpsRequest(
        {
          host: '127.0.0.1',
          port: server.port,
          method: 'PUT',
          path: '/v1/order',
          rejectUnauthorized: false,
          agent: false,
        },
        (got) => resolve(got.statusCode ?? 0),
      );
      // The server may close before all is written: that is a refusal as well.
      asking.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
      for (let i = 0; i < 20; i += 1) asking.write('x'.repeat(64 * 1024));
      asking.end();
    });
    expect([413, 'EPIPE', 'ECONNRESET']).toContain(status);
    expect(bodies).toEqual([]);
  });

  test.each([
    ['GET', '/v1/status', 200, 'application/json'],
    ['HEAD', '/healthz', 200, 'text/plain'],
    ['GET', '/healthz?x=1', 200, 'text/plain'],
    ['GET', '/metrics', 200, 'text/plain; version=0.0.4; charset=utf-8'],
    ['GET', '/', 404, 'application/problem+json'],
    ['GET', '/constructor', 404, 'application/problem+json'],
    ['PUT', '/v1/override', 404, 'application/problem+json'],
    ['POST', '/v1/order', 405, 'application/problem+json'],
    ['DELETE', '/v1/status', 405, 'application/problem+json'],
  ])('%s %s answers %i', async (method, path, status, type) => {
    const got = await ask(server.port, method, path);
    expect([got.status, got.type]).toEqual([status, type]);
  });

  test('plain HTTP, garbage and a broken handshake harm nobody', async () => {
    for (const text of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\0', '']) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, '127.0.0.1', () => socket.end(text));
        socket.on('error', () => undefined).on('close', () => resolve());
        socket.resume();
      });
    }
    await new Promise<void>((resolve) => {
      const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }, () =>
        socket.end('not HTTP\r\n\r\n'),
      );
      socket.on('error', () => undefined).on('close', () => resolve());
      socket.resume();
    });
    expect((await ask(server.port, 'GET', '/healthz')).status).toBe(200);
  });

  test('an error inside is a problem document without its text', async () => {
    answer = () => {
      throw new Error('secret');
    };
    const got = await ask(server.port, 'PUT', '/v1/order', 'a.b.c');
    expect([got.status, got.json.code]).toEqual([500, 'internal']);
    expect(got.text).not.toContain('secret');
  });

  test('a caller without measure is told so, its order is not looked at, and the next second is as good as new', async () => {
    const own = await openAgentServer({ address: '127.0.0.1', port: 0 }, tls, door);
    try {
      const agent = new Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false });
      const asked = Array.from({ length: REQUESTS_BURST * 3 }, () => statusOf(own.port, agent));
      const statuses = await Promise.all(asked);
      agent.destroy();
      expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
      expect(bodies.length).toBe(statuses.filter((status) => status === 200).length);
      expect(bodies.length).toBeGreaterThanOrEqual(REQUESTS_BURST);
    } finally {
      await own.close();
    }
  });

  test('with an authority, a caller without a certificate of its is turned away', async () => {
    const strict = await openAgentServer({ address: '127.0.0.1', port: 0 }, { ...tls, ca: tls.cert }, door);
    await expect(ask(strict.port, 'GET', '/healthz')).rejects.toThrow();
    await strict.close();
  });

  test('a port that is taken rejects', async () => {
    await expect(openAgentServer({ address: '127.0.0.1', port: server.port }, tls, door)).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });

  test('new certificate files that do not fit are refused and the old ones stay', async () => {
    const other = mkdtempSync(join(tmpdir(), 'anycast-tls-'));
    const { key } = makeCertificate(other);
    expect(() => server.reloadTls({ cert: tls.cert, key })).toThrow();
    expect((await ask(server.port, 'GET', '/healthz')).status).toBe(200);
    rmSync(other, { recursive: true, force: true });
  });
});

describe('over the unix socket', () => {
  test('only the owner may open it', () => {
    expect(statSync(socketPath()).mode & 0o777).toBe(0o600);
  });

  test('overrides go in here, orders do not', async () => {
    expect(await askSocket(socketPath(), 'PUT', '/v1/override', '{"a":1}')).toMatchObject({
      status: 200,
      json: { a: 1 },
    });
    expect((await askSocket(socketPath(), 'PUT', '/v1/override', '{')).status).toBe(400);
    expect((await askSocket(socketPath(), 'PUT', '/v1/override', ' '.repeat(20_000))).status).toBe(413);
    expect((await askSocket(socketPath(), 'PUT', '/v1/order', 'a.b.c')).status).toBe(404);
    expect((await askSocket(socketPath(), 'GET', '/v1/status')).json).toEqual({ nva: 'we-nva-1' });
  });

  test('a socket left behind by a killed agent is replaced', async () => {
    const again = await openLocalSocket(socketPath(), door);
    expect((await askSocket(socketPath(), 'GET', '/healthz')).status).toBe(200);
    await again.close();
  });
});
