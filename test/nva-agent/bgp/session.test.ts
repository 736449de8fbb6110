// Two of our sessions over loopback, and peers that misbehave.
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { receive } from '../../../nva-agent/bgp/frame.ts';
import type { Message } from '../../../nva-agent/bgp/messages.ts';
import { createSession, type SessionOptions, WRITE_QUEUE_BYTES_MAX } from '../../../nva-agent/bgp/session.ts';
import { message, open } from '../../support/bgp-bytes.ts';
import { closeAll, createPair, listenFor, type Pair, rawServer, record, vipRoute } from '../../support/bgp-sessions.ts';
import { until } from '../../support/until.ts';

afterEach(closeAll);

const isUp = ({ nva, server }: Pair) =>
  nva.session.state() === 'Established' && server.session.state() === 'Established';
const up = async (pair: Pair): Promise<Pair> => {
  await until('both Established', () => isUp(pair));
  return pair;
};
const bytesOf = (value: Message) => encodeMessage(value, { as4: true });
const KEEPALIVE = message(4, []);
const hosts = (count: number) => Array.from({ length: count }, (_, n) => `10.9.${n >> 8}.${n & 255}/32`);

describe('establish', () => {
  test('both sides go through the states of the RFC and agree on the smaller hold time', async () => {
    const { nva, server } = await up(await createPair());
    const states = nva.events.flatMap((event) => (event.type === 'state' ? [event.state] : []));
    expect(states).toEqual(['Connect', 'OpenSent', 'OpenConfirm', 'Established']);
    expect(nva.session.status().negotiated).toMatchObject({
      holdSeconds: 30,
      peerRouterId: '10.0.0.5',
      as4: true,
      routeRefresh: true,
      enhancedRouteRefresh: true,
    });
    expect(server.session.status().negotiated).toMatchObject({ holdSeconds: 30, peerRouterId: '10.0.0.1' });
  });
  test('routes set before the session stands are sent when it does, then End-of-RIB', async () => {
    const pair = await createPair();
    expect(pair.nva.session.set([vipRoute(3)])).toEqual({ ok: true });
    expect(pair.nva.session.adjRibOut()).toEqual([]);
    await up(pair);
    const received = await until('End-of-RIB', () => {
      const updates = pair.server.events.flatMap((event) => (event.type === 'update' ? [event.update] : []));
      return updates.length >= 2 && updates;
    });
    expect(received).toEqual([
      expect.objectContaining({ announced: ['192.0.2.10/32'], asPath: [65001, 64500, 64500, 64500] }),
      { type: 'update', withdrawn: [], announced: [] },
    ]);
    expect(pair.nva.session.adjRibOut()).toEqual([vipRoute(3)]);
    expect(pair.nva.session.status()).toMatchObject({ isSynced: true, routesSent: 1, routesDesired: 1 });
  });
  test('keepalives hold a session with a hold time of 3 s beyond it', async () => {
    const pair = await up(await createPair({ holdSeconds: 3 }));
    const sinceMs = performance.now();
    await until('3.5 s passed', () => performance.now() - sinceMs > 3500, 5000, 100);
    expect(isUp(pair)).toBe(true);
    expect(pair.nva.session.status().establishedCount).toBe(1);
  }, 15_000);
  test('hold time 0 is negotiated', async () => {
    const { server } = await up(await createPair({ holdSeconds: 0 }));
    expect(server.session.status().negotiated).toMatchObject({ holdSeconds: 0 });
  });
  test('a session connects from the local address it was given', async () => {
    const seen: (string | undefined)[] = [];
    const { port } = await rawServer((socket) => seen.push(socket.remoteAddress));
    record({
      peerAddress: '127.0.0.1',
      peerPort: port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
      localAddress: '127.0.0.9',
    });
    expect(await until('a connection', () => seen[0])).toBe('127.0.0.9');
  });
});

describe('change', () => {
  const advertised = async (pair: Pair, count: number) =>
    until(`${count} UPDATEs`, () => pair.server.updates().length >= count);

  test('a changed set is handed to the socket before set returns, as one replacing UPDATE', async () => {
    const pair = await up(await createPair());
    pair.nva.session.set([vipRoute(3)]);
    await advertised(pair, 1);
    pair.nva.session.set([vipRoute(9)]);
    expect(pair.nva.session.status()).toMatchObject({ queuedBytes: 0, updatesOut: 2, isSynced: true });
    await advertised(pair, 2);
    expect(pair.server.updates()[1]).toMatchObject({
      withdrawn: [],
      announced: ['192.0.2.10/32'],
      asPath: vipRoute(9).asPath,
    });
  });
  test('an empty set withdraws', async () => {
    const pair = await up(await createPair());
    pair.nva.session.set([vipRoute()]);
    pair.nva.session.set([]);
    await advertised(pair, 2);
    expect(pair.server.updates()[1]).toMatchObject({ withdrawn: ['192.0.2.10/32'], announced: [] });
    expect(pair.nva.session.adjRibOut()).toEqual([]);
  });
  test('a set with a problem is refused as a whole and changes nothing', async () => {
    const pair = await up(await createPair());
    pair.nva.session.set([vipRoute()]);
    const refused = pair.nva.session.set([vipRoute(1), { ...vipRoute(0, '192.0.2.11/32'), asPath: [65001, 65515] }]);
    expect(refused).toEqual({ ok: false, problems: ['192.0.2.11/32: AS 65515 may not stand in a path'] });
    expect(pair.nva.session.adjRibOut()).toEqual([vipRoute()]);
  });
  test('a refresh re-sends everything between begin and end marks (RFC 7313)', async () => {
    const pair = await up(await createPair());
    pair.nva.session.set([vipRoute(1), vipRoute(2, '192.0.2.11/32')]);
    await advertised(pair, 2);
    const before = pair.server.events.length;
    expect(pair.server.session.requestRefresh()).toBe(true);
    await until('end of refresh', () =>
      pair.server.events.some((event) => event.type === 'route-refresh' && event.refresh.subtype === 2),
    );
    const kinds = pair.server.events.slice(before).map((event) => {
      if (event.type === 'route-refresh') return `mark ${event.refresh.subtype}`;
      return event.type === 'update' ? event.update.announced[0] : event.type;
    });
    expect(kinds).toEqual(['mark 1', '192.0.2.10/32', '192.0.2.11/32', 'mark 2']);
  });
  test('a refresh of another family is answered with nothing', async () => {
    const { nva, socket, messages } = await rawPeer();
    nva.session.set([vipRoute()]);
    // OPEN, KEEPALIVE, End-of-RIB, the route.
    await until('the route', () => messages.length >= 4);
    socket.write(bytesOf({ type: 'route-refresh', afi: 2, safi: 1, subtype: 0 }));
    socket.write(bytesOf({ type: 'route-refresh', afi: 1, safi: 1, subtype: 0 }));
    await until('the answer to the second', () => messages.length >= 5);
    expect(messages.slice(4).map(([type]) => type)).toEqual([2]);
  });
  test('4,000 counted routes: a table of 3,999 and a prepend of 2,500 of them never exceed the limit', async () => {
    const pair = await up(await createPair());
    const counted = { current: new Set<string>(), largest: 0 };
    const count = () => {
      for (const update of pair.server.updates()) {
        counted.largest = Math.max(counted.largest, counted.current.size + update.announced.length);
        for (const prefix of update.announced) counted.current.add(prefix);
      }
      return counted.largest;
    };
    const prefixes = hosts(3999);
    pair.nva.session.set(prefixes.map((prefix) => vipRoute(1, prefix)));
    await until('the table', () => pair.server.updates().flatMap((update) => update.announced).length === 3999);
    expect(count()).toBeLessThanOrEqual(4000);
    pair.server.events.length = 0;
    pair.nva.session.set(prefixes.map((prefix, index) => vipRoute(index < 2500 ? 4 : 1, prefix)));
    await until('the change', () => pair.server.updates().flatMap((update) => update.announced).length === 2500);
    expect(count()).toBeLessThanOrEqual(4000);
    expect(pair.nva.session.status().isSynced).toBe(true);
  });
});

describe('end', () => {
  test('stop sends Cease with its text, which the peer reads', async () => {
    const pair = await up(await createPair());
    await pair.nva.session.stop(2, 'kernel update');
    expect(pair.nva.session.state()).toBe('Idle');
    const seen = await until('the NOTIFICATION', () =>
      pair.server.events.find((event) => event.type === 'notification'),
    );
    expect(seen).toEqual({
      type: 'notification',
      direction: 'in',
      code: 6,
      subcode: 2,
      name: 'Administrative Shutdown',
      text: 'kernel update',
    });
    expect(pair.server.session.status().lastNotification).toMatchObject({ direction: 'in', text: 'kernel update' });
  });
  test('a stopped session stays stopped and refuses the peer with Connection Rejected; started again it comes back', async () => {
    const pair = await up(await createPair());
    await pair.server.session.stop(4);
    await until('a refusal', () => pair.nva.notifications().includes('in 6/5'));
    expect(pair.server.session.state()).toBe('Idle');
    pair.nva.session.set([vipRoute()]);
    pair.server.session.start();
    await up(pair);
    await until('the route', () => pair.server.updates().length > 0);
    expect(pair.nva.session.status().establishedCount).toBe(2);
  });
  test('a peer whose connection is cut is dialled again and told everything again', async () => {
    const sockets: Socket[] = [];
    const { port } = await rawServer((socket) => {
      sockets.push(socket);
      socket.write(open({ asn: 65515, routerId: [10, 0, 0, 5] }));
      socket.write(KEEPALIVE);
    });
    const nva = record({
      peerAddress: '127.0.0.1',
      peerPort: port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
    });
    nva.session.set([vipRoute()]);
    await until('Established', () => nva.session.adjRibOut().length === 1);
    sockets[0]?.resetAndDestroy();
    await until('told again', () => nva.session.status().updatesOut === 2);
    expect(nva.events).toContainEqual({ type: 'connection-failed', reason: 'ECONNRESET' });
    expect(sockets).toHaveLength(2);
  });
  test('the hold timer expires on a silent peer: NOTIFICATION 4/0, the connection reset', async () => {
    const { nva, messages, failures } = await rawPeer({ holdSeconds: 3 }, { keepalives: 'one' });
    await until('hold expiry', () => nva.notifications().includes('out 4/0'), 6000);
    await until('the reset', () => failures.length > 0);
    expect(messages.some(([type, code]) => type === 3 && code === 4)).toBe(true);
    expect(nva.session.status().routesSent).toBe(0);
  }, 15_000);
  test('a pause of the whole process does not expire a hold timer while the peer has spoken', async () => {
    const pair = await up(await createPair({ holdSeconds: 3 }, { holdSeconds: 3 }));
    const { socket, nva } = await rawPeer({ holdSeconds: 3 }, { keepalives: 'one' });
    socket.write(KEEPALIVE);
    const untilMs = performance.now() + 3200;
    // Blocks the event loop past the hold time; the keepalive waits in the kernel meanwhile.
    while (performance.now() < untilMs);
    await until('the loop to run again', () => nva.session.state() === 'Established');
    expect(nva.notifications()).toEqual([]);
    expect(isUp(pair)).toBe(true);
  }, 15_000);
});

/** A session of ours with a raw peer that has sent OPEN (AS 65515) and, if asked, KEEPALIVE. */
async function rawPeer(
  options: Partial<SessionOptions> = {},
  peer: { keepalives?: 'one' | 'none' } = { keepalives: 'one' },
) {
  const messages: [number, number][] = [];
  const failures: string[] = [];
  let rest: Uint8Array = new Uint8Array(0);
  let socket: Socket | undefined;
  const { port } = await rawServer((accepted) => {
    socket ??= accepted;
    if (accepted !== socket) return;
    accepted.on('data', (chunk) => {
      const received = receive(rest, chunk);
      rest = received.rest;
      messages.push(...received.messages.map((bytes): [number, number] => [bytes[18] as number, bytes[19] ?? 0]));
    });
    accepted.on('close', () => failures.push('closed'));
    accepted.write(open({ asn: 65515, routerId: [10, 0, 0, 5], parameters: [2, 2, 2, 0] }));
    if (peer.keepalives === 'one') accepted.write(KEEPALIVE);
  });
  const nva = record({
    peerAddress: '127.0.0.1',
    peerPort: port,
    peerAsn: 65515,
    localAsn: 65001,
    routerId: '10.0.0.1',
    idleHoldBaseMs: 5000,
    idleHoldMaxMs: 5000,
    ...options,
  });
  const wanted = peer.keepalives === 'one' ? 'Established' : 'OpenConfirm';
  await until(wanted, () => nva.session.state() === wanted);
  return { nva, messages, failures, socket: socket as unknown as Socket };
}

describe('a peer that misbehaves', () => {
  test.each<[string, Uint8Array, string]>([
    ['garbage', new Uint8Array(40).fill(7), 'out 1/1'],
    ['a length of 5000', message(4, [], 5000), 'out 1/2'],
    ['an unknown type', message(9, []), 'out 1/3'],
    ['a second OPEN', open({ asn: 65515 }), 'out 5/3'],
    ['a malformed OPEN', open({ asn: 65515, version: 3 }), 'out 5/3'],
    ['an UPDATE whose lengths do not fit', message(2, [0, 9, 0, 0]), 'out 3/1'],
    ['a ROUTE-REFRESH mark of a wrong length', message(5, [0, 1, 1, 1, 0]), 'out 7/1'],
  ])('%s in Established', async (_name, bytes, notification) => {
    const { nva, socket, messages } = await rawPeer();
    socket.write(bytes);
    await until(notification, () => nva.notifications().includes(notification));
    expect(nva.session.state()).not.toBe('Established');
    await until('the NOTIFICATION at the peer', () => messages.some(([type]) => type === 3));
  });
  test('an UPDATE before KEEPALIVE is an FSM error', async () => {
    const { nva, socket } = await rawPeer({}, { keepalives: 'none' });
    socket.write(bytesOf({ type: 'update', withdrawn: [], announced: [] }));
    await until('5/2', () => nva.notifications().includes('out 5/2'));
  });
  test('what follows a fatal message in the same segment is nobody’s', async () => {
    const { nva, socket } = await rawPeer();
    const route = { ...vipRoute(), asPath: [65515], origin: 'igp' } as const;
    const { prefix, ...attributes } = route;
    const late = bytesOf({ type: 'update', withdrawn: [], announced: [prefix], ...attributes });
    socket.write(Uint8Array.of(...message(9, []), ...late));
    await until('1/3', () => nva.notifications().includes('out 1/3'));
    expect(nva.updates()).toEqual([]);
  });
  test('a route that RFC 7606 softens reaches the owner with its mark, and the session stays', async () => {
    const { nva, socket } = await rawPeer();
    socket.write(message(2, [0, 0, 0, 0, 32, 192, 0, 2, 10]));
    const [update] = await until('the UPDATE', () => nva.updates().length > 0 && nva.updates());
    expect(update).toMatchObject({ treatAsWithdraw: true, announced: ['192.0.2.10/32'] });
    expect(nva.session.state()).toBe('Established');
  });
  test.each<[string, Uint8Array, string]>([
    ['the wrong AS', open({ asn: 64999 }), 'out 2/2'],
    ['a hold time of 1', open({ asn: 65515, holdSeconds: 1 }), 'out 2/6'],
    ['version 3', open({ asn: 65515, version: 3 }), 'out 2/1'],
    ['KEEPALIVE instead of OPEN', KEEPALIVE, 'out 5/1'],
    ['a NOTIFICATION of a version error', message(3, [2, 1, 0, 3]), 'in 2/1'],
  ])('%s', async (_name, bytes, notification) => {
    const { port } = await rawServer((socket) => socket.write(bytes));
    const nva = record({
      peerAddress: '127.0.0.1',
      peerPort: port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
    });
    await until(notification, () => nva.notifications().includes(notification));
    expect(nva.session.status().establishedCount).toBe(0);
  });
  test('a slow reader: the write queue is bounded, and what it reads in the end is the newest state', async () => {
    const { nva, socket } = await rawPeer({ peerRouteLimit: 100_000 });
    socket.pause();
    const prefixes = hosts(3000);
    const rounds = 60;
    let largestQueue = 0;
    for (let round = 0; round < rounds; round += 1) {
      // Every route with its own attributes: one UPDATE each, 180,000 in all, 14 MB if all were queued.
      nva.session.set(prefixes.map((prefix, index) => ({ ...vipRoute(round % 8, prefix), med: round * 3000 + index })));
      largestQueue = Math.max(largestQueue, nva.session.status().queuedBytes);
    }
    expect(largestQueue).toBeGreaterThanOrEqual(WRITE_QUEUE_BYTES_MAX);
    expect(largestQueue).toBeLessThan(WRITE_QUEUE_BYTES_MAX + 4096);
    expect(nva.session.status().isSynced).toBe(false);
    socket.resume();
    await until('synced', () => nva.session.status().isSynced, 10_000);
    const newest = prefixes.map((_, index) => (rounds - 1) * 3000 + index);
    expect(nva.session.adjRibOut().map(({ med }) => med)).toEqual(newest);
    expect(nva.session.status().updatesOut).toBeLessThan(100_000);
  }, 20_000);
});

describe('connection refused', () => {
  test('attempts back off up to the maximum, and the session comes up once the peer listens', async () => {
    const server = record({
      peerAddress: '127.0.0.1',
      peerAsn: 65001,
      localAsn: 65515,
      routerId: '10.0.0.5',
      passive: true,
    });
    const first = await listenFor(server.session);
    await first.close();
    const attemptsMs: number[] = [];
    const nva = createSession({
      peerAddress: '127.0.0.1',
      peerPort: first.port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
      idleHoldBaseMs: 40,
      idleHoldMaxMs: 160,
      onEvent: (event) => {
        if (event.type === 'connection-failed' && event.reason === 'ECONNREFUSED') attemptsMs.push(performance.now());
      },
    });
    await until('five refusals', () => attemptsMs.length >= 5);
    const gaps = attemptsMs.slice(1).map((atMs, index) => atMs - (attemptsMs[index] as number));
    // 40, 80, 160, 160 ms, each shortened by up to a quarter; timers never fire early by more than a millisecond.
    for (const [index, baseMs] of [40, 80, 160, 160].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(baseMs * 0.75 - 1);
    }
    await listenFor(server.session, '127.0.0.1', first.port);
    await until('Established', () => nva.state() === 'Established');
    await nva.stop();
  });
});

describe('collision', () => {
  test.each([
    ['10.0.0.1', '10.0.0.5'],
    ['10.0.0.5', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.1'],
  ])(
    'both dial and both listen, identifiers %s and %s: one session remains, the same on both sides',
    async (idA, idB) => {
      const base = { peerAddress: '127.0.0.1', connectRetryMs: 300 };
      const lateA: { session?: ReturnType<typeof record>['session'] } = {};
      const lateB: { session?: ReturnType<typeof record>['session'] } = {};
      const portA = await lateListener(lateA);
      const portB = await lateListener(lateB);
      const a = record({ ...base, peerPort: portB, localAsn: 65001, peerAsn: 65002, routerId: idA });
      const b = record({ ...base, peerPort: portA, localAsn: 65002, peerAsn: 65001, routerId: idB });
      lateA.session = a.session;
      lateB.session = b.session;
      a.session.set([vipRoute()]);
      await until('a route across', () => b.updates().length === 1);
      await until('both Established', () => a.session.state() === 'Established' && b.session.state() === 'Established');
      // Whatever came of the second connection, the session that was chosen stays.
      const sinceMs = performance.now();
      await until('300 ms passed', () => performance.now() - sinceMs > 300, 2000, 20);
      expect([a, b].map(({ session }) => session.status().establishedCount)).toEqual([1, 1]);
      expect(a.session.adjRibOut()).toEqual([vipRoute()]);
    },
  );

  async function lateListener(late: { session?: ReturnType<typeof record>['session'] }): Promise<number> {
    const { port } = await rawServer((socket) => late.session?.accept(socket));
    return port;
  }

  test('the connection of the speaker with the lower identifier is closed with Connection Collision Resolution', async () => {
    const got: [number, number, number][] = [];
    // The peer (higher identifier) leaves our connection in OpenConfirm, then opens one of its own.
    const { port } = await rawServer((socket) => {
      socket.write(open({ asn: 65515, routerId: [10, 0, 0, 5] }));
      socket.on('data', (chunk) => {
        for (const bytes of receive(new Uint8Array(0), chunk).messages) {
          got.push([bytes[18] as number, bytes[19] ?? 0, bytes[20] ?? 0]);
        }
      });
    });
    const nva = record({
      peerAddress: '127.0.0.1',
      peerPort: port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
    });
    const listener = await listenFor(nva.session);
    await until('OpenConfirm', () => nva.session.state() === 'OpenConfirm');
    const second = connect(listener.port, '127.0.0.1');
    second.on('error', () => second.destroy());
    second.write(open({ asn: 65515, routerId: [10, 0, 0, 5] }));
    second.write(KEEPALIVE);
    await until('Established', () => nva.session.state() === 'Established');
    await until('6/7 on our own connection', () =>
      got.some(([type, code, subcode]) => type === 3 && code === 6 && subcode === 7),
    );
    second.destroy();
  });

  test('a peer that opens again gives up its last attempt', async () => {
    const server = record({
      peerAddress: '127.0.0.1',
      peerAsn: 65001,
      localAsn: 65515,
      routerId: '10.0.0.5',
      passive: true,
    });
    const listener = await listenFor(server.session);
    const stuck = connect(listener.port, '127.0.0.1');
    stuck.on('error', () => stuck.destroy());
    await until('OpenSent', () => server.session.state() === 'OpenSent');
    const nva = record({
      peerAddress: '127.0.0.1',
      peerPort: listener.port,
      peerAsn: 65515,
      localAsn: 65001,
      routerId: '10.0.0.1',
    });
    await until('Established', () => nva.session.state() === 'Established');
    expect(server.notifications()).toContain('out 6/7');
    stuck.destroy();
  });
});

test('a connection of no session is refused with Connection Rejected', async () => {
  const listener = await listenFor(undefined);
  const chunks: number[] = [];
  const socket = connect(listener.port, '127.0.0.1');
  socket.on('data', (chunk) => chunks.push(...chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  expect(chunks.slice(18)).toEqual([3, 6, 5]);
});

test.each<[string, Partial<SessionOptions>]>([
  ['hold time 2', { holdSeconds: 2 }],
  ['hold time 65536', { holdSeconds: 65_536 }],
  ['AS 0', { localAsn: 0 }],
  ['AS 2^32', { peerAsn: 2 ** 32 }],
  ['router id 0.0.0.0', { routerId: '0.0.0.0' }],
  ['no router id', { routerId: 'nva-1' }],
])('options no session could run with, %s, are a programmer error', (_name, parts) => {
  const options = {
    peerAddress: '127.0.0.1',
    peerAsn: 65515,
    localAsn: 65001,
    routerId: '10.0.0.1',
    onEvent: () => {},
  };
  expect(() => createSession({ ...options, ...parts })).toThrow(RangeError);
});
