// The .deb in a clean root without Node.js: installs, holds sessions with BIRD, obeys a signed order, reacts, leaves.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { stringify } from 'yaml';
import { type Authority, createAuthority } from '../../../infra/lab/azure/certificates.ts';
import { ORDER_CONTENT_TYPE, ORDER_LIFETIME_MS, type Order } from '../../../shared/order.ts';
import { type OrderSigningKey, signOrder } from '../../../shared/order-signature.ts';
import { BIRD, startBirdPeer } from '../../support/bird.ts';
import { type BootedRoot, bootRoot, canBoot } from '../../support/booted-root.ts';
import { type Daemon, freePort, startDaemon } from '../../support/daemon.ts';
import { describeWith } from '../../support/needs.ts';
import type { PeerDaemon } from '../../support/peer-daemon.ts';
import { contoso } from '../../support/topology.ts';
import { until } from '../../support/until.ts';

const run = promisify(execFile);
const VIP = '192.0.2.10/32';
const ASN = 65001;
const SETUP_MS_MAX = 600_000;
const TEST_MS_MAX = 60_000;
const WAIT_MS_MAX = 30_000;
/** The unit's own 20 s, shortened: a frozen agent is noticed within it. */
const WATCHDOG_SECONDS = 8;
/** Of 10, as systemd-analyze counts; below 4 it says OK. */
const EXPOSURE_MAX = 2;

describeWith({ programs: ['debootstrap', 'dpkg-deb', BIRD.program], root: true }, 'the .deb in a clean root', () => {
  let root: string;
  let peers: PeerDaemon[] = [];
  let agent: Daemon | undefined;
  let app: Server;
  let authority: Authority;
  let key: OrderSigningKey;
  let agentPort: number;
  let booted: BootedRoot | undefined;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'anycast-root-'));
    await run('npm', ['run', '-s', 'build:agent', '--', '--fast']);
    const deb = execFileSync(
      '/bin/sh',
      ['-c', 'ls dist/agent/*_amd64.deb dist/agent/*_arm64.deb 2>/dev/null | head -1'],
      { encoding: 'utf8' },
    ).trim();
    await run('debootstrap', ['--variant=minbase', '--include=systemd', 'bookworm', root], {
      timeout: SETUP_MS_MAX,
      maxBuffer: 1 << 26,
    });
    execFileSync('cp', [deb, join(root, 'agent.deb')]);
    await run('chroot', [root, 'dpkg', '--install', '/agent.deb']);
    await configure();
  }, SETUP_MS_MAX);

  afterAll(async () => {
    await booted?.stop();
    await agent?.stop();
    for (const peer of peers) await peer.stop();
    app?.closeAllConnections();
    app?.close();
    rmSync(root, { recursive: true, force: true });
  }, TEST_MS_MAX);

  async function configure(): Promise<void> {
    app = createServer((_request, response) => response.end('ok'));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    const ports = [await freePort(), await freePort()];
    peers = await Promise.all(
      ports.map((port, i) =>
        startBirdPeer({
          address: '127.0.0.1',
          port,
          asn: 65515,
          routerId: `10.1.0.${4 + i}`,
          peerAddress: '127.0.0.2',
          peerAsn: ASN,
          holdSeconds: 180,
        }),
      ),
    );
    agentPort = await freePort('127.0.0.2');
    const pair = await generateKeyPair('ES256', { extractable: true });
    key = { kid: 'test-1', privateJwk: await exportJWK(pair.privateKey) };
    authority = await createAuthority();
    const certificate = await authority.issue('we-nva-1', ['127.0.0.2']);
    const etc = (name: string, text: string) => writeFileSync(join(root, 'etc/anycast-agent', name), text);
    etc('agent.crt', certificate.cert);
    etc('agent.key', certificate.key);
    etc(
      'anycast.yaml',
      stringify(topology(ports, (app.address() as AddressInfo).port, await exportJWK(pair.publicKey))),
    );
    etc(
      'agent.yaml',
      stringify({
        nva: 'we-nva-1',
        topology: 'anycast.yaml',
        stateDirectory: '/var/lib/anycast-agent',
        listen: `127.0.0.2:${agentPort}`,
        tls: { cert: 'agent.crt', key: 'agent.key' },
        bgp: { localAddress: '127.0.0.2' },
        routerId: '10.1.1.4',
        stop: { lastResortSeconds: 0.2, withdrawSeconds: 0.2 },
      }),
    );
  }

  function topology(ports: readonly number[], appPort: number, jwk: unknown): unknown {
    const draft = contoso();
    const [region] = draft.regions;
    region.routeServer.peers = ports.map((port) => `127.0.0.1:${port}`);
    region.nvas[0].agent = `https://127.0.0.2:${agentPort}`;
    region.apps.orders = `127.0.0.1:${appPort}`;
    draft.vips = [draft.vips[0]];
    for (const each of draft.regions) delete each.apps.billing;
    draft.vips[0].dataPlane = { mode: 'none' };
    draft.vips[0].health.intervalMs = 200;
    draft.vips[0].health.timeoutMs = 150;
    draft.seats = [{ ...draft.seats[0], url: 'http://127.0.0.1:9', orderKeys: [{ kid: 'test-1', jwk }] }];
    return draft;
  }

  const inRoot = (...argv: string[]) => run('chroot', [root, ...argv]);
  const pathsAtPeers = async () =>
    Promise.all(peers.map(async (peer) => (await peer.routes()).find((r) => r.prefix === VIP)?.asPath ?? []));
  const bothShow = (prepends: number) =>
    until(
      `${prepends} prepends at both peers: ${agent?.log().slice(-2000)}`,
      async () => (await pathsAtPeers()).every((path) => path.length === prepends + 1),
      WAIT_MS_MAX,
      20,
    );

  async function putOrder(generation: number): Promise<number> {
    const nowMs = Date.now();
    const order: Order = {
      v: 1,
      to: 'we-nva-1',
      group: 'default',
      epoch: 1,
      generation,
      issuedAtMs: nowMs,
      notAfterMs: nowMs + ORDER_LIFETIME_MS,
      vips: [
        {
          vip: 'orders',
          prefix: VIP,
          state: 'announced',
          rung: 4,
          prepend: 12,
          prependAsn: 64500,
          communities: [],
          med: null,
          onLocalFailure: 'last-resort',
          lastResortPrepend: 18,
          decision: 'd-1',
        },
      ],
    };
    const body = await signOrder(order, key);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.2',
          port: agentPort,
          method: 'PUT',
          path: '/v1/order',
          ca: authority.ca,
          headers: { 'content-type': ORDER_CONTENT_TYPE },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  }

  test('brings no Node.js of the system and needs none', async () => {
    expect(existsSync(join(root, 'usr/bin/node'))).toBe(false);
    expect(existsSync(join(root, 'usr/lib/node_modules'))).toBe(false);
    const { stdout } = await inRoot('anycast-agent', '--version');
    expect(stdout.trim()).toBe((JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version);
  });

  test('has a user of its own, a unit, a man page, samples and the licence of the runtime', async () => {
    expect((await inRoot('getent', 'passwd', 'anycast-agent')).stdout).toContain('/usr/sbin/nologin');
    for (const path of [
      'lib/systemd/system/anycast-agent.service',
      'usr/share/man/man8/anycast-agent.8.gz',
      'usr/share/doc/anycast-agent/examples/agent.yaml',
      'usr/share/doc/anycast-agent/examples/data-plane.conf',
    ]) {
      expect(existsSync(join(root, path))).toBe(true);
    }
    expect(readFileSync(join(root, 'usr/share/doc/anycast-agent/copyright'), 'utf8')).toContain('Node.js is licensed');
  });

  test('checks its configuration and lists every problem', async () => {
    expect((await inRoot('anycast-agent', 'check-config')).stdout).toContain('ok');
    writeFileSync(join(root, 'etc/anycast-agent/bad.yaml'), 'nva: we-nva-1\nlisten: here\n');
    const failed = await inRoot('anycast-agent', 'check-config', '-c', '/etc/anycast-agent/bad.yaml').catch(
      (error: { code: number; stderr: string }) => error,
    );
    expect(failed).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/listen[\s\S]*topology|topology[\s\S]*listen/),
    });
  });

  test(
    'runs: last resort first, then as ordered, last resort when its application dies, back when it returns',
    async () => {
      agent = startDaemon({ program: '/usr/sbin/chroot', args: [root, '/usr/bin/anycast-agent', 'run'] });
      await bothShow(18);
      expect(await putOrder(1)).toBe(200);
      await bothShow(12);
      const { port } = app.address() as AddressInfo;
      app.closeAllConnections();
      await new Promise((resolve) => app.close(resolve));
      await bothShow(18);
      await new Promise<void>((resolve) => app.listen(port, '127.0.0.1', resolve));
      await bothShow(12);
      expect(await putOrder(0)).toBe(409);
    },
    TEST_MS_MAX * 2,
  );

  test(
    'withdraws and leaves when it is stopped, and its order is still there after a restart',
    async () => {
      await agent?.stop();
      await until(
        'routes gone',
        async () => (await pathsAtPeers()).every((path) => path.length === 0),
        WAIT_MS_MAX,
        20,
      );
      agent = startDaemon({ program: '/usr/sbin/chroot', args: [root, '/usr/bin/anycast-agent', 'run'] });
      await bothShow(12);
      agent.signal('SIGKILL');
      await until(
        'routes gone with the process',
        async () => (await pathsAtPeers()).every((path) => path.length === 0),
        WAIT_MS_MAX,
        20,
      );
    },
    TEST_MS_MAX * 2,
  );

  const describeIf = canBoot() ? describe : describe.skip;
  describeIf('under systemd (needs a kernel that mounts cgroup2)', () => {
    const UNIT = 'anycast-agent.service';
    const inside = (...argv: string[]) => (booted as BootedRoot).run(...argv);
    const shown = async (...names: string[]) =>
      Object.fromEntries(
        (await inside('systemctl', 'show', UNIT, ...names.map((name) => `-p${name}`)))
          .trim()
          .split('\n')
          .map((line) => line.split(/=(.*)/s)),
      ) as Record<string, string>;

    beforeAll(async () => {
      // What the tests before left belongs to another user.
      rmSync(join(root, 'var/lib/anycast-agent'), { recursive: true });
      const dropIn = join(root, 'etc/systemd/system', `${UNIT}.d`);
      mkdirSync(dropIn, { recursive: true });
      writeFileSync(join(dropIn, 'sooner.conf'), `[Service]\nWatchdogSec=${WATCHDOG_SECONDS}\n`);
      // A fresh temporary folder is its maker's alone; the root of a system is open to all of its users.
      chmodSync(root, 0o755);
      booted = await bootRoot(root);
    }, SETUP_MS_MAX);

    test(
      'a start waits until the agent is ready, as its own user and without any capability',
      async () => {
        await inside('systemctl', 'start', UNIT).catch(async (error: Error) => {
          throw new Error(await inside('journalctl', '--no-pager', '-u', UNIT), { cause: error });
        });
        const { MainPID, ...others } = await shown('MainPID', 'ActiveState', 'Type', 'NRestarts');
        expect(others).toEqual({ ActiveState: 'active', Type: 'notify', NRestarts: '0' });
        const status = await inside('cat', `/proc/${MainPID}/status`);
        expect(status).toMatch(/^CapEff:\s+0+$/m);
        expect((await inside('stat', '-c', '%U', `/proc/${MainPID}`)).trim()).toBe('anycast-agent');
        await bothShow(18);
        expect(await putOrder(1)).toBe(200);
        await bothShow(12);
      },
      TEST_MS_MAX * 2,
    );

    test('its sandbox is what systemd itself calls well', async () => {
      const report = await inside('systemd-analyze', 'security', '--no-pager', UNIT);
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1]);
      expect(exposure).toBeLessThanOrEqual(EXPOSURE_MAX);
    });

    test(
      'frozen, it is ended by the watchdog and started again, with the order it had',
      async () => {
        const { MainPID: frozen } = await shown('MainPID');
        // Process 0 would be everybody here.
        expect(Number(frozen)).toBeGreaterThan(1);
        await inside('sh', '-c', `kill -STOP ${frozen}`);
        await until('started again', async () => Number((await shown('NRestarts')).NRestarts) > 0, TEST_MS_MAX, 250);
        expect(await inside('journalctl', '--no-pager', '-u', UNIT)).toContain('Watchdog timeout');
        await until('ready', async () => (await shown('ActiveState')).ActiveState === 'active', TEST_MS_MAX, 250);
        expect((await shown('MainPID')).MainPID).not.toBe(frozen);
        await bothShow(12);
      },
      TEST_MS_MAX * 3,
    );

    test(
      'a reload keeps its process, a stop withdraws and is a success',
      async () => {
        const { MainPID: before } = await shown('MainPID');
        await inside('systemctl', 'reload', UNIT);
        expect(await shown('MainPID', 'ActiveState')).toEqual({ MainPID: before, ActiveState: 'active' });
        await inside('systemctl', 'stop', UNIT);
        expect((await pathsAtPeers()).every((path) => path.length === 0)).toBe(true);
        expect(await shown('ActiveState', 'Result')).toEqual({ ActiveState: 'inactive', Result: 'success' });
      },
      TEST_MS_MAX * 2,
    );
  });
});
