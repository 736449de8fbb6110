// The three ways of serving a vip, against real kernel and HAProxy: they serve, leave others alone, drain and go away.
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { DataPlaneVip } from '../../nva-agent/dataplane/plan.ts';
import { describeWith } from '../support/needs.ts';
import { curl } from './load.ts';
import { type Network, until } from './network.ts';
import { startNva, type TestNva } from './nva.ts';
import { appAddress, configOf, createRegions, nvaAddress, routeTo, VIP } from './regions.ts';

const NEEDS = { programs: ['ip', 'bridge', 'nft', 'haproxy', 'conntrack', 'curl', 'nsenter', 'setpriv'], root: true };
const URL = `http://${VIP}/`;

const FOREIGN = `table ip others {
  chain keep {
    type filter hook input priority filter; policy accept;
    counter comment "not ours"
  }
}
`;

const TEST_MS = 30_000;

describeWith(NEEDS, 'a vip is served', () => {
  jest.setTimeout(TEST_MS);
  describe.each(['reverse-proxy', 'snat', 'dnat-udr'] as const)('by %s', (mode: DataPlaneVip['mode']) => {
    let network: Network;
    let nva: TestNva;
    const config = configOf('a', mode);
    const inNva = (...argv: string[]) => network.run('nva-a', argv);

    beforeAll(async () => {
      network = await createRegions({ appsReturnByNva: mode === 'dnat-udr' });
      network.run('nva-a', ['nft', '-f', '-'], FOREIGN);
      inNva('ip', 'addr', 'add', '203.0.113.9/32', 'dev', 'lo');
      routeTo(network, 'a');
      nva = startNva(network, 'nva-a', config);
    }, 60_000);
    afterAll(() => network.remove());

    test('not before it is applied, then at once', async () => {
      expect(curl(network, 'client', URL)).toBeUndefined();
      expect(await nva.apply()).toContain('devices');
      const answer = curl(network, 'client', URL);
      expect(answer).toContain('x-app: a');
      const seen = { 'reverse-proxy': nvaAddress('a'), snat: nvaAddress('a'), 'dnat-udr': '10.200.0.10' };
      expect(answer).toContain(`x-peer: ${seen[mode]}`);
    });

    test('applied again, nothing is touched', async () => {
      const before = inNva('nft', '-a', 'list', 'ruleset').replace(/packets \d+ bytes \d+/g, '');
      expect(await nva.apply()).toEqual([]);
      expect(inNva('nft', '-a', 'list', 'ruleset').replace(/packets \d+ bytes \d+/g, '')).toBe(before);
    });

    test('somebody’s change to what is ours is put right', async () => {
      inNva('ip', 'addr', 'del', `${VIP}/32`, 'dev', 'lo');
      if (mode !== 'reverse-proxy') inNva('nft', 'flush', 'table', 'ip', 'anycast_agent');
      expect(await nva.apply()).toEqual(mode === 'reverse-proxy' ? ['devices'] : ['devices', 'forwarding']);
      expect(curl(network, 'client', URL)).toContain('x-app: a');
    });

    test('a broken configuration is refused and the running one goes on', async () => {
      const [vip] = config.vips;
      if (vip === undefined) throw new Error('no vip');
      // A port beyond the range passes our renderer, so that HAProxy and nftables themselves have to refuse it.
      const broken = { ...config, vips: [{ ...vip, ports: [{ listen: 80, to: 99_999, protocol: 'tcp' as const }] }] };
      await expect(nva.apply(broken)).rejects.toThrow(mode === 'reverse-proxy' ? /proxy: haproxy/ : /forwarding: nft/);
      expect(curl(network, 'client', URL)).toContain('x-app: a');
      const { problems } = await nva.status();
      expect(Object.keys(problems)).toEqual([mode === 'reverse-proxy' ? 'proxy' : 'forwarding']);
      expect(await nva.apply(config)).toEqual([]);
      expect((await nva.status()).problems).toEqual({});
    });

    test('a drain lets a long download finish, and is counted', async () => {
      const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=200000&ms=2500`]);
      let bytes = 0;
      download.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      const ended = new Promise<number | null>((resolve) => download.once('close', resolve));
      await until('one connection', async () => ((await nva.status()).vips[0]?.established === 1 ? true : undefined));
      expect(await nva.drain('orders')).toEqual({ type: 'drained' });
      expect(bytes).toBe(200_000);
      expect(await ended).toBe(0);
      const [traffic] = (await nva.status()).vips;
      expect(traffic?.established).toBe(0);
      expect(traffic?.bytesOut).toBeGreaterThan(200_000);
      expect(traffic?.connections).toBeGreaterThanOrEqual(3);
    });

    test('a drain that takes too long says how many are left', async () => {
      const [vip] = config.vips;
      if (vip === undefined) throw new Error('no vip');
      await nva.apply({ ...config, vips: [{ ...vip, drainSeconds: 1 }] });
      const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=200000&ms=4000`]);
      await until('one connection', async () => ((await nva.status()).vips[0]?.established === 1 ? true : undefined));
      expect(await nva.drain('orders')).toEqual({ type: 'expired', established: 1 });
      download.kill('SIGKILL');
    });

    test('a change of configuration keeps connections', async () => {
      const [vip] = config.vips;
      if (vip === undefined) throw new Error('no vip');
      await nva.apply(config);
      const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=100000&ms=2000`]);
      let bytes = 0;
      download.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      const ended = new Promise<number | null>((resolve) => download.once('close', resolve));
      await until('the first bytes', () => (bytes > 0 ? true : undefined));
      const more = { ...vip, ports: [...vip.ports, { listen: 8088, to: 8080, protocol: 'tcp' as const }] };
      expect(await nva.apply({ ...config, vips: [more] })).toHaveLength(1);
      expect(curl(network, 'client', `http://${VIP}:8088/`)).toContain('x-app: a');
      expect(await ended).toBe(0);
      expect(bytes).toBe(100_000);
    });

    test('removed, nothing of ours is left and nothing else has changed', async () => {
      await nva.remove(1000);
      expect(curl(network, 'client', URL)).toBeUndefined();
      expect(inNva('nft', 'list', 'tables')).toBe('table ip others\n');
      expect(inNva('nft', 'list', 'ruleset')).toContain('not ours');
      const addresses = inNva('ip', 'addr');
      expect(addresses).toContain('203.0.113.9/32');
      expect(addresses).not.toMatch(/anycast|192\.0\.2\.10/);
      expect(inNva('sysctl', '-n', 'net.ipv4.ip_forward').trim()).toBe('0');
    });
  });

  describe('but never over what somebody else made', () => {
    let network: Network;
    beforeAll(async () => {
      network = await createRegions();
    }, 60_000);
    afterAll(() => network.remove());

    test('an interface of our name is left as it is, and said', async () => {
      network.run('nva-b', ['ip', 'link', 'add', 'anycast1', 'type', 'bridge']);
      network.run('nva-b', ['ip', 'addr', 'add', '203.0.113.1/32', 'dev', 'anycast1']);
      const nva = startNva(network, 'nva-b', configOf('b', 'snat', { owners: ['a'] }));
      await expect(nva.apply()).rejects.toThrow(/devices: anycast1 exists and is not marked as ours/);
      await nva.remove();
      expect(network.run('nva-b', ['ip', '-br', 'addr', 'show', 'anycast1'])).toContain('203.0.113.1/32');
    });

    test('a vip that somebody put on the interface before stays there', async () => {
      network.run('nva-b', ['ip', 'addr', 'add', `${VIP}/32`, 'dev', 'lo']);
      const nva = startNva(network, 'nva-b', configOf('b', 'snat'));
      expect(await nva.apply()).not.toContain('devices');
      await nva.remove();
      expect(network.run('nva-b', ['ip', '-br', 'addr', 'show', 'lo'])).toContain(VIP);
    });

    test('a port that another program holds is said, and taken as soon as it is free', async () => {
      network.run('nva-a', ['sysctl', '-q', '-w', 'net.ipv4.ip_nonlocal_bind=1']);
      const holder = network.start('nva-a', [
        process.execPath,
        '-e',
        `require('node:net').createServer().listen(80, '${VIP}', () => console.log('holds'))`,
      ]);
      await until('the holder holds', () => (holder.stdout?.read() === null ? undefined : true));
      const nva = startNva(network, 'nva-a', configOf('a', 'reverse-proxy'));
      await expect(nva.apply()).rejects.toThrow(/proxy: /);
      holder.kill('SIGKILL');
      await until('the port is free', () =>
        nva.apply().then(
          () => true,
          () => undefined,
        ),
      );
      routeTo(network, 'a');
      expect(curl(network, 'client', URL)).toContain('x-app: a');
      expect(readFileSync(join(nva.folder, 'haproxy.cfg'), 'utf8')).toContain(`server app ${appAddress('a')}:8080`);
    });

    test('an agent that starts again adopts the running proxy and breaks no connection', async () => {
      const download = network.start('client', ['curl', '-sS', '--max-time', '15', `${URL}?bytes=100000&ms=2000`]);
      let bytes = 0;
      download.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      const ended = new Promise<number | null>((resolve) => download.once('close', resolve));
      await until('the first bytes', () => (bytes > 0 ? true : undefined));
      const again = startNva(network, 'nva-a', configOf('a', 'reverse-proxy'));
      expect(await again.apply()).toEqual([]);
      expect(await ended).toBe(0);
      expect(bytes).toBe(100_000);
    });
  });

  describe('by a proxy whose socket nobody answers on for a moment, as while it reloads', () => {
    let network: Network;
    let nva: TestNva;
    const config = configOf('a', 'reverse-proxy');
    const file = (name: string) => join(nva.folder, `haproxy${name}`);
    const hide = () => renameSync(file('-master.sock'), file('.away'));
    const master = () => readFileSync(file('.pid'), 'utf8');

    beforeAll(async () => {
      network = await createRegions({ regions: ['a'] });
      routeTo(network, 'a');
      nva = startNva(network, 'nva-a', config);
      await nva.apply();
    }, 60_000);
    afterAll(() => network.remove());

    test('a change reloads it, and starts no second one', async () => {
      const before = master();
      const vips = config.vips.map((vip) => ({
        ...vip,
        ports: [{ listen: 8088, to: 8080, protocol: 'tcp' as const }],
      }));
      hide();
      const changed = nva.apply({ ...config, vips });
      await until('the change is under way', () =>
        readFileSync(file('.cfg'), 'utf8').includes('8088') ? true : undefined,
      );
      renameSync(file('.away'), file('-master.sock'));
      expect(await changed).toEqual(['proxy']);
      expect(master()).toBe(before);
      expect(curl(network, 'client', `http://${VIP}:8088/`)).toContain('x-app: a');
      expect(curl(network, 'client', URL)).toBeUndefined();
    });

    test('a removal ends it', async () => {
      const pid = Number.parseInt(master(), 10);
      hide();
      await nva.remove(1000);
      // One that has ended and waits for its parent has no command line any more.
      const commandLine = `/proc/${pid}/cmdline`;
      expect(existsSync(commandLine) ? readFileSync(commandLine, 'utf8') : '').toBe('');
    });
  });
});
