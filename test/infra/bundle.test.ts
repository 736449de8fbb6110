// The function app as it is deployed: the bundle serves, and what was left out of its packages is not missed.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LEDGER_CONTAINER, ledgerBlob } from '../../functions/storage-names.ts';
import { bundle, bundleBytes } from '../../infra/bundle.ts';
import { trimNetworkClient } from '../../infra/bundle-trims.ts';
import { type Azure, startAzure } from '../../infra/lab/azure/azure.ts';
import { createAuthority } from '../../infra/lab/azure/certificates.ts';
import type { Nva, Region, Seat } from '../../shared/topology-schema.ts';
import { type Azurite, startAzurite } from '../support/azurite.ts';
import { GROUP, reportOf, testTopology } from '../support/plane.ts';
import { until } from '../support/until.ts';

// Far more than it takes: a busy machine must not fail the test.
const PATIENCE_MS = 120_000;
const MAIN = join(import.meta.dirname, '../../infra/lab/host/main.ts');
const QUIET = '--disable-warning=ExperimentalWarning';
const REPORTER = { name: 'agent', roles: ['Agent.Report'] as const };
const ROUTE = { prefix: '192.0.2.10/32', asPath: [65001, 64500] };

let folder: string;
let azure: Azure;
let azurite: Azurite | undefined;
let environment: NodeJS.ProcessEnv;
/** Nobody listens where the agents are said to be. */
const topology = testTopology((draft) => {
  for (const one of draft.regions.flatMap((each: Region) => each.nvas)) one.agent = 'https://127.0.0.1:1';
});
const [region] = topology.regions as [Region];
const [nva] = region.nvas as [Nva];
const [seat] = topology.seats as [Seat];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  const authority = await createAuthority();
  writeFileSync(join(folder, 'ca.pem'), authority.ca);
  azure = await startAzure({
    ...{ authority, principals: [{ name: 'func', roles: [] }, REPORTER], operationMs: 10 },
    learned: () => region.routeServer.peers.map((instance) => ({ instance, nextHop: nva.address, ...ROUTE })),
    circuit: () => [{ nextHop: '10.1.0.4', ...ROUTE }],
  });
  environment = { ...process.env, ...azure.environmentOf('func'), NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
  environment.no_proxy = '127.0.0.1';
  azurite = await startAzurite();
  await bundle(join(folder, 'app'), { app: 'functions/app.ts' });
  await bundle(join(folder, 'routes'), { 'read-routes': 'test/infra/fixtures/read-routes.ts' });
}, PATIENCE_MS);
afterAll(async () => {
  await azure?.stop();
  await azurite?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the bundle on the in-process host and hands its port on; ends it afterwards. */
async function whileServing<T>(settings: NodeJS.ProcessEnv, use: (port: number) => Promise<T>): Promise<T> {
  const args = [QUIET, MAIN, '--app', join(folder, 'app/app.mjs'), '--port', '0', '--timers', 'off'];
  const child: ChildProcess = spawn(process.execPath, args, { env: settings, stdio: ['pipe', 'pipe', 'pipe'] });
  try {
    let said = '';
    child.stderr?.on('data', (part) => {
      said += part;
    });
    const line = await new Promise<string>((resolve, reject) => {
      if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
      child.once('exit', (code) => reject(new Error(`ended with ${code} before it served: ${said}`)));
    });
    return await use((JSON.parse(line) as { port: number }).port);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Settings of the seat, with a key of its own; its topology is written beside the bundle. */
function seatSettings(): NodeJS.ProcessEnv {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = pair.publicKey.export({ format: 'jwk' });
  const file = join(folder, 'anycast.yaml');
  writeFileSync(file, JSON.stringify({ ...topology, seats: [{ ...seat, orderKeys: [{ kid: 'k1', jwk }] }] }));
  return {
    ...environment,
    ...{ ANYCAST_TOPOLOGY: file, ANYCAST_SEAT: seat.name, ANYCAST_AGENT_CA: join(folder, 'ca.pem') },
    ANYCAST_ORDER_KEY: JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'k1' }),
    ANYCAST_STORAGE: azurite?.connectionString,
  };
}

/** What an agent that has just begun would send. */
const firstReport = (): string =>
  JSON.stringify({
    ...reportOf(
      topology,
      nva.name,
      { order: undefined, verdict: 'healthy', isDead: false, refusesWith: undefined, delivered: 0 },
      Date.now(),
      1,
    ),
    transition: true,
  });

/** Undefined until the seat has decided for the first time. */
async function committedLedger(): Promise<{ decisionId: string } | undefined> {
  const service = BlobServiceClient.fromConnectionString(azurite?.connectionString ?? '');
  const blob = service.getContainerClient(LEDGER_CONTAINER).getBlobClient(ledgerBlob(GROUP));
  if (!(await blob.exists())) return undefined;
  const ledger = JSON.parse((await blob.downloadToBuffer()).toString('utf8')) as { decisionId: string };
  return ledger.decisionId === '' ? undefined : ledger;
}

describe('the bundle of the function app', () => {
  test(
    'serves, with the SDKs of Azure in parts of their own',
    async () => {
      const { description, refused } = await whileServing(seatSettings(), async (port) => {
        const origin = `http://127.0.0.1:${port}/api`;
        const described = await fetch(`${origin}/openapi.json`);
        return { description: await described.json(), refused: (await fetch(`${origin}/status`)).status };
      });
      expect(description).toMatchObject({ openapi: '3.1.0' });
      expect(refused).toBe(401);
      const parts = readdirSync(join(folder, 'app')).join(' ');
      for (const part of ['arm-routes', 'logs-sink', 'logs-query', 'metrics-query']) expect(parts).toContain(part);
      expect(bundleBytes(join(folder, 'app'))).toBeLessThan(4 * 1024 * 1024);
    },
    PATIENCE_MS,
  );

  test(
    'takes a report and commits a ledger, with a storage client that lost the checksums nobody asks for',
    async () => {
      const token = await azure.token(REPORTER.name, { audience: seat.audience, lifetimeSeconds: 3600 });
      const ledger = await whileServing(seatSettings(), async (port) => {
        const answer = await fetch(`http://127.0.0.1:${port}/api/agents/${nva.name}/reports`, {
          ...{ method: 'POST', body: firstReport() },
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        });
        expect([answer.status, await answer.json()]).toMatchObject([200, { accepted: true }]);
        return await until('a ledger that somebody decided on', committedLedger, PATIENCE_MS, 50);
      });
      expect(ledger).toMatchObject({ group: GROUP, seat: seat.name });
    },
    2 * PATIENCE_MS,
  );

  test(
    'reads routes through the network client, which lost the operation groups that nobody calls',
    async () => {
      const asked = JSON.stringify({ region, nva, endpoint: azure.origin });
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'routes/read-routes.mjs'), asked], {
        env: environment,
      });
      const held = { [ROUTE.prefix]: ROUTE.asPath };
      expect(JSON.parse(stdout)).toEqual({
        learned: Object.fromEntries(region.routeServer.peers.map((peer) => [peer, held])),
        circuit: ['primary', 'secondary'].map((device) => ({ ...ROUTE, device })),
      });
    },
    PATIENCE_MS,
  );

  test('a package that looks different after an update is refused, not half taken', () => {
    expect(() => trimNetworkClient('class NetworkManagementClient {}')).toThrow('0 mentions of operation groups');
  });

  test(
    'of an earlier build is gone',
    async () => {
      const out = join(folder, 'again');
      await bundle(out, { elder: 'test/infra/fixtures/read-routes.ts' });
      writeFileSync(join(out, 'host.json'), '{}');
      await bundle(out, { younger: 'test/infra/fixtures/read-routes.ts' });
      expect(existsSync(join(out, 'elder.mjs'))).toBe(false);
      expect(existsSync(join(out, 'host.json'))).toBe(true);
    },
    PATIENCE_MS,
  );
});
