// The adapters with the real SDKs against the lab's stand-ins for Azure: tokens, ARM, ingestion, queries, agents.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { ManagedIdentityCredential } from '@azure/identity';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createAgentChannel } from '../../../functions/adapters/agent-https.ts';
import { createArmRoutes, parseAsPath, parseLearned, parseResourceId } from '../../../functions/adapters/arm-routes.ts';
import { createEntraTokens } from '../../../functions/adapters/entra-tokens.ts';
import { createLogsQuery, parseSignalRows } from '../../../functions/adapters/logs-query.ts';
import { createLogsSink } from '../../../functions/adapters/logs-sink.ts';
import { chainRecords } from '../../../functions/audit-chain.ts';
import { draft } from '../../../functions/audit-drafts.ts';
import { type Azure, LOGS_RULE_ID, LOGS_WORKSPACE_ID, startAzure } from '../../../infra/lab/azure/azure.ts';
import { type Authority, createAuthority } from '../../../infra/lab/azure/certificates.ts';
import { CHAIN_START } from '../../../shared/audit.ts';
import type { Nva, Region } from '../../../shared/topology-schema.ts';
import { testTopology } from '../../support/plane.ts';

const AUDIENCE = 'api://anycast-failover';
const [region] = testTopology().regions as [Region];
const [nva] = region.nvas as [Nva];
let azure: Azure;
let authority: Authority;
let credential: ManagedIdentityCredential;
let signalRows: readonly (readonly unknown[])[] = [];

beforeAll(async () => {
  authority = await createAuthority();
  azure = await startAzure({
    authority,
    principals: [
      { name: 'func', roles: [] },
      { name: 'agent', id: 'id-agent', roles: ['Agent.Report'] },
      { name: 'ops@contoso', roles: ['Failover.Read', 'Failover.Operate'], isPerson: true },
    ],
    operationMs: 300,
    learned: (_hub, connection) =>
      connection === nva.bgpConnection
        ? region.routeServer.peers.map((instance) => ({
            instance,
            prefix: '192.0.2.10/32',
            nextHop: nva.address,
            asPath: [65001, 64500, 64500],
          }))
        : undefined,
    circuit: (_circuit, device) =>
      device === 'primary' ? [{ prefix: '192.0.2.10/32', nextHop: '10.1.0.4', asPath: [65515, 65001, 64500] }] : [],
    query: () => ({
      columns: [
        { name: 'region', type: 'string' },
        { name: 'healthy', type: 'bool' },
      ],
      rows: signalRows,
    }),
  });
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.ca]);
  const { IDENTITY_ENDPOINT = '', IDENTITY_HEADER = '' } = azure.environmentOf('func');
  Object.assign(process.env, { IDENTITY_ENDPOINT, IDENTITY_HEADER });
  credential = new ManagedIdentityCredential();
}, 30_000);
afterAll(() => azure?.stop());

describe('tokens of Entra ID', () => {
  const verify = async (token: string) => {
    const { ENTRA_ISSUER = '', ENTRA_JWKS_URI = '' } = azure.environmentOf('func');
    return createEntraTokens({ issuer: ENTRA_ISSUER, jwksUri: ENTRA_JWKS_URI, audience: AUDIENCE }).verify(token);
  };

  test('say who somebody is, person or application, with roles', async () => {
    expect(await verify(await azure.token('ops@contoso', { audience: AUDIENCE }))).toEqual({
      type: 'verified',
      principal: {
        ...{
          id: expect.any(String),
          name: 'ops@contoso',
          isApplication: false,
          roles: ['Failover.Read', 'Failover.Operate'],
        },
      },
    });
    expect(await verify(await azure.token('agent', { audience: 'anycast-failover' }))).toMatchObject({
      principal: { id: 'id-agent', name: 'agent', isApplication: true, roles: ['Agent.Report'] },
    });
  });

  test.each([
    ['expired', { lifetimeSeconds: -3600 }, 'token-expired'],
    ['for somebody else', { audience: 'api://other' }, 'token-invalid'],
    ['of another issuer', { claims: { iss: 'https://evil.example' } }, 'token-invalid'],
    ['without an end', { claims: { exp: undefined } }, 'token-invalid'],
  ] as const)('%s: refused', async (_what, bend, code) => {
    expect(await verify(await azure.token('agent', { audience: AUDIENCE, ...bend }))).toMatchObject({
      type: 'refused',
      code,
    });
  });

  test('with a changed payload, unsigned, or no token at all: refused', async () => {
    const good = await azure.token('agent', { audience: AUDIENCE });
    const [head, payload = '', signature] = good.split('.');
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), roles: ['Failover.Operate'] };
    const forged = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const token of [`${head}.${forged}.${signature}`, `${none}.${forged}.`, 'abc', '']) {
      expect(await verify(token)).toMatchObject({ type: 'refused' });
    }
  });

  test('are remembered for minutes, not beyond their end, and not when the clock is set back', async () => {
    const { ENTRA_ISSUER = '', ENTRA_JWKS_URI = '' } = azure.environmentOf('func');
    const startMs = Date.now();
    let nowMs = startMs;
    const options = { issuer: ENTRA_ISSUER, jwksUri: ENTRA_JWKS_URI, audience: AUDIENCE, nowMs: () => nowMs };
    const tokens = createEntraTokens(options);
    const token = await azure.token('agent', { audience: AUDIENCE, lifetimeSeconds: 120 });
    const first = await tokens.verify(token);
    expect(first).toMatchObject({ type: 'verified' });
    const signed = jest.spyOn(globalThis.crypto.subtle, 'verify');
    try {
      nowMs += 100_000;
      expect(await tokens.verify(token)).toEqual(first);
      expect(signed).toHaveBeenCalledTimes(0);
      expect(await tokens.verify(`${token.slice(0, -4)}AAAA`)).toMatchObject({ type: 'refused' });
      expect(signed).toHaveBeenCalledTimes(1);
      nowMs = startMs - 1;
      await tokens.verify(token);
      expect(signed).toHaveBeenCalledTimes(2);
      nowMs = startMs + 181_000;
      expect(await tokens.verify(token)).toMatchObject({ type: 'refused', code: 'token-expired' });
      const long = await azure.token('agent', { audience: AUDIENCE, lifetimeSeconds: 7200 });
      await tokens.verify(long);
      nowMs += 301_000;
      signed.mockClear();
      expect(await tokens.verify(long)).toMatchObject({ type: 'verified' });
      expect(signed).toHaveBeenCalledTimes(1);
    } finally {
      signed.mockRestore();
    }
  });

  test('keys that cannot be fetched are an operating error: nobody is guilty', async () => {
    const { ENTRA_ISSUER = '' } = azure.environmentOf('func');
    const blind = createEntraTokens({ issuer: ENTRA_ISSUER, jwksUri: 'https://127.0.0.1:1/keys', audience: AUDIENCE });
    await expect(blind.verify(await azure.token('agent', { audience: AUDIENCE }))).rejects.toMatchObject({
      code: 'token-keys',
    });
  });
});

describe('routes through Azure Resource Manager', () => {
  test('learned routes of both instances, and the circuit table before stripping', async () => {
    const routes = createArmRoutes(credential, { endpoint: azure.origin });
    expect(await routes.learned(region, nva)).toEqual({
      '10.1.0.4': { '192.0.2.10/32': [65001, 64500, 64500] },
      '10.1.0.5': { '192.0.2.10/32': [65001, 64500, 64500] },
    });
    expect(await routes.circuit(region)).toEqual([
      { prefix: '192.0.2.10/32', asPath: [65515, 65001, 64500], device: 'primary' },
    ]);
  });

  test('a wrong connection name or a provider that is down is an operating error', async () => {
    const routes = createArmRoutes(credential, { endpoint: azure.origin });
    await expect(routes.learned(region, { ...nva, bgpConnection: 'typo' })).rejects.toMatchObject({
      code: 'learned-routes',
      retryable: false,
    });
    azure.arm.setDown(true);
    await expect(routes.learned(region, nva)).rejects.toMatchObject({ code: 'learned-routes', retryable: true });
    azure.arm.setDown(false);
  });

  test.each([
    ['null', null],
    ['an empty map', {}],
    ['an error object', { error: { code: 'x' } }],
    ['empty instances and a null member', { RouteServiceRole_IN_1: [], RouteServiceRole_IN_0: [], value: null }],
    ['rows without content', { RouteServiceRole_IN_0: [null, {}, { network: '1.1.1.1/32', asPath: 'abc' }] }],
  ])('a body of %s means that both instances hold nothing', (_what, body) => {
    expect(parseLearned(body, ['10.1.0.4', '10.1.0.5'])).toEqual({ '10.1.0.4': {}, '10.1.0.5': {} });
  });

  test('both instances listed under each key, told apart by their address; ports by position', () => {
    const row = (localAddress: string) => ({ localAddress, network: '192.0.2.10/32', asPath: '65001' });
    const both = [row('10.1.0.4'), row('10.1.0.5')];
    expect(
      parseLearned({ RouteServiceRole_IN_0: both, RouteServiceRole_IN_1: both }, ['10.1.0.4', '10.1.0.5']),
    ).toEqual({
      '10.1.0.4': { '192.0.2.10/32': [65001] },
      '10.1.0.5': { '192.0.2.10/32': [65001] },
    });
    const ports = ['127.0.0.1:1', '127.0.0.1:2'];
    expect(parseLearned({ RouteServiceRole_IN_1: [row('127.0.0.1')] }, ports)['127.0.0.1:2']).toEqual({
      '192.0.2.10/32': [65001],
    });
  });

  test('paths by hyphen, by space, with stars and origin letters', () => {
    expect(parseAsPath('65010-65010')).toEqual([65010, 65010]);
    expect(parseAsPath('65515 65001 64500 i')).toEqual([65515, 65001, 64500]);
    expect(parseAsPath('')).toEqual([]);
    expect(parseAsPath('65001-x')).toBeUndefined();
  });

  test('an address that is no resource id is refused by name', () => {
    expect(() => parseResourceId('/subscriptions/x')).toThrow(expect.objectContaining({ code: 'resource-id' }));
  });
});

describe('shipping to Log Analytics', () => {
  const sink = () => createLogsSink(credential, { endpoint: azure.origin, ruleId: LOGS_RULE_ID });
  const records = (count: number, size = 10) =>
    chainRecords(
      Array.from({ length: count }, (_, i) =>
        draft(i, 'order', { Reason: `r${i}`, Detail: { text: 'x'.repeat(size) } }),
      ),
      { epoch: 1, index: -1, hash: CHAIN_START },
      'g',
      'seat',
    ).records;
  beforeEach(() => azure.logs.clear());

  test('records arrive whole, in calls below one megabyte', async () => {
    const sent = records(300, 10_000);
    expect(await sink().upload(sent)).toEqual([]);
    const arrived = [...azure.logs.records()].sort((a, b) => Number(a.ChainIndex) - Number(b.ChainIndex));
    expect(arrived).toEqual(sent);
  });

  test('while it is down nothing is lost silently: every record comes back as not accepted for now', async () => {
    azure.logs.setDown(true);
    const refused = await sink().upload(records(3));
    azure.logs.setDown(false);
    expect(refused.map((one) => [one.record.EventId, one.permanent])).toEqual([
      ['g-1-0', false],
      ['g-1-1', false],
      ['g-1-2', false],
    ]);
  });

  test('a record that is refused for what it is says so', async () => {
    azure.logs.refuse((record) => record.Reason === 'r1');
    const [, bad] = records(2);
    if (bad === undefined) throw new Error('two records were made');
    expect(await sink().upload([bad])).toMatchObject([{ permanent: true }]);
    azure.logs.refuse(() => false);
  });
});

describe('signals from Log Analytics', () => {
  const source = () => createLogsQuery(credential, { endpoint: `${azure.origin}/v1`, workspaceId: LOGS_WORKSPACE_ID });
  test('rows of region and health', async () => {
    signalRows = [
      ['westeurope', true],
      ['northeurope', false],
    ];
    expect(await source().query('T')).toEqual([
      { region: 'westeurope', isHealthy: true },
      { region: 'northeurope', isHealthy: false },
    ]);
  });
  test.each([
    ['no such columns', ['x'], [['westeurope']]],
    ['a number for health', ['region', 'healthy'], [['westeurope', 7]]],
    ['more rows than regions can be', ['region', 'healthy'], Array.from({ length: 65 }, () => ['r', true])],
  ])('%s: refused', (_what, columns, rows) => {
    expect(() => parseSignalRows(columns, rows)).toThrow(expect.objectContaining({ code: 'signal-query' }));
  });
});

describe('agents over HTTPS', () => {
  let server: Server;
  let answerWith: (body: string) => [number, string] | undefined = () => [200, '{}'];
  let target: Nva;
  beforeAll(async () => {
    server = createServer(await authority.issue('agent', ['127.0.0.1']), (request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => {
        const answered = answerWith(body);
        if (answered !== undefined)
          response.writeHead(answered[0], { 'content-type': 'application/json' }).end(answered[1]);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    target = { ...nva, agent: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  test('acknowledged, refused by name, or neither', async () => {
    const channel = createAgentChannel(authority.ca);
    answerWith = (body) => [
      200,
      JSON.stringify({ accepted: true, group: 'default', epoch: 2, generation: body.length }),
    ];
    expect(await channel.deliver(target, 'abc')).toEqual({
      type: 'acknowledged',
      sequence: { epoch: 2, generation: 3 },
    });
    answerWith = () => [409, JSON.stringify({ code: 'older', detail: 'has 3.1' })];
    expect(await channel.deliver(target, 'abc')).toEqual({ type: 'refused', code: 'older', detail: 'has 3.1' });
    for (const odd of [
      [200, 'hello'],
      [500, '{}'],
      [200, '{"epoch":"x"}'],
    ] as [number, string][]) {
      answerWith = () => odd;
      await expect(channel.deliver(target, 'abc')).rejects.toMatchObject({ code: 'order-delivery' });
    }
    channel.close();
  });

  test('one that accepts the connection and says nothing is given up in time', async () => {
    const channel = createAgentChannel(authority.ca);
    answerWith = () => undefined;
    const begunMs = performance.now();
    expect(await channel.probe(target)).toBe('failed');
    await expect(channel.deliver(target, 'abc')).rejects.toMatchObject({ code: 'order-delivery', retryable: true });
    expect(performance.now() - begunMs).toBeLessThan(15_000);
    answerWith = () => [200, 'ok'];
    expect(await channel.probe(target)).toBe('answered');
    channel.close();
  });

  test('a certificate of somebody else is no agent', async () => {
    const stranger = await createAuthority('stranger');
    const channel = createAgentChannel(stranger.ca);
    expect(await channel.probe(target)).toBe('failed');
    await expect(channel.deliver(target, 'abc')).rejects.toMatchObject({ code: 'order-delivery' });
    channel.close();
  });
});
