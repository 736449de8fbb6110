// The whole control plane on the in-process host: real SDKs, Azurite, TLS endpoints, signed orders to HTTPS agents.
// Timers are off throughout: a stopped timer must stop nothing, so reports alone carry every decision here.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { sha256 } from '../../functions/audit-chain.ts';
import { type Azure, startAzure } from '../../infra/lab/azure/azure.ts';
import { createAuthority } from '../../infra/lab/azure/certificates.ts';
import { type Host, startHost } from '../../infra/lab/host/host.ts';
import { parseHostSettings } from '../../infra/lab/host/host-settings.ts';
import { auditPageSchema, operationSchema, statusSchema } from '../../shared/api.ts';
import { type AuditRecord, CHAIN_START, chainedText } from '../../shared/audit.ts';
import { announcedPath } from '../../shared/ladder.ts';
import { verifyOrder } from '../../shared/order-signature.ts';
import { type Azurite, startAzurite } from '../support/azurite.ts';
import { reportOf, type TestAgent } from '../support/plane.ts';
import { contoso } from '../support/topology.ts';
import { until } from '../support/until.ts';

jest.setTimeout(300_000);
const WITHIN_MS = 90_000;

interface HttpsAgent extends TestAgent {
  readonly name: string;
  readonly server: Server;
  readonly port: number;
  seq: number;
}

const directory = mkdtempSync(join(tmpdir(), 'control-'));
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const publicJwk = pair.publicKey.export({ format: 'jwk' }) as Record<string, unknown>;
const agents = new Map<string, HttpsAgent>();
const draft = contoso();
let azurite: Azurite;
let azure: Azure;
let host: Host;
let tokens: { readonly operator: string; readonly agent: string };

/** An agent that checks the signature and acknowledges; its test decides the rest. */
async function startAgent(name: string, certificate: { cert: string; key: string }): Promise<HttpsAgent> {
  const server = createServer(certificate, async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    const verified = request.method === 'PUT' ? await verifyOrder(body, [{ kid: 'k1', jwk: publicJwk }]) : undefined;
    if (verified === undefined) return response.end('ok');
    if (!verified.ok) return response.writeHead(400).end(JSON.stringify({ code: verified.error.refusal }));
    agent.order = verified.value;
    agent.delivered += 1;
    const { group, epoch, generation } = verified.value;
    return response.writeHead(200).end(JSON.stringify({ accepted: true, group, epoch, generation }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const health = { order: undefined, verdict: 'healthy', isDead: false, refusesWith: undefined } as const;
  const { port } = server.address() as AddressInfo;
  const agent: HttpsAgent = { ...health, name, server, port, delivered: 0, seq: 0 };
  return agent;
}

const learned = (connection: string) => {
  const region = draft.regions.find((one: { nvas: { name: string }[] }) => one.nvas[0]?.name === connection);
  const agent = agents.get(connection);
  if (agent === undefined) return undefined;
  return region.routeServer.peers.flatMap((instance: string) =>
    (agent.order?.vips ?? []).map((row) => ({
      ...{ instance, prefix: row.prefix, nextHop: region.nvas[0].address },
      asPath: announcedPath(
        region.nvas[0].asn,
        row.prependAsn,
        agent.verdict === 'unhealthy' ? row.lastResortPrepend : row.prepend,
      ),
    })),
  );
};

beforeAll(async () => {
  const authority = await createAuthority();
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.ca]);
  for (const name of ['we-nva-1', 'ne-nva-1'])
    agents.set(name, await startAgent(name, await authority.issue(name, ['127.0.0.1'])));
  azurite = await startAzurite();
  azure = await startAzure({
    authority,
    principals: [
      { name: 'func', roles: [] },
      { name: 'agent', roles: ['Agent.Report'] },
      { name: 'ops@contoso', roles: ['Failover.Operate'], isPerson: true },
    ],
    learned: (_hub, connection) => learned(connection),
    circuit: () => undefined,
  });
  for (const region of draft.regions) {
    delete region.circuit;
    for (const nva of region.nvas) {
      nva.agent = `https://127.0.0.1:${agents.get(nva.name)?.port}`;
    }
  }
  // Silence begins at three of these: on a busy machine a test's own steps must not look like it.
  draft.timing = { reportSeconds: 4, tickSeconds: 2, routeChangeSeconds: 0 };
  draft.guards = { warmUpSeconds: 0, provenSeconds: 0, dwellSeconds: 0, calmSeconds: 600 };
  draft.observers = [];
  draft.seats = [{ ...draft.seats[0], orderKeys: [{ kid: 'k1', jwk: publicJwk }] }];
  writeFileSync(join(directory, 'anycast.yaml'), JSON.stringify(draft));
  writeFileSync(join(directory, 'ca.pem'), authority.ca);
  Object.assign(process.env, azure.environmentOf('func'), {
    ANYCAST_TOPOLOGY: join(directory, 'anycast.yaml'),
    ANYCAST_SEAT: draft.seats[0].name,
    ANYCAST_ORDER_KEY: JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' }),
    ANYCAST_AGENT_CA: join(directory, 'ca.pem'),
    ANYCAST_STORAGE: azurite.connectionString,
    no_proxy: '127.0.0.1',
  });
  const audience = draft.seats[0].audience;
  tokens = {
    operator: await azure.token('ops@contoso', { audience }),
    agent: await azure.token('agent', { audience }),
  };
  host = await startHost({
    loadApp: () => import('../../functions/app.ts'),
    settings: parseHostSettings(JSON.parse(readFileSync('host.json', 'utf8'))),
    timers: 'off',
  });
}, 300_000);

afterAll(async () => {
  await host?.stop();
  await azure?.stop();
  await azurite?.stop();
  for (const { server } of agents.values()) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(directory, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown, token = tokens.operator, headers = {}) {
  const response = await fetch(`${host.origin}/api${path}`, {
    method,
    headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Every agent reports, taking an order that is handed out with the answer. */
async function report(transition = false): Promise<void> {
  for (const agent of agents.values()) {
    agent.seq += 1;
    const body = { ...reportOf(draft, agent.name, agent, Date.now(), agent.seq), transition };
    const answered = await call('POST', `/agents/${agent.name}/reports`, body, tokens.agent);
    if (typeof answered.body.order !== 'string') continue;
    const verified = await verifyOrder(answered.body.order, [{ kid: 'k1', jwk: publicJwk }]);
    if (verified.ok) agent.order = verified.value;
  }
}

const rungOf = (nva: string, vip = 'orders') => agents.get(nva)?.order?.vips.find((row) => row.vip === vip)?.rung;
const status = async () => statusSchema.parse((await call('GET', '/status')).body);

/** Reports until the condition holds. A push that a busy machine let expire is made up for by the next news. */
const reporting = (what: string, holds: () => unknown, isNews = false) =>
  until(
    what,
    async () => {
      await report(isNews);
      return holds();
    },
    WITHIN_MS,
    200,
  );

async function auditRecords(): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (let after = ''; ; ) {
    const page = auditPageSchema.parse((await call('GET', `/audit?limit=1000${after}`)).body);
    records.push(...page.records);
    if (page.next === null) return records;
    after = `&after=${page.next}`;
  }
}

test('every registered HTTP function refuses who brings no token, but those that are open on purpose', async () => {
  const http = [...host.app.functions.values()].flatMap(({ metadata }) => {
    const trigger = Object.values(metadata.bindings).find((binding) => binding.type === 'httpTrigger') as
      | { route?: string; methods?: string[] }
      | undefined;
    return trigger === undefined
      ? []
      : [{ name: metadata.name, route: String(trigger.route), method: String(trigger.methods?.[0]) }];
  });
  expect(http.length).toBeGreaterThanOrEqual(17);
  const answers = await Promise.all(
    http.map(async ({ name, route, method }) => [
      name,
      (await call(method, `/${route.replace(/\{\w+\}/g, 'x')}`, undefined, '')).status,
    ]),
  );
  const open = answers.filter(([, code]) => code !== 401).map(([name]) => String(name));
  // The dashboard's page and files hold nothing of the deployment; what it shows it asks for with a token.
  const ofDashboard = /^http-dashboard/;
  expect(open.filter((name) => !ofDashboard.test(name)).sort()).toEqual(['http-health', 'http-openapi']);
});

test('first reports with a transition bring the first orders, push and pull', async () => {
  await report(true);
  await reporting('both agents have an order', () => rungOf('we-nva-1') === 4 && rungOf('ne-nva-1') === 5, true);
  await reporting('acknowledged in the status', async () => {
    const now = await status();
    return now.vips.every((vip) => vip.regions.every((region) => region.nvas.every((nva) => nva.acknowledged)));
  });
});

test('an application that dies is left: transition report to order at the other agent', async () => {
  const we = agents.get('we-nva-1') as HttpsAgent;
  we.verdict = 'unhealthy';
  await report(true);
  await reporting('northeurope is ordered below all that westeurope may have', () => rungOf('ne-nva-1') === 3, true);
  const now = await status();
  expect(now.vips.find((vip) => vip.vip === 'orders')).toMatchObject({ acting: 'northeurope', servedBy: null });
  await reporting('the move is proved', async () => {
    const orders = (await status()).vips.find((vip) => vip.vip === 'orders');
    return orders?.regions.find((region) => region.region === 'northeurope')?.proofs.routeServer.proof === 'proved';
  });
});

test('an operation runs from request to proof, and the same key finds it again', async () => {
  const we = agents.get('we-nva-1') as HttpsAgent;
  we.verdict = 'healthy';
  await report(true);
  const headers = { 'idempotency-key': 'change-42' };
  const asked = { to: 'westeurope', reason: 'home again' };
  await reporting('westeurope is healthy', async () => {
    const orders = (await status()).vips.find((vip) => vip.vip === 'orders');
    return orders?.regions.find((region) => region.region === 'westeurope')?.verdict === 'healthy';
  });
  const started = await call('POST', '/vips/orders/failover', asked, tokens.operator, headers);
  expect(started.status).toBe(202);
  const { id } = operationSchema.parse(started.body);
  const show = async () => operationSchema.parse((await call('GET', `/operations/${id}`)).body);
  await reporting('the operation ends', async () => (await show()).state !== 'running');
  const ended = await show();
  expect(ended).toMatchObject({ state: 'proved', actor: 'ops@contoso', problems: [] });
  expect(ended.steps.map((step) => step.name)).toEqual(
    expect.arrayContaining(['committed', 'delivered', 'agent orders westeurope']),
  );
  expect(rungOf('we-nva-1')).toBe(2);
  expect((await call('POST', '/vips/orders/failover', asked, tokens.operator, headers)).body.id).toBe(id);
});

describe('audit', () => {
  test('each decision, order, acknowledgement and proof is on record, chained', async () => {
    const records = await auditRecords();
    expect(new Set(records.map((record) => record.Kind))).toEqual(
      new Set(['order', 'ack', 'decision', 'verification', 'intent', 'hold']),
    );
    let hash = CHAIN_START;
    for (const [index, record] of records.entries()) {
      expect(record).toMatchObject({ ChainIndex: index, PrevHash: hash });
      expect(sha256(chainedText(record))).toBe(record.Hash);
      hash = record.Hash;
    }
  });

  test('while ingestion is down records wait; then all arrive, each EventId', async () => {
    azure.logs.setDown(true);
    await host.runTimer('tick');
    await host.settle();
    expect(azure.logs.records()).toEqual([]);
    azure.logs.setDown(false);
    const wanted = (await auditRecords()).map((record) => record.EventId);
    await until(
      'all records arrive',
      async () => {
        await host.runTimer('tick');
        await host.settle();
        const arrived = new Set(azure.logs.records().map((record) => record.EventId));
        return wanted.every((id) => arrived.has(id));
      },
      WITHIN_MS,
      500,
    );
  });
});

test('storage that cannot be reached: nothing is decided, nothing changes on the wire, and the status says so', async () => {
  const wire = () => JSON.stringify([...agents.values()].map((agent) => agent.order?.vips));
  const before = wire();
  azurite.pause();
  const we = agents.get('we-nva-1') as HttpsAgent;
  we.verdict = 'unhealthy';
  await report(true).catch(() => undefined);
  expect((await status()).ledger).toBe('unreachable');
  expect(wire()).toBe(before);
  azurite.resume();
  await until(
    'it is decided once storage is back',
    async () => {
      await report(true);
      return rungOf('ne-nva-1') === 1;
    },
    WITHIN_MS,
    300,
  );
}, 300_000);

// Last, for it uses up what the operator may ask.
test('who asks too often is told so, whatever it asks', async () => {
  const answers = await Promise.all(Array.from({ length: 400 }, () => call('POST', '/holds', { reason: '' })));
  const statuses = new Set(answers.map((answer) => answer.status));
  expect([...statuses].sort()).toEqual([400, 429]);
  expect(answers.find((answer) => answer.status === 429)?.body).toMatchObject({ code: 'too-many-requests' });
});
