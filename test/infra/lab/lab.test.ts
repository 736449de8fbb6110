// The whole lab as a child process, as a person starts it: steady state, ground truth, faults, and a clean end.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { findBreaks } from '../../../infra/cli/verbs/audit.ts';
import type { World, WorldRegion, WorldVip } from '../../../infra/lab/world.ts';
import {
  auditPageSchema,
  healthSchema,
  type Operation,
  operationSchema,
  type Status,
  statusSchema,
} from '../../../shared/api.ts';
import type { AuditRecord } from '../../../shared/audit.ts';
import { until } from '../../support/until.ts';

const MAIN = 'infra/lab/main.ts';
/** A machine that runs other suites at the same time is slow; what is waited for is polled, never slept for. */
const SLOW_MS = 120_000;
const POLL_MS = 100;
/** How long something must not happen to count as not happening: two ticks of the lab. */
const STILL_MS = 7000;
jest.setTimeout(4 * SLOW_MS);

interface RunningLab {
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | string | null>;
  readonly control: string;
}

function run(...args: string[]) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('close', (code, signal) => resolve(signal ?? code)),
  );
  return { process: child, output: () => output, ended };
}

async function startLab(): Promise<RunningLab> {
  const child = run('--port', '0', '--control-port', '0');
  const port = await until(
    'the lab says where it is',
    () => {
      if (child.process.exitCode !== null) throw new Error(child.output());
      return /lab http:\/\/127\.0\.0\.1:(\d+)\/world/.exec(child.output())?.[1];
    },
    SLOW_MS,
    POLL_MS,
  );
  return { ...child, control: `http://127.0.0.1:${port}` };
}

async function getWorld(lab: RunningLab): Promise<World> {
  const response = await fetch(`${lab.control}/world`);
  expect(response.status).toBe(200);
  return (await response.json()) as World;
}

const regionOf = (world: World, name: string): WorldRegion => {
  const region = world.regions.find((candidate) => candidate.region === name);
  if (region === undefined) throw new Error(`no region ${name}`);
  return region;
};
const vipOf = (world: World, name: string): WorldVip => {
  const vip = world.vips.find((candidate) => candidate.vip === name);
  if (vip === undefined) throw new Error(`no vip ${name}`);
  return vip;
};
/** Every path of the vip as on-premises sees it: what must not change when nothing may. */
const wireOf = (world: World, prefix: string): string =>
  world.onPremises
    .filter((route) => route.prefix === prefix)
    .map((route) => `${route.region} ${route.asPath.join(' ')}`)
    .sort()
    .join('; ');

const pidsOf = (world: World): number[] =>
  [
    world.storage.pid,
    ...world.seats.map((seat) => seat.pid),
    ...world.regions.flatMap((region) => [region.app.pid, ...region.nvas.map((nva) => nva.pid)]),
  ].flatMap((pid) => pid ?? []);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('the lab', () => {
  let lab: RunningLab;
  let seat: string;

  beforeAll(async () => {
    lab = await startLab();
    await until(
      'the first proved steady state',
      async () => (await getWorld(lab)).steadyAfterMs !== null,
      SLOW_MS,
      POLL_MS,
    );
    seat = `http://127.0.0.1:${Object.values((await getWorld(lab)).ports.functions)[0]}/api`;
  });
  afterAll(async () => {
    lab?.process.kill('SIGKILL');
    await lab?.ended;
  });

  const world = () => getWorld(lab);
  const answered = (vip: string, region: string) =>
    until(`${vip} answered by ${region}`, async () => vipOf(await world(), vip).answeredBy === region, SLOW_MS, 20);
  const makeFault = async (body: object) => {
    const response = await fetch(`${lab.control}/faults`, { method: 'POST', body: JSON.stringify(body) });
    expect([response.status, await response.clone().text()]).toEqual([201, expect.any(String)]);
  };
  const endFaults = async () => {
    expect((await fetch(`${lab.control}/faults`, { method: 'DELETE' })).status).toBe(200);
  };
  const token = async () => {
    const { access_token } = (await (await fetch(`${lab.control}/token`)).json()) as { access_token: string };
    return access_token;
  };
  const call = async (path: string, body?: object): Promise<Response> =>
    fetch(`${seat}/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'idempotency-key': `test-${Math.random()}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const getStatus = async (): Promise<Status> => statusSchema.parse(await (await call('status')).json());
  const getAudit = async (): Promise<AuditRecord[]> => {
    const records: AuditRecord[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = await call(`audit${after === '' ? '' : `?after=${encodeURIComponent(after)}`}`);
      const parsed = auditPageSchema.parse(await page.json());
      records.push(...parsed.records);
      after = parsed.next;
    }
    return records;
  };
  const start = async (path: string, body: object): Promise<Operation> => {
    const response = await call(path, body);
    const json: unknown = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(json));
    return operationSchema.parse(json);
  };
  const getOperation = async (id: string): Promise<Operation | undefined> => {
    const response = await call(`operations/${id}`).catch(() => undefined);
    return response?.status === 200 ? operationSchema.parse(await response.json()) : undefined;
  };
  /** Asks again while nobody answers: the seat may just be starting. */
  const finished = (id: string): Promise<Operation> =>
    until(
      `${id} has ended`,
      async () => {
        const operation = await getOperation(id);
        return operation?.state === 'running' ? undefined : operation;
      },
      SLOW_MS,
      POLL_MS,
    );
  /** All as in the beginning: the ladder recentred, everybody answered by the first region, the next move allowed. */
  const rested = () =>
    until(
      'all rests',
      async () => {
        const plan = await call('vips/orders/failover', { to: 'northeurope', reason: 'may it move?', dryRun: true });
        const allowed = plan.ok && ((await plan.json()) as { allowed: boolean }).allowed;
        return (
          allowed &&
          (await getStatus()).vips.every(
            (v) =>
              v.regions.every((r, i) => r.rung === 4 + i && r.verdict === 'healthy') &&
              v.servedBy === v.regions[0]?.region,
          )
        );
      },
      SLOW_MS,
      250,
    );

  test('shows ground truth at every hop', async () => {
    const seen = await world();
    expect(seen.regions.map((region) => region.region)).toEqual(['westeurope', 'northeurope']);
    for (const region of seen.regions) {
      expect(region.app.state).toBe('running');
      expect(region.nvas).toMatchObject([{ state: 'running', controlPath: 'open', clockOffsetMs: 0 }]);
      expect(region.routeServers).toHaveLength(2);
      for (const server of region.routeServers) {
        expect(server.sessions).toMatchObject([{ state: 'Established', holdSeconds: 30 }]);
        expect(server.routes.map((route) => route.prefix)).toEqual(['192.0.2.10/32', '192.0.2.20/32']);
      }
      expect(region.edge.routes).toHaveLength(2);
    }
    const west = seen.onPremises.find((route) => route.region === 'westeurope' && route.prefix === '192.0.2.10/32');
    expect(west).toMatchObject({ best: true, asPath: [12076, ...new Array<number>(12).fill(64500)] });
    expect(vipOf(seen, 'orders')).toMatchObject({ answeredBy: 'westeurope', outageSinceMs: null });
    expect(vipOf(seen, 'billing')).toMatchObject({ answeredBy: 'northeurope', outageSinceMs: null });
    expect(seen).toMatchObject({ storage: { state: 'up' }, ingestion: { state: 'up' }, faults: [] });
    expect(seen.sinceStartMs).toBeGreaterThan(0);
  });

  test('serves clients from the other region when an application dies, and leaves a decision on record', async () => {
    await makeFault({ kind: 'app-crash', region: 'westeurope' });
    await answered('orders', 'northeurope');
    // The reflex may be faster than the client's next request: then there is no outage to find.
    const outage = (await world()).outages.find((o) => o.vip === 'orders');
    expect(outage?.failedRequests ?? 1).toBeGreaterThan(0);
    expect(regionOf(await world(), 'westeurope')).toMatchObject({
      app: { state: 'dead' },
      apps: { orders: { mode: 'crashed' } },
    });
    await until(
      'northeurope acts',
      async () => (await getStatus()).vips.find((vip) => vip.vip === 'orders')?.acting === 'northeurope',
      SLOW_MS,
      POLL_MS,
    );
    await until(
      'the takeover is on record',
      async () =>
        (await getAudit()).some((r) => r.Kind === 'decision' && r.Vip === 'orders' && r.Detail.kind === 'takeover'),
      SLOW_MS,
      POLL_MS,
    );
    await endFaults();
    expect(regionOf(await world(), 'westeurope').app.state).toBe('running');
    await answered('orders', 'westeurope');
    await rested();
  });

  test('finishes an operation whose control plane was killed in the middle, and moves once', async () => {
    // The target's agent cannot be reached: the move is committed and recorded, and then hangs in the middle.
    await makeFault({ kind: 'partition-control', nva: 'ne-nva-1' });
    const begun = await start('vips/orders/failover', { to: 'northeurope', reason: 'planned work in a test' });
    await until(
      'the move is committed',
      async () => (await getOperation(begun.id))?.steps.some((step) => step.name === 'committed'),
      SLOW_MS,
      20,
    );
    await makeFault({ kind: 'control-crash' });
    expect(vipOf(await world(), 'orders').answeredBy).toBe('westeurope');
    await endFaults();
    const done = await finished(begun.id);
    expect([done.state, done.problems]).toEqual(['proved', []]);
    await answered('orders', 'northeurope');
    const moves = (await getAudit()).filter(
      (r) =>
        r.Kind === 'decision' && r.Region === 'northeurope' && r.CorrelationId === begun.id && r.Before !== r.After,
    );
    expect(moves).toHaveLength(1);
    expect(
      (await getStatus()).vips.find((vip) => vip.vip === 'orders')?.regions.find((r) => r.region === 'northeurope')
        ?.rung,
    ).toBe(3);
    await endFaults();
    const back = await start('vips/orders/failback', { reason: 'back to the first region' });
    expect(['proved', 'already-so']).toContain((await finished(back.id)).state);
    await rested();
  });

  test('decides nothing and changes nothing while storage is down, and says so', async () => {
    const before = await world();
    const decided = (await getStatus()).generation;
    await makeFault({ kind: 'storage-down' });
    const response = await call('vips/orders/failover', { to: 'northeurope', reason: 'must not be possible now' });
    // Either refused at once, or accepted and not carried out: the wire decides.
    expect(response.status === 202 || response.status >= 500).toBe(true);
    await until(
      'health says that the ledger is unreachable',
      async () => healthSchema.parse(await (await call('health')).json()).ledger === 'unreachable',
      SLOW_MS,
      POLL_MS,
    );
    // Two ticks and more: whatever would change the wire has had its turn.
    for (const endMs = Date.now() + STILL_MS; Date.now() < endMs; await pause(POLL_MS)) {
      const during = await world();
      expect(during.storage.state).toBe('down');
      for (const vip of during.vips) expect(wireOf(during, vip.prefix)).toBe(wireOf(before, vip.prefix));
    }
    await endFaults();
    await until('the ledger is reachable again', async () => (await getStatus()).ledger === 'ok', SLOW_MS, POLL_MS);
    expect((await getStatus()).generation).toBeGreaterThanOrEqual(decided);
    if (response.status === 202) {
      const { id } = operationSchema.parse(await response.json());
      await finished(id);
      const back = await start('vips/orders/failback', { reason: 'back to the first region' });
      await finished(back.id);
    }
    await rested();
  });

  test('keeps audit records while ingestion is down and ships each of them afterwards', async () => {
    await makeFault({ kind: 'ingestion-down' });
    const before = (await world()).ingestion;
    const hold = await call('holds', { vip: 'billing', seconds: 60, reason: 'something to put on record' });
    expect(hold.ok).toBe(true);
    const recorded = await until(
      'the hold is on record',
      async () => (await getAudit()).find((record) => record.Kind === 'hold' && record.Vip === 'billing'),
      SLOW_MS,
      POLL_MS,
    );
    expect((await world()).ingestion).toMatchObject({ state: 'down', eventIds: before.eventIds });
    await endFaults();
    const records = await until(
      'every record has arrived',
      async () => {
        const all = await getAudit();
        return (await world()).ingestion.eventIds >= all.length ? all : undefined;
      },
      SLOW_MS,
      250,
    );
    expect(records.map((record) => record.EventId)).toContain(recorded.EventId);
    expect(new Set(records.map((record) => record.EventId)).size).toBe(records.length);
    expect(findBreaks(records)).toEqual([]);
  });

  test('refuses a fault it does not know with a problem document', async () => {
    const response = await fetch(`${lab.control}/faults`, { method: 'POST', body: '{"kind":"app-crash"}' });
    expect([response.status, response.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
  });

  test('ends on SIGTERM with nothing left: no process, no port, no directory', async () => {
    const seen = await world();
    lab.process.kill('SIGTERM');
    expect(await lab.ended).toBe(0);
    expect(pidsOf(seen).filter(isAlive)).toEqual([]);
    expect(existsSync(seen.directory)).toBe(false);
    for (const port of [seen.ports.control, ...Object.values(seen.ports.functions)]) {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, '127.0.0.1', resolve);
      });
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

test('a lab killed with SIGKILL leaves no process behind, not even a frozen one', async () => {
  const lab = await startLab();
  const seen = await getWorld(lab);
  const frozen = await fetch(`${lab.control}/faults`, {
    method: 'POST',
    body: '{"kind":"nva-freeze","nva":"we-nva-1"}',
  });
  expect(frozen.status).toBe(201);
  lab.process.kill('SIGKILL');
  await lab.ended;
  await until('all children are gone', () => pidsOf(seen).filter(isAlive).length === 0, 30_000, POLL_MS);
});

describe('bad input', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anycast-lab-'));

  test('a bad topology is refused with every problem and its path, and nothing is started', async () => {
    const file = join(folder, 'bad.yaml');
    writeFileSync(
      file,
      'version: 1\nname: bad\nvips: []\nregions:\n  - name: x\n    routeServer: { peers: [nowhere] }\n',
    );
    const child = run('--topology', file);
    expect(await child.ended).toBe(2);
    for (const path of ['transport', 'vips', 'seats', 'regions[0].routeServer.peers[0]'])
      expect(child.output()).toContain(`${path}:`);
    expect(child.output()).not.toContain('starting');
  });
  test('a topology that is not there', async () => {
    const child = run('--topology', join(folder, 'none.yaml'));
    expect(await child.ended).toBe(2);
    expect(child.output()).toContain('none.yaml');
  });
  test('an unknown option', async () => {
    const child = run('--fast');
    expect(await child.ended).toBe(2);
    expect(child.output()).toContain('usage: npm start');
  });
  test.each(['--control-port', '--port'])('a %s that is taken', async (option) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const other = option === '--port' ? '--control-port' : '--port';
    const child = run(option, String(port), other, '0');
    expect(await child.ended).toBe(2);
    expect(child.output()).toContain(
      `port ${port} is taken: another lab may be running. Choose another with ${option}`,
    );
    await new Promise((resolve) => server.close(resolve));
  });
});
