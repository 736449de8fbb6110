// How often one caller may ask: the bucket, its bound on memory, and the answer of the API.
import { HttpRequest } from '@azure/functions';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { answer, type Client } from '../../functions/http/call.ts';
import { type Buckets, CALLERS_MAX, RATES, takeCall } from '../../functions/http/rates.ts';
import { createRoutes } from '../../functions/triggers/routes.ts';
import { createTestPlane, reportOf, START_MS, type TestPlane } from '../support/plane.ts';

const KIND = 'Failover.Operate';
const { perSecond, burst } = RATES[KIND];

describe('the bucket', () => {
  const drain = (buckets: Buckets, atMs: number, caller = 'ops') => {
    let taken = 0;
    while (takeCall(buckets, KIND, caller, atMs) === undefined) taken += 1;
    return taken;
  };

  test('holds a burst, fills at its rate, and never above the burst', () => {
    const buckets: Buckets = new Map();
    expect(drain(buckets, 0)).toBe(burst);
    expect(drain(buckets, 1000)).toBe(perSecond);
    expect(drain(buckets, 3_600_000)).toBe(burst);
  });

  test('tells when to ask again, and asking earlier makes it no later', () => {
    const buckets: Buckets = new Map();
    drain(buckets, 0);
    for (let i = 0; i < 100; i += 1) expect(takeCall(buckets, KIND, 'ops', 0)).toBe(1);
    expect(takeCall(buckets, KIND, 'ops', 1000)).toBeUndefined();
  });

  test('one caller or kind does not use up that of another', () => {
    const buckets: Buckets = new Map();
    drain(buckets, 0);
    expect(takeCall(buckets, KIND, 'runbook', 0)).toBeUndefined();
    expect(takeCall(buckets, 'Failover.Read', 'ops', 0)).toBeUndefined();
  });

  test('a clock that goes back neither gives nor takes', () => {
    const buckets: Buckets = new Map();
    drain(buckets, 10_000);
    expect(takeCall(buckets, KIND, 'ops', 0)).toBe(1);
    expect(drain(buckets, 1000)).toBe(perSecond);
  });

  test('remembers a bounded number of callers, and forgets who was silent for longest', () => {
    const buckets: Buckets = new Map();
    drain(buckets, 0, 'first');
    for (let i = 0; i < CALLERS_MAX - 1; i += 1) takeCall(buckets, KIND, `c-${i}`, 0);
    expect(takeCall(buckets, KIND, 'first', 0)).toBe(1);
    for (let i = 0; i < CALLERS_MAX; i += 1) takeCall(buckets, KIND, `d-${i}`, 0);
    expect(buckets.size).toBe(CALLERS_MAX);
    expect(takeCall(buckets, KIND, 'first', 0)).toBeUndefined();
  });
});

describe('the API', () => {
  let world: TestPlane;
  let buckets: Buckets;
  beforeEach(() => {
    world = createTestPlane();
    buckets = new Map();
  });
  const client: Client = { startNew: async () => '', getStatus: async () => ({}) as never };
  const log = { warn: () => undefined, error: () => undefined };
  const routes = createRoutes();

  async function ask(
    name: string,
    token: string | undefined,
    given: Partial<ConstructorParameters<typeof HttpRequest>[0]>,
  ) {
    const route = routes.find((one) => one.name === name);
    if (route === undefined) throw new Error(`no route ${name}`);
    const headers = { ...(given.headers as object), ...(token && { authorization: `Bearer ${token}` }) };
    const method = route.methods[0] ?? 'GET';
    const request = new HttpRequest({ url: 'http://localhost/api', method, ...given, headers });
    return answer(route, { plane: world.plane, client, request, log, buckets });
  }
  const dryRun = { params: { vip: 'orders' }, body: { string: '{"reason":"often","dryRun":true}' } };

  test('who asks too often gets a problem document and the time to wait; others are not touched', async () => {
    for (let i = 0; i < burst; i += 1) expect((await ask('failover', 'operator', dryRun)).status).not.toBe(429);
    const late = await ask('failover', 'operator', dryRun);
    expect([late.status, (late.headers as Record<string, string>)['retry-after']]).toEqual([429, '1']);
    expect(JSON.parse(String(late.body))).toMatchObject({ status: 429, code: 'too-many-requests' });
    expect((await ask('failover', 'runbook', dryRun)).status).not.toBe(429);
    expect((await ask('status', 'operator', {})).status).toBe(200);
    world.nowMs = START_MS + 1000;
    expect((await ask('failover', 'operator', dryRun)).status).not.toBe(429);
  });

  test('open routes count by the address that the platform saw, not by what the caller wrote before it', async () => {
    const from = (forwarded: string) => ask('health', undefined, { headers: { 'x-forwarded-for': forwarded } });
    for (let i = 0; i < RATES.open.burst; i += 1) await from(`10.9.9.${i % 250}, 192.0.2.1`);
    expect((await from('10.1.1.1, 192.0.2.1')).status).toBe(429);
    expect((await from('192.0.2.2')).status).not.toBe(429);
  });

  test('a minute of transitions, five reports a second each, is taken whole', async () => {
    const [name = '', agent] = [...world.agents][0] ?? [];
    if (agent === undefined) throw new Error('no agent');
    for (let seq = 1; seq <= 300; seq += 1) {
      world.nowMs += 200;
      const report = { ...reportOf(world.plane.deployment.topology, name, agent, world.nowMs, seq), transition: true };
      const { status } = await ask('report', 'agent', {
        params: { nva: name },
        body: { string: JSON.stringify(report) },
      });
      expect(status).toBe(200);
    }
  });

  test('names that are not of the deployment share one count', async () => {
    const { burst: reports } = RATES['Agent.Report'];
    for (let i = 0; i < reports; i += 1) await ask('report', 'agent', { params: { nva: `made-up-${i}` } });
    expect((await ask('report', 'agent', { params: { nva: 'made-up' } })).status).toBe(429);
    expect((await ask('report', 'agent', { params: { nva: 'we-nva-1' } })).status).toBe(400);
  });

  test('the API document tells each bound', async () => {
    const { body } = await ask('openapi', undefined, {});
    const { paths } = JSON.parse(String(body));
    const operations = Object.values(paths).flatMap((path) => Object.values(path as object));
    expect(operations.every((operation) => /^Asked too often: /.test(operation.responses[429].description))).toBe(true);
    expect(paths['/vips/{vip}/failover'].post.responses[429].description).toContain(`${perSecond} a second per caller`);
  });
});
