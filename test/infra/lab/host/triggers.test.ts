// HTTP triggers, admin endpoints and every call of the real DurableClient, over real sockets.
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createRealClock } from '../../../../infra/lab/host/clock.ts';
import { type Host, startHost } from '../../../../infra/lab/host/host.ts';
import type { LogEntry } from '../../../../infra/lab/host/wire.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(30_000);

const KEY = 'function-key';
const SYSTEM_KEY = 'system-key';

let host: Host;
const logs: LogEntry[] = [];

beforeAll(async () => {
  host = await startHost({
    loadApp: () => import('./fixtures/trigger-app.ts'),
    clock: createRealClock(),
    log: (entry) => logs.push(entry),
    functionKeys: [KEY],
    systemKey: SYSTEM_KEY,
    timers: 'off',
  });
});
afterAll(() => host.stop());

const api = (path: string, init?: RequestInit) => fetch(`${host.origin}/api/${path}`, init);
const call = async (name: string, id = 'none', input: unknown = {}) => {
  const response = await api(`client/${name}/${id}`, { method: 'POST', body: JSON.stringify(input) });
  return (await response.json()) as { value?: unknown; error?: string };
};
/** Asks for the status until it is the wanted one. */
async function waitForStatus(id: string, wanted: string): Promise<Record<string, unknown>> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { value } = await call('status', id);
    const status = value as Record<string, unknown> | undefined;
    if (status?.runtimeStatus === wanted) return status;
    if (Date.now() > deadline) throw new Error(`${id} did not become ${wanted}: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('HTTP triggers', () => {
  test('carry method, url, parameters, query, headers, body, status, headers and cookies', async () => {
    const response = await api('echo/text/a/b%20c?x=1&y=two', {
      method: 'PUT',
      headers: { 'x-test': 'yes' },
      body: 'häh?',
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('x-kind')).toBe('text');
    expect(response.headers.getSetCookie()).toEqual([
      'session=a%20b; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict',
    ]);
    expect(await response.json()).toEqual({
      method: 'PUT',
      url: `${host.origin}/api/echo/text/a/b%20c?x=1&y=two`,
      params: { kind: 'text', path: 'a/b c' },
      query: { x: '1', y: 'two' },
      header: 'yes',
      body: 'häh?',
    });
  });

  test('carry bytes both ways, and streams', async () => {
    const response = await api('bytes', { method: 'POST', body: new Uint8Array([0, 1, 254, 255]) });
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([255, 254, 1, 0]);
    expect(await (await api('stream')).text()).toBe('one two three');
  });

  test.each([
    ['GET', 'health', 200, '{"ok":true}'],
    ['GET', 'HEALTH', 200, '{"ok":true}'],
    ['GET', 'items', 200, 'all'],
    ['GET', 'items/7', 200, 'number 7'],
    ['GET', 'items/seven', 200, 'name seven'],
    ['GET', 'items/special', 200, 'special'],
    ['DELETE', 'items/7', 204, ''],
    ['DELETE', 'items/special', 405, ''],
    ['POST', 'health', 405, ''],
    ['GET', 'no/such/path', 404, ''],
    ['GET', 'echo/123/x', 404, ''],
    ['GET', 'nothing', 204, ''],
    ['GET', 'throws', 500, ''],
    ['GET', 'guarded', 401, ''],
    ['GET', `guarded?code=${KEY}`, 200, 'in'],
    ['GET', 'guarded?code=wrong', 401, ''],
  ])('%s %s -> %i', async (method, path, status, body) => {
    const response = await api(path, { method });
    expect({ status: response.status, body: await response.text() }).toEqual({ status, body });
  });

  test('405 names the methods that are allowed', async () => {
    expect((await api('health', { method: 'POST' })).headers.get('allow')).toBe('GET');
  });

  test('the key may come as a header', async () => {
    expect((await api('guarded', { headers: { 'x-functions-key': KEY } })).status).toBe(200);
  });

  test('paths outside the prefix are not found', async () => {
    expect((await fetch(`${host.origin}/health`)).status).toBe(404);
  });

  test("a failure's text goes to the log, not to the caller", async () => {
    logs.length = 0;
    expect(await (await api('throws')).text()).toBe('');
    expect(logs).toContainEqual(
      expect.objectContaining({ message: 'about to fail', level: 'error', category: 'user' }),
    );
    expect(logs).toContainEqual(expect.objectContaining({ message: "HTTP function 'throws' failed: secret detail" }));
  });

  test('headers that HTTP does not allow end the connection, not the host', async () => {
    await expect(api('bad-header')).rejects.toThrow();
    expect((await api('health')).status).toBe(200);
  });

  test('a body above the limit is answered with 413, announced or not', async () => {
    const big = Buffer.alloc(16 * 1024 * 1024 + 1);
    const announced = await api('bytes', { method: 'POST', body: big }).catch((error: unknown) => error);
    // The server answers early and closes: some clients see the answer, some the closed connection.
    if (announced instanceof Response) expect(announced.status).toBe(413);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(`${host.origin}/api/bytes`, { method: 'POST' }, (response) =>
        resolve(response.statusCode),
      );
      outgoing.on('error', reject);
      for (let i = 0; i < 17; i++) outgoing.write(Buffer.alloc(1024 * 1024));
    });
    expect(status).toBe(413);
  });

  test('a Host header that is no host is answered with 400', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = httpRequest(`${host.origin}/api/health`, { headers: { host: 'a b' } }, (r) =>
        resolve(r.statusCode),
      );
      outgoing.on('error', reject).end();
    });
    expect(status).toBe(400);
  });
});

describe('the real DurableClient', () => {
  test('starts, and reads the status with its history', async () => {
    expect(await call('start', 'd1', { name: 'doubling', input: 4 })).toEqual({ value: 'd1' });
    const status = await waitForStatus('d1', 'Completed');
    expect(status).toMatchObject({ name: 'doubling', instanceId: 'd1', input: 4, output: 8, customStatus: null });
  });

  test('getStatus throws for an unknown instance, naming HTTP 404', async () => {
    expect((await call('status', 'unknown')).error).toContain('HTTP 404');
  });

  test('a start of a running id fails with 500, of an unknown function with 400', async () => {
    await call('start', 'w1', { name: 'waiting' });
    expect((await call('start', 'w1', { name: 'waiting' })).error).toContain('status code: 500');
    expect((await call('start', 'w2', { name: 'nobody' })).error).toContain('status code: 400');
  });

  test('raises events', async () => {
    await call('start', 'w3', { name: 'waiting' });
    expect(await call('raise', 'w3', { name: 'go', data: { far: true } })).toEqual({ value: null });
    expect(await waitForStatus('w3', 'Completed')).toMatchObject({ output: { far: true } });
    expect(await call('raise', 'w3', { name: 'go' })).toEqual({ value: null }); // 410 counts as done
    expect((await call('raise', 'nobody', { name: 'go' })).error).toContain('No instance');
  });

  test('suspends, resumes, terminates', async () => {
    await call('start', 'w4', { name: 'waiting' });
    await call('suspend', 'w4');
    await waitForStatus('w4', 'Suspended');
    await call('resume', 'w4');
    await waitForStatus('w4', 'Running');
    await call('terminate', 'w4');
    expect(await waitForStatus('w4', 'Terminated')).toMatchObject({ output: 'because' });
  });

  test('rewind is not supported, and says so', async () => {
    expect((await call('rewind', 'w4')).error).toContain('not supported');
  });

  test('lists all, or by status', async () => {
    const all = (await call('all')).value as { instanceId: string }[];
    expect(all.map(({ instanceId }) => instanceId)).toEqual(expect.arrayContaining(['d1', 'w1', 'w3', 'w4']));
    const terminated = (await call('by', 'none', { statuses: ['Terminated'] })).value as { instanceId: string }[];
    expect(terminated.map(({ instanceId }) => instanceId)).toEqual(['w4']);
  });

  test('lists more instances than fit on a page', async () => {
    for (let i = 0; i < 105; i++) await call('start', `many-${i}`, { name: 'doubling', input: i });
    const all = (await call('all')).value as { instanceId: string }[];
    expect(new Set(all.map(({ instanceId }) => instanceId)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(105);
  });

  test('signals and reads entities', async () => {
    expect(await call('entity', 'b1')).toEqual({ value: { entityExists: false } });
    await call('signal', 'b1', { data: { held: 1 } });
    const deadline = Date.now() + 15_000;
    let state: unknown;
    while (Date.now() < deadline && !(state as { entityExists?: boolean })?.entityExists)
      state = (await call('entity', 'b1')).value;
    expect(state).toEqual({ entityExists: true, entityState: { held: 1 } });
  });

  test('purges ended instances, one or by filter, not running ones', async () => {
    expect((await call('purge', 'w1')).error).toContain('412');
    expect(await call('purge', 'd1')).toEqual({ value: { instancesDeleted: 1 } });
    expect(await call('purge', 'd1')).toEqual({ value: { instancesDeleted: 0 } });
    await Promise.all(Array.from({ length: 105 }, (_, i) => waitForStatus(`many-${i}`, 'Completed')));
    const { value } = await call('purge-by');
    expect((value as { instancesDeleted: number }).instancesDeleted).toBeGreaterThanOrEqual(105);
    expect(await waitForStatus('w1', 'Running')).toBeDefined();
  });

  test('createCheckStatusResponse points to the management API, which wants its key', async () => {
    const response = await api('start/doubling', { method: 'POST', body: '6' });
    expect(response.status).toBe(202);
    const location = response.headers.get('location') ?? '';
    expect(location).toMatch(`${host.origin}/runtime/webhooks/durabletask/instances/`);
    const deadline = Date.now() + 15_000;
    let answer = await fetch(location);
    while (answer.status === 202 && Date.now() < deadline) answer = await fetch(location);
    expect(await answer.json()).toMatchObject({ runtimeStatus: 'Completed', output: 12 });
    expect((await fetch(location.replace(SYSTEM_KEY, 'guess'))).status).toBe(401);
  });

  test('waitForCompletionOrCreateCheckStatusResponse', async () => {
    const response = await api('run/doubling', { method: 'POST', body: '21' });
    expect(await response.json()).toBe(42);
  });
});

describe('admin endpoints', () => {
  test('the status needs no key', async () => {
    const response = await fetch(`${host.origin}/admin/host/status`);
    expect(await response.json()).toMatchObject({
      state: 'Running',
      functions: expect.arrayContaining(['health', 'tick']),
    });
  });

  test('a timer function can be run by hand, with the key', async () => {
    const { seen } = await import('./fixtures/trigger-app.ts');
    const before = seen.ticks.length;
    const post = (name: string, key: string) =>
      fetch(`${host.origin}/admin/functions/${name}`, { method: 'POST', headers: { 'x-functions-key': key } });
    expect((await post('tick', 'wrong')).status).toBe(401);
    expect((await post('health', SYSTEM_KEY)).status).toBe(404);
    expect((await post('tick', SYSTEM_KEY)).status).toBe(202);
    await waitForStatus(`tick-${before + 1}`, 'Completed');
    expect(seen.ticks).toHaveLength(before + 1);
  });
});

test('stop lets a running request end, refuses new ones and calls the appTerminate hooks', async () => {
  const { seen } = await import('./fixtures/trigger-app.ts');
  const other = await startHost({ loadApp: () => import('./fixtures/trigger-app.ts'), timers: 'off' });
  const running = fetch(`${other.origin}/api/held`);
  const deadline = Date.now() + 15_000;
  seen.release = () => {};
  const untouched = seen.release;
  while (seen.release === untouched && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
  const stopped = other.stop();
  seen.release();
  expect(await (await running).text()).toBe('released');
  await stopped;
  await expect(fetch(`${other.origin}/api/health`)).rejects.toThrow();
  expect(seen.terminated).toBe(1);
});
