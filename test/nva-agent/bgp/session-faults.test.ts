// Sessions with peers that misbehave, refuse, read slowly or dial at the same time.
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WRITE_QUEUE_BYTES_MAX } from '../../../nva-agent/bgp/bgp-session.ts';
import { encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { receive } from '../../../nva-agent/bgp/frame.ts';
import type { Message } from '../../../nva-agent/bgp/messages.ts';
import { createSession } from '../../../nva-agent/bgp/session.ts';
import { message, open } from '../../support/bgp-bytes.ts';
import { closeAll, listenFor, rawPeer, rawServer, record, vipRoute } from '../../support/bgp-sessions.ts';
import { until } from '../../support/until.ts';

afterEach(closeAll);

const bytesOf = (value: Message) => encodeMessage(value, { as4: true });
const KEEPALIVE = message(4, []);
const hosts = (count: number) => Array.from({ length: count }, (_, n) => `10.9.${n >> 8}.${n & 255}/32`);

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
    const prefixes = hosts(600);
    const rounds = 60;
    let largestQueue = 0;
    for (let round = 0; round < rounds; round += 1) {
      // Every route with its own attributes and 800 octets of path: 36,000 UPDATEs, 30 MB if all were queued.
      nva.session.set(
        prefixes.map((prefix, index) => ({ ...vipRoute(200 + (round % 8), prefix), med: round * 600 + index })),
      );
      largestQueue = Math.max(largestQueue, nva.session.status().queuedBytes);
    }
    expect(largestQueue).toBeGreaterThanOrEqual(WRITE_QUEUE_BYTES_MAX);
    expect(largestQueue).toBeLessThan(WRITE_QUEUE_BYTES_MAX + 4096);
    expect(nva.session.status().isSynced).toBe(false);
    socket.resume();
    await until('synced', () => nva.session.status().isSynced, 10_000);
    const newest = prefixes.map((_, index) => (rounds - 1) * 600 + index);
    expect(nva.session.adjRibOut().map(({ med }) => med)).toEqual(newest);
    expect(nva.session.status().updatesOut).toBeLessThan(30_000);
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
