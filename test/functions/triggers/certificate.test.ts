// Observers that hold a client certificate instead of an identity: what counts, for whom, and every refusal.
import { X509Certificate } from 'node:crypto';
import { HttpRequest } from '@azure/functions';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { appServiceCertificates } from '../../../functions/adapters/app-service-certificates.ts';
import { answer, type Client } from '../../../functions/http/call.ts';
import { createRoutes } from '../../../functions/triggers/routes.ts';
import { createAuthority } from '../../../infra/lab/azure/certificates.ts';
import { parseTopology } from '../../../shared/topology.ts';
import { createTestPlane, GROUP, reportOf, type TestPlane, testTopology } from '../../support/plane.ts';
import { contoso } from '../../support/topology.ts';

const DAY_MS = 24 * 3600_000;
let mine: X509Certificate;
let other: X509Certificate;
let world: TestPlane;

beforeAll(async () => {
  const authority = await createAuthority();
  const issue = async (name: string) => new X509Certificate((await authority.issue(name, [])).cert);
  [mine, other] = await Promise.all([issue('dc-1'), issue('dc-2')]);
});

const headerOf = (certificate: X509Certificate): string => certificate.raw.toString('base64');

/** A seat that pins `mine` for dc-1 and `other` for a token's observer, at a time at which both are valid. */
function createWorld(takesCertificates = true): TestPlane {
  const topology = testTopology((draft) => {
    draft.observers = [
      { name: 'dc-1', credential: 'client-certificate', certificates: [mine.fingerprint256] },
      { name: 'dc-2', credential: 'token', certificates: [other.fingerprint256] },
    ];
  });
  const created = createTestPlane({ topology });
  created.nowMs = mine.validFromDate.getTime() + DAY_MS;
  if (takesCertificates) Object.assign(created.plane, { certificates: appServiceCertificates });
  return created;
}
beforeEach(() => {
  world = createWorld();
});

const reportFrom = (observer: string) => ({
  v: 1,
  observer,
  group: GROUP,
  bootId: 'b',
  seq: 1,
  atMs: world.nowMs,
  transition: false,
  vips: [],
});

async function ask(name: string, params: Record<string, string>, headers: Record<string, string>, body?: unknown) {
  const route = createRoutes().find((one) => one.name === name);
  if (route === undefined) throw new Error(`no route ${name}`);
  const request = new HttpRequest({
    method: route.methods[0] ?? 'GET',
    url: 'http://localhost/api',
    params,
    headers,
    ...(body !== undefined && { body: { string: JSON.stringify(body) } }),
  });
  const client = { startNew: async () => '', getStatus: async () => undefined } as unknown as Client;
  const log = { warn: () => undefined, error: () => undefined };
  const response = await answer(route, { plane: world.plane, client, request, log });
  return { status: response.status, body: JSON.parse(String(response.body)) };
}

const send = (certificate: string, observer = 'dc-1', body: unknown = reportFrom(observer)) =>
  ask('report', { nva: observer }, { 'x-arr-clientcert': certificate }, body);

describe('a client certificate', () => {
  test('that the topology pins reports for its observer', async () => {
    expect(await send(headerOf(mine))).toEqual({ status: 200, body: { accepted: true } });
    expect(Object.keys((await world.plane.reports.read(GROUP)).observers)).toEqual(['dc-1']);
  });

  test('reports for nobody else: not another observer, not one with tokens, not an NVA', async () => {
    const refused = { status: 403, body: { code: 'other-certificate' } };
    expect(await send(headerOf(other))).toMatchObject(refused);
    expect(await send(headerOf(mine), 'dc-2')).toMatchObject(refused);
    expect(await send(headerOf(other), 'dc-2')).toMatchObject(refused);
    const { topology } = world.plane.deployment;
    const agent = world.agents.get('we-nva-1');
    if (agent === undefined) throw new Error('no such agent');
    const report = reportOf(topology, 'we-nva-1', agent, world.nowMs, 1);
    expect(await send(headerOf(mine), 'we-nva-1', report)).toMatchObject(refused);
    expect(await send(headerOf(mine), 'dc-1', { ...report, nva: 'dc-1' })).toMatchObject({
      status: 400,
      body: { code: 'mismatch' },
    });
    expect(await world.plane.reports.read(GROUP)).toMatchObject({ observers: {}, reports: {} });
  });

  test.each([
    ['before it is valid', () => mine.validFromDate.getTime() - 1],
    ['after its end', () => mine.validToDate.getTime() + 1],
  ])('%s is refused', async (_when, nowMs) => {
    world.nowMs = nowMs();
    expect(await send(headerOf(mine))).toMatchObject({ status: 401, body: { code: 'certificate-invalid' } });
  });

  test.each([
    ['empty', () => ''],
    ['no base64', () => '%%%'],
    ['no certificate', () => Buffer.from('hello').toString('base64')],
    ['cut short', () => headerOf(mine).slice(0, 200)],
    ['far too long', () => 'A'.repeat(20_000)],
  ])('that is %s is refused', async (_what, header) => {
    expect(await send(header())).toMatchObject({ status: 401, body: { code: 'certificate-invalid' } });
  });

  test('counts for nothing where nothing in front of the seat vouches for it', async () => {
    world = createWorld(false);
    expect(await send(headerOf(mine))).toMatchObject({ status: 401, body: { code: 'token-missing' } });
  });

  test('does not rescue a token that is refused, and opens no other door', async () => {
    const headers = { 'x-arr-clientcert': headerOf(mine) };
    const both = await ask('report', { nva: 'dc-1' }, { ...headers, authorization: 'Bearer bad' }, reportFrom('dc-1'));
    expect(both).toMatchObject({ status: 401, body: { code: 'token-invalid' } });
    expect(await ask('status', {}, headers)).toMatchObject({ status: 401, body: { code: 'token-missing' } });
  });
});

test('a pin is a SHA-256 thumbprint, with or without colons; anything else is refused with its place', () => {
  const parse = (pin: string) =>
    parseTopology(
      JSON.stringify({
        ...contoso(),
        observers: [{ name: 'dc-1', credential: 'client-certificate', certificates: [pin] }],
      }),
    );
  expect(parse(mine.fingerprint256).ok).toBe(true);
  expect(parse(mine.fingerprint256.replaceAll(':', '').toLowerCase()).ok).toBe(true);
  const refused = parse(mine.fingerprint);
  expect(refused.ok ? [] : refused.error.map((finding) => finding.path)).toEqual(['observers[0].certificates[0]']);
});
