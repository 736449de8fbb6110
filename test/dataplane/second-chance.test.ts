// Second chances in the real kernel: no established connection breaks when the route moves; without them some do.
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { SECOND_CHANCE_TABLE } from '../../nva-agent/dataplane/plan.ts';
import { parseOwners } from '../../nva-agent/dataplane/second-chance-rules.ts';
import { describeWith } from '../support/needs.ts';
import { curl, failuresOf, type LoadPlan, type LoadResult, type RunningLoad, runLoad } from './load.ts';
import { type Network, until } from './network.ts';
import { startNva, type TestNva } from './nva.ts';
import {
  configOf,
  createRegions,
  nvaAddress,
  type RegionName,
  routeTo,
  sprayPackets,
  stopSpraying,
  VIP,
} from './regions.ts';

const NEEDS = {
  programs: ['ip', 'bridge', 'nft', 'haproxy', 'conntrack', 'nsenter', 'setpriv', 'sysctl', 'curl'],
  root: true,
};

/** All kinds of connections for four seconds: about 130 in all, 2 MB a second. */
const LOAD: LoadPlan = {
  address: VIP,
  httpPort: 80,
  halfClosePort: 81,
  seconds: 4,
  requestsPerSecond: 25,
  requestBytes: 30_000,
  requestMs: 105,
  keepAlives: 20,
  downloads: 3,
  downloadBytes: 400_000,
  uploads: 3,
  uploadBytes: 2_000_000,
  halfCloses: 5,
};

/** An arming answers as soon as both sides hand over; a busy machine may take its time. */
const PATIENT = { waitMs: 10_000 };

/** Longer than a confirmation counts, shorter than that and the element's own time. */
const STALL_MS = 1300;

function ownersAt(network: Network, host: string): ReadonlyMap<string, string> {
  return parseOwners(network.run(host, ['nft', '-j', 'list', 'map', 'ip', SECOND_CHANCE_TABLE, 'owners']));
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Moves the route b, a, b, ... evenly while the load runs. */
async function moveDuring(network: Network, load: RunningLoad, moves: readonly RegionName[]): Promise<LoadResult> {
  await load.started;
  const pauseMs = (LOAD.seconds * 1000) / (moves.length + 1);
  for (const region of moves) {
    await sleep(pauseMs);
    routeTo(network, region);
  }
  return load.result;
}

describeWith(NEEDS, 'second chances', () => {
  jest.setTimeout(60_000);

  describe.each(['reverse-proxy', 'snat'] as const)('with %s', (mode) => {
    let network: Network;
    let a: TestNva;
    let b: TestNva;
    beforeAll(async () => {
      network = await createRegions();
      a = startNva(network, 'nva-a', configOf('a', mode, { owners: ['b'] }));
      b = startNva(network, 'nva-b', configOf('b', mode, { owners: ['a'] }));
      await Promise.all([a.apply(), b.apply()]);
    });
    afterAll(() => network.remove());

    test('not armed, moves break connections', async () => {
      routeTo(network, 'a');
      const result = await moveDuring(network, runLoad(network, 'client', LOAD), ['b', 'a', 'b']);
      expect(result.keepAlives.failed).toBe(LOAD.keepAlives);
      expect(result.downloads.failed).toBe(LOAD.downloads);
      expect(failuresOf(result)).toBeGreaterThan(LOAD.keepAlives + LOAD.downloads);
      expect((await b.status()).secondChance.handedOver).toBe(0);
    });

    test('armed, moves both ways break none', async () => {
      routeTo(network, 'a');
      expect(await b.arm('orders', PATIENT)).toEqual({ type: 'active', peer: 'nva-a' });
      // One order to one side: the other mirrors it.
      expect(ownersAt(network, 'nva-a').size).toBe(1);
      const result = await moveDuring(network, runLoad(network, 'client', LOAD), ['b', 'a', 'b', 'a']);
      expect(result.reasons).toEqual([]);
      expect(failuresOf(result)).toBe(0);
      expect(result.requests.done).toBeGreaterThan(80);
      expect((await a.status()).secondChance.handedOver).toBeGreaterThan(0);
      expect((await b.status()).secondChance.handedOver).toBeGreaterThan(0);
      await b.disarm('orders');
      await until('a lets go too', () => (ownersAt(network, 'nva-a').size === 0 ? true : undefined));
    });

    test('armed, an agent that is not scheduled for a moment costs no connection', async () => {
      routeTo(network, 'a');
      expect((await b.arm('orders', PATIENT)).type).toBe('active');
      const load = runLoad(network, 'client', { ...LOAD, requestsPerSecond: 0 });
      await load.started;
      await sleep(500);
      routeTo(network, 'b');
      const before = (await b.status()).secondChance.handedOver;
      a.child.kill('SIGSTOP');
      await sleep(STALL_MS);
      a.child.kill('SIGCONT');
      await until('b hands over', async () => ((await b.status()).secondChance.handedOver > before ? true : undefined));
      const result = await load.result;
      expect(result.reasons).toEqual([]);
      expect(failuresOf(result)).toBe(0);
      await b.disarm('orders');
    });

    test('armed, a spray of single packets over both breaks none; not armed it breaks nearly all', async () => {
      const few = {
        ...LOAD,
        seconds: 3,
        requestsPerSecond: 20,
        downloads: 1,
        uploads: 1,
        halfCloses: 2,
        keepAlives: 10,
      };
      expect((await b.arm('orders', PATIENT)).type).toBe('active');
      sprayPackets(network);
      const armed = await runLoad(network, 'client', few).result;
      await b.disarm('orders');
      const bare = await runLoad(network, 'client', few).result;
      stopSpraying(network);
      expect(armed.reasons).toEqual([]);
      expect(failuresOf(armed)).toBe(0);
      expect(bare.requests.failed).toBeGreaterThan(bare.requests.done);
      expect(bare.downloads.failed).toBe(few.downloads);
    });

    test('applied again or changed, it stays armed', async () => {
      await b.arm('orders', PATIENT);
      expect(await b.apply()).toEqual([]);
      await sleep(1000);
      expect(ownersAt(network, 'nva-b').size).toBe(1);
      await b.disarm('orders');
      expect(ownersAt(network, 'nva-b').size).toBe(0);
    });
  });

  describe('let go', () => {
    let network: Network;
    let a: TestNva;
    let b: TestNva;
    beforeAll(async () => {
      network = await createRegions();
    });
    afterAll(() => network.remove());
    const start = async () => {
      a = startNva(network, 'nva-a', configOf('a', 'snat', { owners: ['b'] }));
      b = startNva(network, 'nva-b', configOf('b', 'snat', { owners: ['a'] }));
      await Promise.all([a.apply(), b.apply()]);
      expect(await b.arm('orders', PATIENT)).toEqual({ type: 'active', peer: 'nva-a' });
    };
    afterEach(() => {
      for (const nva of [a, b]) nva.child.kill('SIGKILL');
    });

    test.each(['SIGKILL', 'SIGSTOP'] as const)(
      'within the element’s own time when the agent gets %s',
      async (signal) => {
        await start();
        b.child.kill(signal);
        const startedMs = performance.now();
        await until('the map is empty', () => (ownersAt(network, 'nva-b').size === 0 ? true : undefined));
        expect(performance.now() - startedMs).toBeLessThan(10_000);
        b.child.kill('SIGCONT');
      },
    );

    test('when the peer is silent, and armed again when it is back', async () => {
      await start();
      network.run('nva-a', ['ip', 'link', 'set', 'anycast1', 'down']);
      await until('the map is empty', () => (ownersAt(network, 'nva-b').size === 0 ? true : undefined));
      expect((await b.status()).secondChance.vips).toMatchObject([{ vip: 'orders', phase: 'waiting' }]);
      await a.apply();
      await until('armed again', () => (ownersAt(network, 'nva-b').size === 1 ? true : undefined));
    });

    test('at the cap, on both sides', async () => {
      await start();
      await b.arm('orders', { capSeconds: 2 });
      await until('b has ended it', () => (ownersAt(network, 'nva-b').size === 0 ? true : undefined));
      await until('a has ended it', () => (ownersAt(network, 'nva-a').size === 0 ? true : undefined));
      expect((await b.status()).secondChance.ended.at(-1)).toMatchObject({ vip: 'orders', why: 'cap' });
    });

    test('and is never armed over a path that does not carry full packets', async () => {
      await start();
      await b.disarm('orders');
      network.run('router', ['ip', 'link', 'set', 'rb', 'mtu', '1400']);
      await until('no confirmation is fresh', async () =>
        (await b.arm('orders')).type === 'waiting' ? true : undefined,
      );
      // What was refreshed while the last confirmation counted runs out by itself; nothing takes its place.
      await until('the map is empty', () => (ownersAt(network, 'nva-b').size === 0 ? true : undefined));
      expect((await b.arm('orders')).type).toBe('waiting');
      expect(ownersAt(network, 'nva-b').size).toBe(0);
      network.run('router', ['ip', 'link', 'set', 'rb', 'mtu', '1500']);
    });

    test('a connection that lives nowhere is reset by its last owner, and no packet goes round', async () => {
      await start();
      routeTo(network, 'a');
      const load = runLoad(network, 'client', {
        ...LOAD,
        seconds: 4,
        requestsPerSecond: 0,
        keepAlives: 5,
        halfCloses: 0,
      });
      await load.started;
      await until('a has connections', async () =>
        ((await a.status()).vips[0]?.established ?? 0) >= 8 ? true : undefined,
      );
      const before = (await b.status()).secondChance.handedOver;
      routeTo(network, 'b');
      await until('b hands over', async () => ((await b.status()).secondChance.handedOver > before ? true : undefined));
      network.run('nva-a', ['conntrack', '-F']);
      const result = await load.result;
      expect(result.uploads.failed).toBe(LOAD.uploads);
      expect(result.keepAlives.failed).toBe(5);
      expect((await a.status()).secondChance.handedOver).toBe(0);
    });

    test('what comes through the tunnel for others than our vips is dropped', async () => {
      await start();
      const app = '10.1.2.10';
      network.run('nva-b', ['ip', 'route', 'add', `${app}/32`, 'via', '169.254.92.1', 'dev', 'anycast1']);
      const askThroughTunnel = () =>
        curl(network, 'nva-b', `http://${app}:8080/`, '--interface', nvaAddress('b'), '--connect-timeout', '1');
      expect(askThroughTunnel()).toBeUndefined();
      // Without our table the same packets do arrive: it is the rules that keep them out.
      network.run('nva-a', ['nft', 'delete', 'table', 'ip', SECOND_CHANCE_TABLE]);
      expect(askThroughTunnel()).toContain('x-app: a');
    });
  });

  describe('with three NVAs', () => {
    let network: Network;
    let a: TestNva;
    let b: TestNva;
    let c: TestNva;
    beforeAll(async () => {
      network = await createRegions({ regions: ['a', 'b', 'c'] });
      const start = (region: RegionName) => {
        const owners = (['a', 'b', 'c'] as const).filter((other) => other !== region);
        return startNva(network, `nva-${region}`, configOf(region, 'reverse-proxy', { owners }));
      };
      [a, b, c] = [start('a'), start('b'), start('c')];
      await Promise.all([a.apply(), b.apply(), c.apply()]);
    });
    afterAll(() => network.remove());

    /** Connections that all begin at the first region, while the route goes on to the second and the third. */
    const walkDuring = async (plan: LoadPlan): Promise<LoadResult> => {
      const connections = plan.keepAlives + plan.downloads + plan.uploads + plan.halfCloses;
      const load = runLoad(network, 'client', plan);
      await load.started;
      await until('they live on the first', async () =>
        ((await a.status()).vips[0]?.established ?? 0) >= connections ? true : undefined,
      );
      for (const region of ['b', 'c'] as const) {
        routeTo(network, region);
        await sleep(1000);
      }
      return load.result;
    };
    const handedOver = async (nva: TestNva) => (await nva.status()).secondChance.handedOver;

    test('the previous owner must be named, and may be another one at each switch', async () => {
      expect(await c.arm('orders')).toEqual({ type: 'refused', why: 'peer-not-named' });
      expect(await c.arm('orders', { peer: 'nva-x' })).toEqual({ type: 'refused', why: 'unknown-peer' });
      routeTo(network, 'a');
      const load = runLoad(network, 'client', { ...LOAD, requestsPerSecond: 0 });
      await load.started;
      await sleep(1000);
      expect(await b.arm('orders', { ...PATIENT, peer: 'nva-a' })).toEqual({ type: 'active', peer: 'nva-a' });
      routeTo(network, 'b');
      await sleep(1500);
      expect(await c.arm('orders', { ...PATIENT, peer: 'nva-a' })).toEqual({ type: 'active', peer: 'nva-a' });
      routeTo(network, 'c');
      const result = await load.result;
      expect(result.reasons).toEqual([]);
      expect(failuresOf(result)).toBe(0);
    });

    test('one that stops asks both others, and its connections are found behind whichever takes over', async () => {
      const longLived = { ...LOAD, seconds: 5, requestsPerSecond: 0 };
      await Promise.all([b.disarm('orders'), c.disarm('orders')]);
      await until('nothing is shared', () => (ownersAt(network, 'nva-a').size === 0 ? true : undefined));
      // An NVA whose tunnel was never proved is asked too, but not waited for.
      const isProved = async () => (await a.status()).secondChance.peers.every((peer) => peer.isProved);
      await until('both tunnels are proved', async () => ((await isProved()) ? true : undefined), 30_000);
      routeTo(network, 'a');
      expect(await a.askBack('orders', ['nva-b', 'nva-c'], 10_000)).toEqual(['nva-b', 'nva-c']);
      for (const host of ['nva-b', 'nva-c']) {
        expect([...ownersAt(network, host).values()]).toEqual(['169.254.92.1']);
      }
      // It asks for its own packets and hands nothing over itself.
      expect(ownersAt(network, 'nva-a').size).toBe(0);
      const asked = await walkDuring(longLived);
      expect(asked.reasons).toEqual([]);
      expect(failuresOf(asked)).toBe(0);
      const before = await Promise.all([a, b, c].map(handedOver));
      expect(before).toEqual([0, expect.any(Number), expect.any(Number)]);
      expect(Math.min(...before.slice(1))).toBeGreaterThan(0);

      await a.disarm('orders');
      for (const host of ['nva-b', 'nva-c']) {
        await until(`${host} lets go`, () => (ownersAt(network, host).size === 0 ? true : undefined));
      }
      routeTo(network, 'a');
      const keepAlivesOnly = { ...longLived, seconds: 3, downloads: 0, uploads: 0, halfCloses: 0 };
      const bare = await walkDuring(keepAlivesOnly);
      expect(bare.keepAlives.failed).toBeGreaterThan(LOAD.keepAlives / 2);
      expect(await Promise.all([a, b, c].map(handedOver))).toEqual(before);
    });
  });

  describe('set up while connections flow', () => {
    let network: Network;
    beforeAll(async () => {
      network = await createRegions();
    });
    afterAll(() => network.remove());

    test('those connections have a second chance too, and a strict reverse path filter does not take it away', async () => {
      for (const host of ['nva-a', 'nva-b']) network.run(host, ['sysctl', '-q', '-w', 'net.ipv4.conf.all.rp_filter=1']);
      const a = startNva(network, 'nva-a', configOf('a', 'reverse-proxy'));
      const b = startNva(network, 'nva-b', configOf('b', 'reverse-proxy'));
      await Promise.all([a.apply(), b.apply()]);
      routeTo(network, 'a');
      const load = runLoad(network, 'client', { ...LOAD, seconds: 8, requestsPerSecond: 0, halfCloses: 0 });
      await load.started;
      await sleep(1000);
      const owners = (region: RegionName, other: RegionName) => configOf(region, 'reverse-proxy', { owners: [other] });
      await Promise.all([a.apply(owners('a', 'b')), b.apply(owners('b', 'a'))]);
      expect(await b.arm('orders', PATIENT)).toEqual({ type: 'active', peer: 'nva-a' });
      routeTo(network, 'b');
      const result = await load.result;
      expect(result.reasons).toEqual([]);
      expect(failuresOf(result)).toBe(0);
    });
  });
});
