// The HTTP API on in-memory stores: tokens and roles on every route, bad input, idempotency, dry runs, reports.

import { HttpRequest } from '@azure/functions';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { auditAhead } from '../../../functions/activities/audit-ahead.ts';
import { decideAndCommit } from '../../../functions/activities/decide-and-commit.ts';
import { answer, type Client, type Route } from '../../../functions/http/call.ts';
import { SLOT_MS } from '../../../functions/limits.ts';
import type { OperationInput } from '../../../functions/orchestrators/names.ts';
import { createRoutes } from '../../../functions/triggers/routes.ts';
import {
  auditPageSchema,
  healthSchema,
  operationSchema,
  planSchema,
  statusSchema,
  statusVipSchema,
} from '../../../shared/api.ts';
import { createTestPlane, GROUP, reportOf, START_MS, type TestPlane } from '../../support/plane.ts';

interface Instance {
  readonly name: string;
  readonly input: unknown;
  customStatus?: unknown;
}

/** A durable client with the extension's manners: 404 in the message, an error for an id that runs already. */
function fakeClient(): Client & { readonly instances: Map<string, Instance> } {
  const instances = new Map<string, Instance>();
  return {
    instances,
    async startNew(name, options) {
      const id = options?.instanceId ?? '';
      if (instances.has(id)) throw new Error('HTTP 500');
      instances.set(id, { name, input: options?.input });
      return id;
    },
    async getStatus(id) {
      const instance = instances.get(id);
      if (instance === undefined) throw new Error('replied with HTTP 404 response.');
      return { ...instance, runtimeStatus: 'Running' } as unknown as Awaited<ReturnType<Client['getStatus']>>;
    },
  };
}

let world: TestPlane;
let client: ReturnType<typeof fakeClient>;
let routes: readonly Route[];
beforeEach(async () => {
  world = createTestPlane();
  client = fakeClient();
  routes = createRoutes();
  await world.report();
  await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
  await auditAhead(world.plane)({ group: GROUP });
});

interface Ask {
  readonly token?: string | undefined;
  readonly params?: Record<string, string>;
  readonly query?: Record<string, string>;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

async function ask(name: string, { token, params = {}, query = {}, body, text, headers = {} }: Ask = {}) {
  const route = routes.find((one) => one.name === name);
  if (route === undefined) throw new Error(`no route ${name}`);
  const method = route.methods[0] ?? 'GET';
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const request = new HttpRequest({
    method,
    url: `http://localhost/api/${route.path}`,
    params,
    query,
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    ...(sent !== undefined && { body: { string: sent } }),
  });
  const log = {
    invocationId: 'invocation-1',
    warn: () => undefined,
    error: (...said: unknown[]) => {
      throw new Error(String(said));
    },
  };
  const response = await answer(route, { plane: world.plane, client, request, log });
  const given = response.headers as Record<string, string>;
  return {
    status: response.status,
    body: JSON.parse(String(response.body)),
    type: given['content-type'],
    headers: given,
  };
}

describe('tokens', () => {
  const open = ['health', 'dashboard', 'dashboard-config', 'dashboard-file', 'openapi'];
  const guarded = createRoutes().filter((route) => !open.includes(route.name));

  test('only health and the API document are open', () => {
    expect(
      createRoutes()
        .filter((route) => route.role === null)
        .map((route) => route.name),
    ).toEqual(open);
    expect(guarded.length).toBe(15);
  });

  test.each(guarded.map((route) => [route.name, route] as const))(
    '%s answers nobody without a token, a wrong one, or without its role',
    async (name, route) => {
      const missing = await ask(name);
      expect([missing.status, missing.body.code, missing.type]).toEqual([
        401,
        'token-missing',
        'application/problem+json',
      ]);
      expect(missing.headers['www-authenticate']).toBe('Bearer');
      expect(await ask(name, { token: 'forged' })).toMatchObject({ status: 401, body: { code: 'token-invalid' } });
      expect(await ask(name, { token: 'stranger' })).toMatchObject({ status: 403, body: { code: 'role-missing' } });
      const others =
        route.role === 'Agent.Report'
          ? ['reader', 'operator']
          : route.role === 'Failover.Operate'
            ? ['reader', 'agent']
            : ['agent'];
      for (const token of others) expect((await ask(name, { token })).status).toBe(403);
    },
  );

  test('when the keys cannot be reached nobody is refused for good', async () => {
    world.outages.add('tokens');
    expect(await ask('status', { token: 'reader' })).toMatchObject({ status: 503, body: { code: 'token-keys' } });
  });
});

describe('every answer', () => {
  test("carries the name of its call, the caller's own when it is plainly a name", async () => {
    const named = async (id: string) => (await ask('health', { headers: { 'x-correlation-id': id } })).headers;
    expect((await named('job-7'))['x-correlation-id']).toBe('job-7');
    expect((await named('<script>'))['x-correlation-id']).toBe('invocation-1');
    expect((await ask('status')).headers['x-correlation-id']).toBe('invocation-1');
  });

  test('allows no other origin to read it', async () => {
    const { headers } = await ask('status', { token: 'reader', headers: { origin: 'https://elsewhere.example' } });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(routes.flatMap((route) => route.methods)).not.toContain('OPTIONS');
  });
});

describe('reading', () => {
  test('status, vip, explanation, audit and health are as described', async () => {
    const status = statusSchema.parse((await ask('status', { token: 'reader' })).body);
    expect(status).toMatchObject({ seat: 'seat-we', leader: 'seat-we', epoch: 1, ledger: 'ok', automation: 'on' });
    expect(status.vips.map((vip) => [vip.vip, vip.acting])).toEqual([
      ['orders', 'westeurope'],
      ['billing', 'northeurope'],
    ]);
    statusVipSchema.parse((await ask('vip', { token: 'operator', params: { vip: 'orders' } })).body);
    const lines = (await ask('explain', { token: 'reader', params: { vip: 'orders' } })).body.lines;
    expect(lines.join('\n')).toContain('westeurope acts');
    const page = auditPageSchema.parse((await ask('audit', { token: 'reader' })).body);
    expect(page.records.map((record) => record.Kind)).toContain('order');
    expect(healthSchema.parse((await ask('health')).body)).toMatchObject({ ok: true, leader: 'seat-we', ledger: 'ok' });
  });

  test('what does not exist is said to', async () => {
    expect(await ask('vip', { token: 'reader', params: { vip: 'nope' } })).toMatchObject({
      status: 404,
      body: { code: 'unknown-vip' },
    });
    expect(await ask('operation', { token: 'reader', params: { id: '../x' } })).toMatchObject({ status: 404 });
    expect(await ask('audit', { token: 'reader', query: { kind: 'gossip' } })).toMatchObject({
      status: 400,
      body: { code: 'bad-kind' },
    });
    expect(await ask('audit', { token: 'reader', query: { limit: '0' } })).toMatchObject({
      status: 400,
      body: { code: 'bad-limit' },
    });
  });

  test('status and health say that storage is down, and audit answers with a problem', async () => {
    world.outages.add('ledger').add('outbox');
    const status = statusSchema.parse((await ask('status', { token: 'reader' })).body);
    expect(status).toMatchObject({
      ledger: 'unreachable',
      outboxDepth: null,
      alerts: [{ reason: 'ledger-unreachable' }],
    });
    expect(await ask('health')).toMatchObject({ status: 503, body: { ok: false, ledger: 'unreachable' } });
    expect(await ask('audit', { token: 'reader' })).toMatchObject({ status: 503, body: { code: 'outbox-down' } });
  });

  test('the API document names every route, its role and its body', async () => {
    const { body } = await ask('openapi');
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toContain('/vips/{vip}/failover');
    const post = body.paths['/vips/{vip}/failover'].post;
    expect(post.security).toEqual([{ entra: ['Failover.Operate'] }]);
    expect(post.requestBody.content['application/json'].schema.required).toEqual(['reason']);
    // One address shows and cancels an operation.
    expect(Object.keys(body.paths).length).toBe(routes.length - 1);
    expect(Object.keys(body.paths['/operations/{id}'])).toEqual(['get', 'delete']);
  });
});

describe('changes', () => {
  const failover = (body: unknown, more: Ask = {}) =>
    ask('failover', { token: 'operator', params: { vip: 'orders' }, body, ...more });

  test('a dry run explains and changes nothing', async () => {
    const before = world.ledger.textOf(GROUP);
    world.nowMs += 40_000;
    await world.report();
    const { status, body } = await failover({ to: 'northeurope', reason: 'try it', dryRun: true });
    const plan = planSchema.parse(body);
    expect(status).toBe(200);
    expect(plan.allowed).toBe(true);
    expect(plan.actions[0]).toMatchObject({ region: 'northeurope', kind: 'move', prependAfter: 9 });
    expect(plan.explanation.length).toBeGreaterThan(0);
    expect(world.ledger.textOf(GROUP)).toBe(before);
    expect(client.instances.size).toBe(0);
  });

  test('a request becomes an operation with who, why and until when', async () => {
    const { status, body, headers } = await failover({ to: 'northeurope', reason: 'patch' });
    const operation = operationSchema.parse(body);
    expect(status).toBe(202);
    expect(headers.location).toBe(`/api/operations/${operation.id}`);
    expect(operation).toMatchObject({
      kind: 'failover',
      state: 'running',
      actor: 'operator',
      actorType: 'human',
      reason: 'patch',
    });
    const input = client.instances.get(operation.id)?.input as OperationInput;
    expect(input.wish).toMatchObject({
      type: 'intent',
      intent: { type: 'failover', region: 'northeurope', operation: operation.id },
    });
    const shown = await ask('operation', { token: 'reader', params: { id: operation.id } });
    expect(operationSchema.parse(shown.body).state).toBe('running');
  });

  test('the same key and wish is the same operation, another wish is refused, another caller is another key', async () => {
    const headers = { 'idempotency-key': 'job-1' };
    const first = await failover({ to: 'northeurope', reason: 'patch' }, { headers });
    const again = await failover({ to: 'northeurope', reason: 'patch' }, { headers });
    expect(again.body.id).toBe(first.body.id);
    expect(client.instances.size).toBe(1);
    const other = await failover({ reason: 'something else' }, { headers });
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency-conflict' } });
    const runbook = await failover({ to: 'northeurope', reason: 'patch' }, { headers, token: 'runbook' });
    expect(runbook.body).toMatchObject({ actorType: 'runbook' });
    expect(runbook.body.id).not.toBe(first.body.id);
  });

  test('a later move waits in the ledger; times that passed or lie too far ahead are refused', async () => {
    const atMs = world.nowMs + 3600_000;
    const { status, body } = await failover({ to: 'northeurope', reason: 'tonight', atMs });
    expect(status).toBe(202);
    const input = client.instances.get(body.id)?.input as OperationInput;
    expect(input).toMatchObject({ deadlineMs: atMs + 120_000, wish: { intent: { notBeforeMs: atMs } } });
    for (const wrong of [world.nowMs, world.nowMs + 31 * 24 * 3600_000]) {
      expect(await failover({ reason: 'when?', atMs: wrong })).toMatchObject({
        status: 400,
        body: { code: 'bad-time' },
      });
    }
  });

  test('cancelling: unknown, waiting, committed and ended operations; twice is once', async () => {
    const cancel = (id: string) => ask('cancel', { token: 'operator', params: { id }, query: { reason: 'not today' } });
    expect(await cancel('op-none')).toMatchObject({ status: 404, body: { code: 'unknown-operation' } });
    const { body } = await failover({ to: 'northeurope', reason: 'patch' });
    const first = await cancel(body.id);
    expect([first.status, first.body.kind, first.body.state]).toEqual([202, 'cancel', 'running']);
    expect((await cancel(body.id)).body.id).toBe(first.body.id);
    const input = client.instances.get(first.body.id)?.input as OperationInput;
    expect(input.wish).toMatchObject({ type: 'cancel', operation: body.id, isDrill: false, reason: 'not today' });
    client.instances.delete(first.body.id);
    const instance = client.instances.get(body.id);
    if (instance) instance.customStatus = { state: 'running', generation: 7, steps: [], problems: [] };
    expect(await cancel(body.id)).toMatchObject({ status: 409, body: { code: 'already-committed' } });
    if (instance) instance.customStatus = { state: 'proved', generation: 7, steps: [], problems: [] };
    expect(await cancel(body.id)).toMatchObject({ status: 409, body: { code: 'operation-ended' } });
  });

  test('what the caller saw must still stand', async () => {
    const { status, body } = await failover({ reason: 'patch', seenGeneration: 99 });
    expect([status, body.code]).toEqual([409, 'moved-on']);
    planSchema.parse(body.plan);
  });

  test.each([
    ['no reason', { to: 'northeurope' }, 400, 'malformed'],
    ['an unknown key', { reason: 'patch', now: true }, 400, 'malformed'],
    ['a region that is none of its', { to: 'mars', reason: 'patch' }, 404, 'unknown-region'],
  ])('%s is refused', async (_what, body, status, code) => {
    expect(await failover(body)).toMatchObject({ status, body: { code } });
    expect(client.instances.size).toBe(0);
  });

  test('bodies that are no JSON, or too large', async () => {
    expect(await failover(undefined, { text: '{"reason":' })).toMatchObject({
      status: 400,
      body: { code: 'not-json' },
    });
    expect(await failover(undefined, { text: `"${'x'.repeat(20_000)}"` })).toMatchObject({
      status: 413,
      body: { code: 'too-large' },
    });
  });

  test('holds, drains, drills and trust become operations of their kind', async () => {
    const asked: [string, Ask, string][] = [
      ['hold', { body: { reason: 'change', seconds: 60 } }, 'hold'],
      ['drain', { params: { region: 'northeurope' }, body: { reason: 'host patch' } }, 'drain'],
      ['undrain', { params: { region: 'northeurope' }, body: { vip: 'orders', reason: 'done' } }, 'undrain'],
      ['drill', { body: { vip: 'orders', reason: 'monthly', seconds: 5 } }, 'drill'],
      ['failback', { params: { vip: 'orders' }, body: { reason: 'home' } }, 'failback'],
      ['trust-ledger', { params: { group: GROUP }, body: { reason: 'looked at it' } }, 'trust-ledger'],
    ];
    for (const [name, more, kind] of asked) {
      const { status, body } = await ask(name, { token: 'operator', ...more });
      expect([name, status, body.kind]).toEqual([name, 202, kind]);
    }
    expect([...client.instances.values()].filter((one) => one.name === 'drill')).toHaveLength(1);
  });

  test('a follower names the leader instead of acting', async () => {
    const other = createTestPlane({ beside: world, seat: 'seat-ne' });
    await other.report();
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    const keep = world;
    world = other;
    const { status, body } = await failover({ reason: 'patch' });
    world = keep;
    expect([status, body.code, body.leader]).toEqual([409, 'not-leader', 'https://func-anycast-we.azurewebsites.net']);
  });
});

describe('reports', () => {
  const report = (seq: number, transition = false, nva = 'we-nva-1') => {
    const agent = world.agents.get(nva);
    if (agent === undefined) throw new Error('no such agent');
    return { ...reportOf(world.plane.deployment.topology, nva, agent, world.nowMs, seq), transition };
  };
  const send = (body: unknown, nva = 'we-nva-1') => ask('report', { token: 'agent', params: { nva }, body });

  test('an NVA that is behind gets the order with the answer; one that has it gets none', async () => {
    const behind = await send(report(10));
    expect(behind.status).toBe(200);
    const order = JSON.parse(behind.body.order);
    expect(order).toMatchObject({ to: 'we-nva-1', epoch: 1 });
    const agent = world.agents.get('we-nva-1');
    if (agent) agent.order = order;
    world.nowMs += 2000;
    expect((await send(report(11))).body).toEqual({ accepted: true });
  });

  test('no order is handed out while its records are not confirmed', async () => {
    world.outages.add('outbox-append');
    world.nowMs += 40_000;
    await world.report();
    const wish = { type: 'hold', id: 'h', vip: null, seconds: 60, full: false, reason: 'x' } as const;
    const who = { actor: 'operator', actorType: 'human' } as const;
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c', wish: { ...wish, ...who } });
    expect(await send(report(20))).toMatchObject({ status: 200, body: { accepted: true } });
    expect((await send(report(21))).body.order).toBeUndefined();
    world.outages.delete('outbox-append');
    await auditAhead(world.plane)({ group: GROUP });
    expect((await send(report(22))).body.order).toBeDefined();
  });

  test('a report that cannot be kept is not accepted', async () => {
    world.outages.add('reports');
    expect(await send(report(25))).toMatchObject({ status: 503, body: { code: 'reports-down' } });
  });

  test('a transition is looked at now; two hundred in one slot start two looks', async () => {
    for (let i = 0; i < 200; i += 1) await send(report(30 + i, true));
    const started = [...client.instances].filter(([id]) => id.startsWith('evaluate-'));
    expect(started).toHaveLength(2);
    const slot = Math.floor(START_MS / SLOT_MS);
    expect(started.map(([id, one]) => [id, (one.input as { notBeforeMs: number }).notBeforeMs])).toEqual([
      [`evaluate-default-${slot}`, 0],
      [`evaluate-default-${slot + 1}`, (slot + 1) * SLOT_MS],
    ]);
  });

  test('a report that shows another NVA late has somebody look when that is overdue: stopped timers stop nothing', async () => {
    world.nowMs = START_MS + 2600;
    await send(report(300, false));
    const [id] = [...client.instances.keys()];
    expect(id).toBe(`evaluate-default-${Math.ceil((START_MS + 3000) / SLOT_MS)}`);
  });

  test('old, misaddressed and unknown reports change nothing', async () => {
    await send(report(400));
    const heard = await world.plane.reports.heard(GROUP);
    world.nowMs += 5000;
    expect((await send(report(400))).status).toBe(200);
    expect(await world.plane.reports.heard(GROUP)).toEqual(heard);
    expect(await send(report(401), 'ne-nva-1')).toMatchObject({ status: 400, body: { code: 'mismatch' } });
    expect(await send(report(401), 'nobody')).toMatchObject({ status: 404, body: { code: 'unknown-nva' } });
    expect(await send({ ...report(401), group: 'other' })).toMatchObject({ status: 400, body: { code: 'mismatch' } });
    expect(await send({ ...report(401), seq: -1 })).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });

  test('an identity that is pinned to another NVA may not speak for this one', async () => {
    const nva = world.plane.deployment.topology.regions[0]?.nvas[0] as { principalId?: string };
    nva.principalId = 'id-somebody';
    expect(await send(report(500))).toMatchObject({ status: 403, body: { code: 'other-principal' } });
    nva.principalId = 'id-agent';
    expect((await send(report(501))).status).toBe(200);
    // It speaks for we-nva-1 and nobody else, named or not.
    const other = await send(report(502, false, 'ne-nva-1'), 'ne-nva-1');
    expect(other).toMatchObject({ status: 403, body: { code: 'other-principal' } });
    nva.principalId = 'id-somebody';
    expect((await send(report(503, false, 'ne-nva-1'), 'ne-nva-1')).status).toBe(200);
  });
});
