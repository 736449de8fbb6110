// What has to hold between our session and any BGP daemon; each *.test.ts here runs it with one of them.

import type { AddressInfo } from 'node:net';
import { createConnection, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Route } from '../../nva-agent/bgp/messages.ts';
import type { SessionOptions } from '../../nva-agent/bgp/session.ts';
import { closeAll, type Recorded, record, vipRoute } from '../support/bgp-sessions.ts';
import { freePort } from '../support/daemon.ts';
import { OPTIONS_DEFAULT, type PeerDaemon, type PeerDaemonOptions, type PeerRoute } from '../support/peer-daemon.ts';
import { until } from '../support/until.ts';

const VIP = '192.0.2.10/32';
/** Daemons take their time to accept a peer again. */
const UP_MS_MAX = 30_000;
const TEST_MS_MAX = 60_000;

export interface PeerSuite {
  readonly start: (options: PeerDaemonOptions) => Promise<PeerDaemon>;
  /** What its log says when its hold timer has expired. */
  readonly holdExpiredLog?: RegExp;
  /** Why it cannot be made to send ROUTE-REFRESH, or to shut a session down. */
  readonly cannotRefresh?: string;
  readonly cannotShutDown?: string;
  /** Can it be asked to log or show the text of a shutdown? */
  readonly showsShutdownText?: boolean;
  /** Does it carry the text of its own shutdown? */
  readonly sendsShutdownText?: boolean;
}

/** Registers the tests; call inside describeWith. */
export function testPeer(suite: PeerSuite): void {
  // Assigned before each test.
  let daemon: PeerDaemon;
  let port: number;

  beforeEach(async () => {
    port = await freePort();
    daemon = await suite.start({ ...OPTIONS_DEFAULT, port });
  }, UP_MS_MAX);

  afterEach(async () => {
    await closeAll();
    await daemon.stop();
  }, UP_MS_MAX);

  const dial = (options: Partial<SessionOptions> = {}): Recorded =>
    record({
      peerAddress: OPTIONS_DEFAULT.address,
      peerPort: port,
      peerAsn: OPTIONS_DEFAULT.asn,
      localAsn: OPTIONS_DEFAULT.peerAsn,
      localAddress: OPTIONS_DEFAULT.peerAddress,
      routerId: '10.0.0.1',
      ...options,
    });
  const up = async (recorded: Recorded): Promise<Recorded> => {
    await until(`${daemon.name} Established`, () => recorded.session.state() === 'Established', UP_MS_MAX).catch(
      (error) => {
        throw new Error(
          `${error.message}\n${JSON.stringify(recorded.events.slice(-10))}\n${daemon.daemon.log().slice(-3000)}`,
        );
      },
    );
    return recorded;
  };
  const routeAtPeer = (what: string, matches: (route: PeerRoute | undefined) => boolean) =>
    until(
      what,
      async () => {
        const found = (await daemon.routes()).find(({ prefix }) => prefix === VIP);
        return matches(found) && { found };
      },
      UP_MS_MAX,
      20,
    );

  const check = (name: string, body: () => Promise<void>) => test(name, body, TEST_MS_MAX);
  const skipped = test.skip;
  const checkUnless = (reason: string | undefined, name: string, body: () => Promise<void>) => {
    if (reason === undefined) check(name, body);
    else skipped(`${name}: ${reason}`, body);
  };

  check('establish, announce, change the prepend by one UPDATE, withdraw', async () => {
    const { session } = await up(dial());
    expect(session.status().negotiated).toMatchObject({ as4: true, routeRefresh: true, holdSeconds: 30 });
    const first: Route = {
      ...vipRoute(3),
      med: 7,
      communities: ['65001:1', '65535:65282'],
      largeCommunities: ['65001:1:2'],
    };
    session.set([first]);
    const { found } = await routeAtPeer('the route', (route) => route !== undefined);
    expect(found).toMatchObject({ asPath: first.asPath, communities: first.communities });
    if (found?.med !== undefined) expect(found.med).toBe(7);
    const withdrawals = await daemon.withdrawals?.();
    session.set([{ ...first, asPath: vipRoute(9).asPath }]);
    await routeAtPeer('the longer path', (route) => route?.asPath.length === 10);
    expect(session.status().updatesOut).toBe(2);
    expect(await daemon.withdrawals?.()).toBe(withdrawals);
    session.set([]);
    await routeAtPeer('no route', (route) => route === undefined);
    expect(session.state()).toBe('Established');
  });

  check('a table of 3,999 routes in UPDATEs of full size, all of them changed, all withdrawn', async () => {
    const recorded = await up(dial());
    const prefixes = Array.from({ length: 3999 }, (_, n) => `10.9.${n >> 8}.${n & 255}/32`);
    const atPeer = (what: string, count: number, pathLength: number) =>
      until(
        what,
        async () => (await daemon.routes()).filter(({ asPath }) => asPath.length === pathLength).length === count,
        UP_MS_MAX,
        200,
      );
    recorded.session.set(prefixes.map((prefix) => vipRoute(1, prefix)));
    await atPeer('the table', 3999, 2);
    recorded.session.set(prefixes.map((prefix) => vipRoute(4, prefix)));
    await atPeer('the change', 3999, 5);
    recorded.session.set([]);
    await until('an empty table', async () => (await daemon.routes()).length === 0, UP_MS_MAX, 200);
    expect(recorded.session.status().establishedCount).toBe(1);
  });

  checkUnless(suite.cannotRefresh, 'route refresh', async () => {
    const { session, events } = await up(dial());
    session.set([vipRoute(2)]);
    await routeAtPeer('the route', (route) => route !== undefined);
    await daemon.requestRefresh?.();
    await until('a request', () => events.some((event) => event.type === 'route-refresh'), UP_MS_MAX);
    await until('the answer', () => session.status().updatesOut === 2 && session.status().isSynced);
    await routeAtPeer('the route still', (route) => route?.asPath.length === 3);
    expect(session.status().establishedCount).toBe(1);
  });

  check('our NOTIFICATION with its text ends the session there, and the route with it', async () => {
    const recorded = await up(dial());
    recorded.session.set([vipRoute()]);
    await routeAtPeer('the route', (route) => route !== undefined);
    await recorded.session.stop(2, 'kernel update at noon');
    await routeAtPeer('no route', (route) => route === undefined);
    if (suite.showsShutdownText === true) {
      await until('the text in the log', () => daemon.daemon.log().includes('kernel update at noon'));
    }
    recorded.session.start();
    await up(recorded);
    await routeAtPeer('the route again', (route) => route !== undefined);
  });

  checkUnless(
    suite.cannotShutDown,
    "the peer's NOTIFICATION ends the session here; enabled again, it comes back",
    async () => {
      const recorded = await up(dial());
      recorded.session.set([vipRoute()]);
      await daemon.shutdown?.('swapping cables');
      const seen = await until(
        '6/2',
        () => recorded.events.find((event) => event.type === 'notification' && event.direction === 'in'),
        UP_MS_MAX,
      );
      expect(seen).toMatchObject({ code: 6, subcode: 2 });
      if (suite.sendsShutdownText === true) expect(seen).toMatchObject({ text: 'swapping cables' });
      await daemon.enable?.();
      await up(recorded);
      await routeAtPeer('the route again', (route) => route !== undefined);
    },
  );

  check('a peer that is killed and started again learns everything again', async () => {
    const recorded = await up(dial());
    recorded.session.set([vipRoute(5)]);
    await routeAtPeer('the route', (route) => route !== undefined);
    await daemon.daemon.stop('SIGKILL');
    await until('the loss', () => recorded.session.state() !== 'Established');
    await daemon.stop();
    daemon = await suite.start({ ...OPTIONS_DEFAULT, port });
    await up(recorded);
    await routeAtPeer('the route again', (route) => route?.asPath.length === 6);
  });

  check('a frozen peer: our hold timer expires; thawed, the session comes back', async () => {
    const recorded = await up(dial({ holdSeconds: 3 }));
    recorded.session.set([vipRoute()]);
    daemon.daemon.signal('SIGSTOP');
    await until('4/0', () => recorded.notifications().includes('out 4/0'), 10_000);
    daemon.daemon.signal('SIGCONT');
    await up(recorded);
    await routeAtPeer('the route again', (route) => route !== undefined);
  });

  check("a silent path: the peer's hold timer expires and withdraws the route", async () => {
    const relay = await startRelay(OPTIONS_DEFAULT.address, port, OPTIONS_DEFAULT.peerAddress);
    const recorded = dial({ peerPort: relay.port, holdSeconds: 3 });
    await up(recorded);
    recorded.session.set([vipRoute()]);
    await routeAtPeer('the route', (route) => route !== undefined);
    relay.freeze();
    await routeAtPeer('no route', (route) => route === undefined);
    if (suite.holdExpiredLog !== undefined) {
      const { holdExpiredLog } = suite;
      await until('the log', () => holdExpiredLog.test(daemon.daemon.log()));
    }
    await relay.close();
  });

  check('a storm of resets ends in one session with the route', async () => {
    const recorded = dial();
    recorded.session.set([vipRoute(1)]);
    for (let resets = 0; resets < 10; resets += 1) {
      await recorded.session.stop(4, 'storm');
      recorded.session.start();
    }
    await up(recorded);
    await routeAtPeer('the route', (route) => route?.asPath.length === 2);
  });
}

/** A TCP relay that can stop relaying without closing anything: a path that went silent. */
async function startRelay(address: string, port: number, localAddress: string) {
  const sockets = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((inner) => {
    if (isFrozen) {
      inner.destroy();
      return;
    }
    const outer = createConnection({ host: address, port, localAddress });
    for (const [from, into] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      const end = () => {
        if (!isFrozen) into.destroy();
      };
      from.on('error', end);
      from.on('close', end);
      from.pipe(into);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => {
      isFrozen = true;
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
