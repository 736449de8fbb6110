// The host as a process: command line, SIGTERM, kill -9, a bundled app, triggers in processes of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { build } from 'esbuild';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(30_000);

const ROOT = join(import.meta.dirname, '../../../..');
const MAIN = join(ROOT, 'infra/lab/host/main.ts');
const APP = join(import.meta.dirname, 'fixtures/trigger-app.ts');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'host-process-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly port: number;
  readonly rpcUrl: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function start(...args: string[]): Promise<Started> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, '--port', '0', ...args], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      FUNCTIONS_HOST_KEYS: 'k1,k2',
      FUNCTIONS_HOST_SYSTEM_KEY: 'sk',
      http_proxy: 'http://127.0.0.1:1',
    },
  });
  running.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    void exited.then(() => reject(new Error(`ended before it was ready: ${stderr}`)));
  });
  const { type, port, rpcUrl } = JSON.parse(line);
  expect(type).toBe('ready');
  return { child, port, rpcUrl, exited };
}

async function post(port: number, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/api/${path}`, { method: 'POST', body: JSON.stringify(body) });
  return response.json();
}

async function waitForOutput(port: number, id: string): Promise<unknown> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { value } = (await post(port, `client/status/${id}`, {})) as {
      value?: { runtimeStatus: string; output: unknown };
    };
    if (value?.runtimeStatus === 'Completed') return value.output;
    if (Date.now() > deadline) throw new Error(`${id} did not complete: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the host as a process', () => {
  test('runs an app of ES modules in TypeScript, and stops on SIGTERM', async () => {
    const host = await start('--app', APP, '--timers', 'off');
    expect(await post(host.port, 'run/doubling', 21)).toBe(42);
    expect((await fetch(`http://127.0.0.1:${host.port}/api/guarded?code=k2`)).status).toBe(200);
    host.child.kill('SIGTERM');
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  test('does not outlive the process that started it', async () => {
    const host = await start('--app', APP, '--timers', 'off', '--stop-with-stdin');
    host.child.stdin?.end();
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  test('calls its task hub directly, whatever proxy the machine has', async () => {
    const host = await start('--app', APP, '--timers', 'off');
    expect(await post(host.port, 'run/doubling', 1)).toBe(2);
  });

  test('runs the same app as one bundle', async () => {
    const outfile = join(directory, 'app.mjs');
    await build({
      entryPoints: [APP],
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      external: ['@azure/functions-core'],
      banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
      logLevel: 'silent',
    });
    const host = await start('--app', outfile, '--timers', 'off');
    expect(await post(host.port, 'run/doubling', 4)).toBe(8);
  });

  test('goes on where kill -9 left it', async () => {
    const args = ['--app', APP, '--timers', 'off', '--task-hub', join(directory, 'hub.db')];
    const first = await start(...args);
    await post(first.port, 'client/start/w', { name: 'waiting' });
    first.child.kill('SIGKILL');
    expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
    const second = await start(...args);
    await post(second.port, 'client/raise/w', { name: 'go', data: 'gone' });
    expect(await waitForOutput(second.port, 'w')).toBe('gone');
  });

  test('each trigger may run in a process of its own, against the owner of the task hub', async () => {
    const owner = await start('--app', APP, '--timers', 'off', '--functions', 'double,doubling,waiting,Box');
    const remote = ['--app', APP, '--durable-rpc-url', owner.rpcUrl];
    const web = await start(...remote, '--functions', 'client,run', '--timers', 'off');
    const clock = await start(...remote, '--functions', 'tick', '--timers', 'off');

    expect(await post(web.port, 'run/doubling', 21)).toBe(42);
    const tick = await fetch(`http://127.0.0.1:${clock.port}/admin/functions/tick`, {
      method: 'POST',
      headers: { 'x-functions-key': 'sk' },
    });
    expect(tick.status).toBe(202);
    expect(await waitForOutput(web.port, 'tick-1')).toBe(2);
    // The others run neither its functions nor its task hub.
    expect((await fetch(`http://127.0.0.1:${owner.port}/api/run/doubling`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${web.port}/runtime/webhooks/durabletask/instances?code=sk`)).status).toBe(
      404,
    );
    // The owner gone, its clients fail and say so; they do not hang.
    owner.child.kill('SIGKILL');
    await owner.exited;
    expect(await post(web.port, 'client/status/tick-1', {})).toEqual({
      error: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('an app that throws while it loads ends the process with its error', async () => {
    await expect(start('--app', join(directory, 'missing.ts'))).rejects.toThrow('ERR_MODULE_NOT_FOUND');
  });
});
