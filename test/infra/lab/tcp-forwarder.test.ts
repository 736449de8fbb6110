// The forwarder and the cable built on it: where connections go, what a moved route does to them, what a cut does.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Relay, startRelay } from '../../../infra/lab/relay.ts';
import { startTcpForwarder, type TcpForwarder } from '../../../infra/lab/tcp-forwarder.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A server that answers each line with its name, and its port. */
async function named(name: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write(name));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A connection whose answers and end can be awaited. */
function dial(port: number) {
  const socket = connect({ host: '127.0.0.1', port });
  closers.push(() => socket.destroy());
  let failure: string | undefined;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code;
  });
  const closed = new Promise<string | undefined>((resolve) => socket.once('close', () => resolve(failure)));
  return {
    socket,
    closed,
    ask: () =>
      new Promise<string>((resolve, reject) => {
        socket.once('data', (data) => resolve(String(data)));
        socket.once('close', () => reject(new Error(failure ?? 'closed')));
        socket.write('?');
      }),
  };
}

async function forwarder(pick: () => { host: string; port: number } | undefined): Promise<TcpForwarder> {
  const started = await startTcpForwarder({ pick });
  closers.push(() => started.close());
  return started;
}

describe('the forwarder', () => {
  test('asks for the target of every connection', async () => {
    const ports = [await named('west'), await named('north')];
    let turn = 0;
    const { port } = await forwarder(() => ({ host: '127.0.0.1', port: ports[turn++ % 2] ?? 0 }));
    expect(await dial(port).ask()).toBe('west');
    expect(await dial(port).ask()).toBe('north');
  });
  test('resets a connection without a route', async () => {
    const { port } = await forwarder(() => undefined);
    expect(await dial(port).closed).toBe('ECONNRESET');
  });
  test('resets a connection whose target refuses', async () => {
    const { port: gone, close } = await startTcpForwarder({ pick: () => undefined });
    await close();
    const { port } = await forwarder(() => ({ host: '127.0.0.1', port: gone }));
    expect(await dial(port).closed).toBe('ECONNRESET');
  });
  test('resets only the connections whose target is not kept', async () => {
    const ports = { west: await named('west'), north: await named('north') };
    let to = ports.west;
    const started = await forwarder(() => ({ host: '127.0.0.1', port: to }));
    const west = dial(started.port);
    await west.ask();
    to = ports.north;
    const north = dial(started.port);
    await north.ask();
    started.keepOnly((target) => target.port === ports.north);
    expect(await west.closed).toBe('ECONNRESET');
    expect(await north.ask()).toBe('north');
  });
  test('refuses a port that is taken', async () => {
    const taken = await named('west');
    await expect(startTcpForwarder({ port: taken, pick: () => undefined })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});

describe('a cable', () => {
  async function cable(): Promise<Relay> {
    const relay = await startRelay({ host: '127.0.0.1', port: await named('far') });
    closers.push(() => relay.close());
    return relay;
  }
  test('cut, ends what is there and lets nothing new through; mended, works again', async () => {
    const relay = await cable();
    const standing = dial(relay.port);
    expect(await standing.ask()).toBe('far');
    relay.cut();
    expect(await standing.closed).toBe('ECONNRESET');
    expect(await dial(relay.port).closed).toBe('ECONNRESET');
    relay.mend();
    expect(await dial(relay.port).ask()).toBe('far');
  });
  test('leads to where it was told last', async () => {
    const relay = await cable();
    relay.lead({ host: '127.0.0.1', port: await named('elsewhere') });
    expect(await dial(relay.port).ask()).toBe('elsewhere');
    relay.lead(undefined);
    expect(await dial(relay.port).closed).toBe('ECONNRESET');
  });
});
