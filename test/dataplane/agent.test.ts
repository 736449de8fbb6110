// The whole agent with a data plane of its own, as a process in a namespace: what is announced follows what stands.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { AgentStatus } from '../../nva-agent/control/status.ts';
import { makeCertificate } from '../nva-agent/agent-world.ts';
import { describeWith } from '../support/needs.ts';
import { contoso } from '../support/topology.ts';
import { curl } from './load.ts';
import { type Network, NODE, until } from './network.ts';
import { appAddress, createRegions, nvaAddress, routeTo, VIP } from './regions.ts';

const NEEDS = {
  programs: ['ip', 'nft', 'haproxy', 'nsenter', 'setpriv', 'sysctl', 'curl', 'openssl'],
  root: true,
};
const NVA = 'nva-a';
const URL = `http://${VIP}/`;
const MAIN = join(import.meta.dirname, '../../nva-agent/main.ts');

/** The agent's topology and agent.yaml in the network's folder; `mode` says who carries the vip. */
function writeFiles(network: Network, mode: 'reverse-proxy' | 'none', port = 80): string {
  const topology = contoso();
  const { folder } = network;
  const [region] = topology.regions;
  region.nvas[0].address = nvaAddress('a');
  region.apps = { orders: `${appAddress('a')}:8080` };
  topology.regions[1].apps = { orders: `${appAddress('b')}:8080` };
  const [vip] = topology.vips;
  topology.vips = [vip];
  vip.dataPlane = mode === 'none' ? { mode } : { mode, ports: [{ listen: port, to: 8080 }], drainSeconds: 20 };
  vip.health.probe = { type: 'tcp', target: '{app}' };
  vip.health.intervalMs = 200;
  vip.health.timeoutMs = 150;
  writeFileSync(join(folder, 'anycast.yaml'), stringify(topology));
  mkdirSync(join(folder, 'state'), { recursive: true, mode: 0o700 });
  const file = join(folder, 'agent.yaml');
  writeFileSync(
    file,
    stringify({
      nva: 'we-nva-1',
      topology: 'anycast.yaml',
      stateDirectory: 'state',
      listen: '127.0.0.1:8443',
      tls: makeCertificate(folder),
      log: { level: 'warn' },
      stop: { lastResortSeconds: 0, withdrawSeconds: 0.3, drainSeconds: 15 },
    }),
  );
  return file;
}

describeWith(NEEDS, 'an agent that carries its vip', () => {
  jest.setTimeout(40_000);
  let network: Network;
  let file: string;
  let agent: ChildProcess;
  const start = () => network.start(NVA, [...NODE, MAIN, 'run', '--config', file]);
  const status = (): AgentStatus | undefined => {
    try {
      return JSON.parse(network.run(NVA, ['curl', '-sfk', 'https://127.0.0.1:8443/v1/status'])) as AgentStatus;
    } catch {
      // Not up yet, or gone.
      return undefined;
    }
  };
  const untilStatus = (what: string, isSo: (status: AgentStatus) => boolean) =>
    until(what, () => {
      const now = status();
      return now !== undefined && isSo(now) ? now : undefined;
    });
  const isAnnounced = (now: AgentStatus) => now.vips[0]?.announced !== null;
  const serves = () => curl(network, 'client', URL)?.includes('x-app: a') === true;
  const proxies = () =>
    network
      .run(NVA, ['sh', '-c', 'ip netns pids "$1" | xargs -r ps -o pid=,comm= -p', 'sh', network.namespaceOf(NVA)])
      .split('\n')
      .filter((line) => line.endsWith('haproxy'))
      .map((line) => Number.parseInt(line, 10));
  const exitOf = (child: ChildProcess) =>
    new Promise<number | null>((resolve) => {
      if (child.exitCode !== null) resolve(child.exitCode);
      else child.once('exit', (code) => resolve(code));
    });

  beforeAll(async () => {
    network = await createRegions({ regions: ['a'] });
    routeTo(network, 'a');
    file = writeFiles(network, 'reverse-proxy');
  });
  afterAll(() => network.remove());

  test('sets it up, then announces the vip and serves it', async () => {
    expect(serves()).toBe(false);
    agent = start();
    const now = await untilStatus('announced', isAnnounced);
    expect(serves()).toBe(true);
    expect(now.dataPlane).toMatchObject({ vips: [{ vip: 'orders', applied: true }] });
    expect(now.dataPlane).not.toHaveProperty('problem');
  });

  test('starts a killed proxy again without taking the vip off the wire', async () => {
    const before = status()?.vips[0]?.announced?.sinceMs;
    for (const pid of proxies()) process.kill(pid, 'SIGKILL');
    await until('served again', () => (serves() ? true : undefined), 30_000);
    expect(status()?.vips[0]?.announced?.sinceMs).toBe(before);
  });

  test('tells figures as metrics', async () => {
    const scrape = () => network.run(NVA, ['curl', '-sk', 'https://127.0.0.1:8443/metrics']);
    expect(scrape()).toContain('anycast_agent_dataplane_applied{vip="orders",mode="reverse-proxy"} 1');
    expect(serves()).toBe(true);
    // HAProxy counts the bytes of a connection when it ends.
    await until('its bytes are counted', () =>
      /anycast_agent_dataplane_bytes_total\{vip="orders",direction="out"\} [1-9]/.test(scrape()) ? true : undefined,
    );
    expect(scrape()).toMatch(/anycast_agent_dataplane_connections_total\{vip="orders"\} [1-9]/);
  });

  test('killed, it leaves the proxy to its next life, and no connection breaks', async () => {
    const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=100000&ms=4000`]);
    let bytes = 0;
    download.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await until('the first bytes', () => (bytes > 0 ? true : undefined));
    const before = proxies();
    agent.kill('SIGKILL');
    await exitOf(agent);
    agent = start();
    await untilStatus('announced again', isAnnounced);
    expect(proxies()).toEqual(before);
    expect(await exitOf(download)).toBe(0);
    expect(bytes).toBe(100_000);
  });

  test('a reload that gives the vip to somebody else takes everything away, another one brings it back', async () => {
    writeFiles(network, 'none');
    agent.kill('SIGHUP');
    await until('removed', () => (serves() ? undefined : true));
    await untilStatus('still announced: somebody else carries it', isAnnounced);
    expect(network.run(NVA, ['ip', '-br', 'addr', 'show', 'lo'])).not.toContain(VIP);
    writeFiles(network, 'reverse-proxy');
    agent.kill('SIGHUP');
    await until('served', () => (serves() ? true : undefined));
  });

  test('a port that is taken drops the vip to last resort, with the reason, until it is free', async () => {
    network.run(NVA, ['sysctl', '-q', '-w', 'net.ipv4.ip_nonlocal_bind=1']);
    const script = `require('node:net').createServer().listen(8090, '${VIP}', () => console.log('holds'))`;
    const holder = network.start(NVA, [process.execPath, '-e', script]);
    await until('the holder holds', () => (holder.stdout?.read() === null ? undefined : true));
    writeFiles(network, 'reverse-proxy', 8090);
    agent.kill('SIGHUP');
    const now = await untilStatus('not served', (seen) => seen.vips[0]?.local.verdict === 'unhealthy');
    expect(now.vips[0]?.announced?.lastResort).toBe(true);
    expect(now.vips[0]?.local).toMatchObject({
      verdict: 'unhealthy',
      detail: expect.stringMatching(/^data-plane-not-applied: proxy: /),
    });
    expect(now.dataPlane?.problem).toMatch(/proxy/);
    holder.kill('SIGKILL');
    await untilStatus('served once it is free', (seen) => seen.vips[0]?.local.verdict === 'healthy');
    writeFiles(network, 'reverse-proxy');
    agent.kill('SIGHUP');
    await until('served on the old port', () => (serves() ? true : undefined));
  });

  test('stopped, it lets a download finish, then nothing of ours is left', async () => {
    const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=100000&ms=2500`]);
    let bytes = 0;
    download.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await until('the first bytes', () => (bytes > 0 ? true : undefined));
    agent.kill('SIGTERM');
    expect(await exitOf(agent)).toBe(0);
    expect([await exitOf(download), bytes]).toEqual([0, 100_000]);
    expect(proxies()).toEqual([]);
    expect(network.run(NVA, ['ip', '-br', 'addr', 'show', 'lo'])).not.toContain(VIP);
  });
});
