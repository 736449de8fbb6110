// The lab's HTTP API: what it answers, and the problem document for everything else.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createResources } from '../../../infra/lab/azure/resources.ts';
import { type ControlApi, startControlApi } from '../../../infra/lab/control-api.ts';
import type { ActiveFault, Fault } from '../../../infra/lab/faults.ts';
import type { World } from '../../../infra/lab/world.ts';
import { ok } from '../../../shared/result.ts';
import { parseTopology } from '../../../shared/topology.ts';

const loaded = parseTopology(readFileSync('infra/lab/lab.yaml', 'utf8'));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
const { topology } = loaded.value;

let api: ControlApi;
let begun: Fault[];
const resources = createResources({ topology, peersOf: () => [] });

beforeEach(async () => {
  api = await startControlApi(0);
  begun = [];
});
afterEach(() => api.close());

function serve(): void {
  api.serve({
    topology,
    world: () => ({ deployment: 'lab' }) as World,
    token: async () => 'the-token',
    pageOrigins: ['http://127.0.0.1:7071'],
    resources: () => resources,
    doctor: () => ({ file: 'anycast.yaml' }),
    runbook: () => ({ ANYCAST_SEATS: 'http://127.0.0.1:1' }),
    faults: {
      active: () => begun as ActiveFault[],
      begin: async (fault) => {
        begun.push(fault);
        return ok({ ...fault, id: 'f-1', sinceMs: 0, untilMs: null });
      },
      end: async () => undefined,
      endAll: async () => begun.splice(0) as ActiveFault[],
      close: () => undefined,
    },
  });
}

async function ask(method: string, path: string, body?: string) {
  const response = await fetch(`http://127.0.0.1:${api.port}${path}`, {
    method,
    ...(body === undefined ? {} : { body }),
  });
  const json = (await response.json()) as Record<string, unknown>;
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    allow: response.headers.get('allow'),
    json,
  };
}

describe('the lab API', () => {
  test('says that it is starting before it can answer', async () => {
    expect(await ask('GET', '/world')).toMatchObject({ status: 503, json: { code: 'starting' } });
  });
  test('shows the world, the faults and a token', async () => {
    serve();
    expect(await ask('GET', '/world')).toMatchObject({ status: 200, json: { deployment: 'lab' } });
    expect(await ask('GET', '/faults')).toMatchObject({ status: 200, json: { faults: [] } });
    expect((await ask('GET', '/token')).json).toEqual({ access_token: 'the-token', token_type: 'Bearer' });
    expect((await ask('GET', '/')).json).toHaveProperty('GET /world');
  });
  test('makes a fault and ends it', async () => {
    serve();
    const made = await ask('POST', '/faults', '{"kind":"app-crash","region":"westeurope"}');
    expect(made).toMatchObject({ status: 201, json: { id: 'f-1', kind: 'app-crash' } });
    expect(begun).toHaveLength(1);
    expect(await ask('DELETE', '/faults')).toMatchObject({ status: 200, json: { ended: [{ kind: 'app-crash' }] } });
  });
  test.each([
    ['POST', '/faults', 'not json', 400, 'not-json'],
    ['POST', '/faults', '{"kind":"earthquake"}', 400, 'bad-fault'],
    ['POST', '/faults', `"${'x'.repeat(20_000)}"`, 413, 'too-large'],
    ['PUT', '/faults', '{}', 405, 'method'],
    ['GET', '/nowhere', undefined, 404, 'not-found'],
  ])('%s %s %.20s is answered %d %s', async (method, path, body, status, code) => {
    serve();
    expect(await ask(method, path, body)).toMatchObject({ status, type: 'application/problem+json', json: { code } });
  });
  test('does not start on a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    await expect(startControlApi(port)).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    await new Promise((resolve) => other.close(resolve));
  });

  test('the dashboard may use it from a browser, no other page may', async () => {
    serve();
    const from = (origin: string, method: string) =>
      fetch(`http://127.0.0.1:${api.port}/faults`, { method, headers: { origin } });
    const allowed = await from('http://127.0.0.1:7071', 'OPTIONS');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'http://127.0.0.1:7071',
    ]);
    expect(allowed.headers.get('access-control-allow-headers')).toBe('content-type');
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      const refused = await from('http://evil.example', method);
      expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    }
    expect(begun).toEqual([]);
  });
});
