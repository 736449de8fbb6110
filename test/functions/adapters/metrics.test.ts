// Route Server's own metric: asked with the real SDK of the lab's stand-in, kept, shown, and unknown when it fails.
import tls from 'node:tls';
import { ManagedIdentityCredential } from '@azure/identity';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { decideAndCommit } from '../../../functions/activities/decide-and-commit.ts';
import { readLearned } from '../../../functions/activities/read-learned.ts';
import { createMetricsQuery, parsePeerStatus } from '../../../functions/adapters/metrics-query.ts';
import type { PeerStatus } from '../../../functions/engine/types.ts';
import { readStatus } from '../../../functions/triggers/reading.ts';
import { type Azure, startAzure } from '../../../infra/lab/azure/azure.ts';
import { createAuthority } from '../../../infra/lab/azure/certificates.ts';
import type { PeerMeasurement } from '../../../infra/lab/azure/metrics.ts';
import { statusSchema } from '../../../shared/api.ts';
import { OperatingError } from '../../../shared/errors.ts';
import type { Region } from '../../../shared/topology-schema.ts';
import { createTestPlane, GROUP, START_MS, type TestPlane, testTopology } from '../../support/plane.ts';

const [region] = testTopology().regions as [Region];
const ADDRESS = region.nvas[0]?.address ?? '';
const MINUTES = 60_000;
let azure: Azure;
let credential: ManagedIdentityCredential;
let rows: readonly PeerMeasurement[] | undefined;

beforeAll(async () => {
  const authority = await createAuthority();
  azure = await startAzure({
    ...{ authority, principals: [{ name: 'func', roles: [] }] },
    learned: () => undefined,
    circuit: () => undefined,
    peerStatus: (id) => (id === region.routeServer.resourceId ? rows : undefined),
  });
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.ca]);
  const { IDENTITY_ENDPOINT = '', IDENTITY_HEADER = '' } = azure.environmentOf('func');
  Object.assign(process.env, { IDENTITY_ENDPOINT, IDENTITY_HEADER });
  credential = new ManagedIdentityCredential();
}, 30_000);
afterAll(() => azure?.stop());

describe('the metric through the SDK', () => {
  const read = (of: Region = region) =>
    createMetricsQuery(credential, { endpoint: azure.origin }, { nowMs: () => START_MS }).read(of);

  test('gives the newest measurement of each instance and peer; what was not measured is absent', async () => {
    rows = [
      { instance: 'RouteServiceRole_IN_0', peer: ADDRESS, values: [1, 1, 0] },
      { instance: 'RouteServiceRole_IN_1', peer: ADDRESS, values: [0, 1, null] },
      { instance: 'RouteServiceRole_IN_0', peer: '10.9.9.9', values: [null, null, null] },
    ];
    expect(await read()).toEqual({
      [ADDRESS]: {
        RouteServiceRole_IN_0: { isUp: false, atMs: START_MS - 5 * MINUTES },
        RouteServiceRole_IN_1: { isUp: true, atMs: START_MS - 10 * MINUTES },
      },
    });
  });

  test('an unknown resource, a wrong region or a status that is none is an operating error', async () => {
    const gone = { ...region, routeServer: { ...region.routeServer, resourceId: '/subscriptions/s/x' } };
    await expect(read(gone)).rejects.toMatchObject({ code: 'peer-status', retryable: false });
    rows = [{ instance: 'RouteServiceRole_IN_0', peer: ADDRESS, values: [0.5] }];
    await expect(read()).rejects.toThrow('a status of 0.5');
    const nowhere = createMetricsQuery(
      credential,
      { endpoint: 'https://127.0.0.1:1/{region}' },
      { nowMs: () => START_MS },
    );
    await expect(nowhere.read(region)).rejects.toMatchObject({ code: 'peer-status', retryable: true });
  });
});

describe('an answer', () => {
  const metric = { id: '', type: '', name: 'BGP Peer Status', unit: 'Unspecified' as const, timeseries: [] };

  test.each([
    ['without a metric', []],
    ['with two metrics', [{ metrics: [metric, metric] }]],
    ['that says it failed', [{ metrics: [{ ...metric, errorCode: 'InternalServerError' }] }]],
    ['whose series name no peer', [{ metrics: [{ ...metric, timeseries: [{ metadatavalues: [], data: [] }] }] }]],
    ['with too many series', [{ metrics: [{ ...metric, timeseries: Array.from({ length: 201 }, () => ({})) }] }]],
  ])('%s is refused, not guessed at', (_what, results) => {
    expect(() => parsePeerStatus(results)).toThrow(OperatingError);
  });
});

describe('status', () => {
  let world: TestPlane;
  let answers: PeerStatus['peers'] | undefined;
  let asked = 0;

  beforeEach(async () => {
    world = createTestPlane();
    [asked, answers] = [0, { [ADDRESS]: { RouteServiceRole_IN_0: { isUp: false, atMs: START_MS - MINUTES } } }];
    const read = async (): Promise<PeerStatus['peers']> => {
      asked += 1;
      if (answers === undefined) throw new OperatingError('peer-status', 'down', { retryable: true });
      return answers;
    };
    Object.assign(world.plane, { peerStatus: { read } });
    await world.report();
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
  });

  const shown = async () => {
    const status = statusSchema.parse(await readStatus(world.plane));
    const nvas = status.vips[0]?.regions.flatMap((one) => one.nvas) ?? [];
    return nvas.find(({ nva }) => nva === region.nvas[0]?.name)?.peerStatus;
  };

  test('shows it, asks for it every five minutes, and lets it go when it is old', async () => {
    await readLearned(world.plane)({ group: GROUP });
    const expected = [{ instance: 'RouteServiceRole_IN_0', isUp: false, atMs: START_MS - MINUTES }];
    expect(await shown()).toEqual(expected);
    const first = asked;
    world.nowMs += 4 * MINUTES;
    await readLearned(world.plane)({ group: GROUP });
    expect(asked).toBe(first);
    answers = undefined;
    world.nowMs += 2 * MINUTES;
    expect(await readLearned(world.plane)({ group: GROUP })).toMatchObject({ ok: true, failed: first });
    expect(await shown()).toEqual(expected);
    world.nowMs += 20 * MINUTES;
    expect(await shown()).toBeUndefined();
  });

  test('a metric that cannot be read is unknown, and changes no decision', async () => {
    const before = world.ledgerNow().decisionId;
    answers = undefined;
    await readLearned(world.plane)({ group: GROUP });
    expect(await shown()).toBeUndefined();
    await decideAndCommit(world.plane)({ group: GROUP, correlationId: 'c' });
    expect(world.ledgerNow().decisionId).toBe(before);
  });
});
