// The command line, each verb as a process.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AGENT_VERSION } from '../../nva-agent/version.ts';
import { type AgentWorld, createAgentWorld, until } from './agent-world.ts';
import { LAST_RESORT, VIP_PREFIX } from './order-draft.ts';

const NODE = join(process.cwd(), 'node_modules/.bin/node');
const ARGV = ['--disable-warning=ExperimentalWarning', 'nva-agent/main.ts'];

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
});
afterEach(() => world.stop());

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const cli = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(NODE, [...ARGV, ...args], (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }));
  });

const untilPrepend = (prepend: number | undefined) =>
  until(`prepend ${prepend}`, () => world.peers.every((peer) => peer.prepend(VIP_PREFIX) === prepend), 15_000);

describe('anycast-agent', () => {
  test('check-config and run list every problem and exit 2, starting nothing', async () => {
    expect(await cli('check-config', '-c', world.configFile)).toMatchObject({ code: 0 });
    world.write(
      (topology) => {
        topology.vips[0].regions = ['westeurope', 'nowhere'];
        topology.timing.tickSeconds = 7;
      },
      (agent) => {
        agent.tls.cert = 'gone.pem';
      },
    );
    for (const verb of ['check-config', 'run']) {
      const { code, err } = await cli(verb, '-c', world.configFile);
      expect(code).toBe(2);
      for (const word of ['unknown-region', 'tick-not-dividing-minute', 'tls.cert']) expect(err).toContain(word);
    }
    expect(
      world.peers.some((peer) => peer.events.some((event) => event.type === 'state' && event.state === 'OpenSent')),
    ).toBe(false);
  }, 20_000);

  test('run, status, override, SIGHUP with a bad file, SIGTERM', async () => {
    const agent = spawn(NODE, [...ARGV, 'run', '-c', world.configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    agent.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const exited = once(agent, 'exit');
    await untilPrepend(LAST_RESORT);
    const status = await cli('status', '-c', world.configFile);
    expect(status.out).toMatch(/orders +192\.0\.2\.10\/32 +● healthy/);
    expect(status.out).toContain('no order was ever accepted');
    expect(await cli('override', 'orders', 'withhold', '--reason', 'test', '-c', world.configFile)).toMatchObject({
      code: 0,
    });
    await untilPrepend(undefined);
    expect(await cli('override', 'nobody', 'withhold', '--reason', 'test', '-c', world.configFile)).toMatchObject({
      code: 1,
    });
    expect(await cli('override', 'orders', 'end', '--reason', 'test', '-c', world.configFile)).toMatchObject({
      code: 0,
    });
    await untilPrepend(LAST_RESORT);
    const good = readFileSync(world.configFile, 'utf8');
    writeFileSync(world.configFile, `${good}\nnonsense: 1\n`);
    agent.kill('SIGHUP');
    await until('the bad file is refused', () => errors.includes('nonsense: no such key'));
    expect(world.peers.every((peer) => peer.prepend(VIP_PREFIX) === LAST_RESORT)).toBe(true);
    writeFileSync(world.configFile, good);
    agent.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(world.seat.reports.at(-1)?.report.stopping).toBe(true);
    expect(await cli('status', '-c', world.configFile)).toMatchObject({ code: 3 });
  }, 30_000);

  test('an unforeseen failure ends the process with its sessions: the routes are gone at once', async () => {
    const agent = spawn(NODE, [...ARGV, 'run', '-c', world.configFile], { stdio: 'ignore' });
    const exited = once(agent, 'exit');
    await untilPrepend(LAST_RESORT);
    agent.kill('SIGKILL');
    await untilPrepend(undefined);
    await exited;
  }, 20_000);

  test('doctor finds what is wrong and says what to do', async () => {
    const { code, out } = await cli('doctor', '--json', '-c', world.configFile);
    const findings: { check: string; outcome: string; fix?: string }[] = JSON.parse(out);
    expect(code).toBe(0);
    expect(findings).toContainEqual(expect.objectContaining({ check: 'probe of orders can fail', outcome: 'ok' }));
    expect(findings).toContainEqual(expect.objectContaining({ check: 'managed identity', outcome: 'ok' }));
    await Promise.all([world.app.crash(), world.seat.stop()]);
    const worse = await cli('doctor', '-c', world.configFile);
    expect(worse.code).toBe(1);
    expect(worse.out).toMatch(/\(✕\) managed identity: .*\n +fix: assign a managed identity/);
    expect(worse.out).toMatch(/\(!\) probe of orders: connection refused\n +fix: /);
    expect((await cli('doctor', '-c', join(world.folder, 'gone.yaml'))).code).toBe(2);
  }, 30_000);

  test('decode reads messages from stdin', async () => {
    const child = spawn(NODE, [...ARGV, 'decode'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stdin.end(`${'ff'.repeat(16)}001304\n`);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(JSON.parse(out)).toEqual({ type: 'keepalive' });
  });

  test('has the version of the package', async () => {
    expect(JSON.parse(readFileSync('package.json', 'utf8')).version).toBe(AGENT_VERSION);
    expect((await cli('--version')).out.trim()).toBe(AGENT_VERSION);
  });
});
