// Sessions over loopback for tests: everything that was started is stopped by `closeAll`.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { receive } from '../../nva-agent/bgp/frame.ts';
import { type Listener, listen } from '../../nva-agent/bgp/listener.ts';
import type { Route, UpdateMessage } from '../../nva-agent/bgp/messages.ts';
import { createSession, type Session, type SessionEvent, type SessionOptions } from '../../nva-agent/bgp/session.ts';
import { message, open } from './bgp-bytes.ts';
import { until } from './until.ts';

const closers: (() => Promise<unknown> | undefined)[] = [];

/** A session with everything it reported. */
export interface Recorded {
  readonly session: Session;
  readonly events: SessionEvent[];
  /** Received UPDATEs, End-of-RIB left out. */
  updates(): UpdateMessage[];
  notifications(): string[];
}

/** Quick retries, so that no test waits for a real back-off. */
const QUICK = { connectRetryMs: 200, idleHoldBaseMs: 20, idleHoldMaxMs: 100 } as const;

export function record(options: Omit<SessionOptions, 'onEvent'>): Recorded {
  const events: SessionEvent[] = [];
  const session = createSession({ ...QUICK, ...options, onEvent: (event) => events.push(event) });
  closers.push(() => session.stop());
  return {
    session,
    events,
    updates: () =>
      events.flatMap((event) =>
        event.type === 'update' && event.update.announced.length + event.update.withdrawn.length > 0
          ? [event.update]
          : [],
      ),
    notifications: () =>
      events.flatMap((event) =>
        event.type === 'notification' ? [`${event.direction} ${event.code}/${event.subcode}`] : [],
      ),
  };
}

export async function listenFor(session: Session | undefined, address = '127.0.0.1', port = 0): Promise<Listener> {
  const listener = await listen({ address, port, sessionFor: () => session });
  closers.push(() => listener.close());
  return listener;
}

export interface Pair {
  /** Dials; AS 65001. */
  readonly nva: Recorded;
  /** Listens; AS 65515. */
  readonly server: Recorded;
  readonly port: number;
}

/** A speaker that dials and one that listens, as an NVA and a Route Server do. */
export async function createPair(
  nvaOptions: Partial<SessionOptions> = {},
  serverOptions: Partial<SessionOptions> = {},
): Promise<Pair> {
  const server = record({
    peerAddress: '127.0.0.1',
    peerAsn: 65001,
    localAsn: 65515,
    routerId: '10.0.0.5',
    holdSeconds: 180,
    passive: true,
    forbiddenAsns: [0],
    ...serverOptions,
  });
  const { port } = await listenFor(server.session);
  const nva = record({
    peerAddress: '127.0.0.1',
    peerPort: port,
    peerAsn: 65515,
    localAsn: 65001,
    routerId: '10.0.0.1',
    ...nvaOptions,
  });
  return { nva, server, port };
}

/** A TCP server that is no BGP speaker: the test decides what it answers. */
export async function rawServer(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    // Read on unless the test pauses it, so that the other side's end is seen.
    socket.resume();
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** A session of ours with a raw peer that has sent OPEN (AS 65515) and, if asked, message(4, []). */
export async function rawPeer(
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
    if (peer.keepalives === 'one') accepted.write(message(4, []));
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

/** Stops whatever the functions above started, newest first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** A vip's route with a number of prepends. */
export function vipRoute(prepends = 0, prefix = '192.0.2.10/32'): Route {
  return { prefix, asPath: [65001, ...new Array<number>(prepends).fill(64500)], nextHop: '10.1.1.4' };
}
