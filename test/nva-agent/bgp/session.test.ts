// Two of our sessions over loopback: establish, change, end. session-faults.test.ts has the peers that misbehave.
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import type { Message } from '../../../nva-agent/bgp/messages.ts';
import { createSession, type SessionOptions } from '../../../nva-agent/bgp/session.ts';
import { message, open } from '../../support/bgp-bytes.ts';
import {
  closeAll,
  createPair,
  listenFor,
  type Pair,
  rawPeer,
  rawServer,
  record,
  vipRoute,
} from '../../support/bgp-sessions.ts';
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
