// The sentinel connection: loss, return, refusal, end.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Sentinel, startSentinel } from '../../../nva-agent/probes/sentinel.ts';
import { closedPort, openTcp, until } from '../agent-world.ts';

let closers: (() => Promise<void> | void)[];
let heard: string[];
beforeEach(() => {
  closers = [];
  heard = [];
});
afterEach(async () => {
  for (const close of closers) await close();
});

function watch(port: number): Sentinel {
  const sentinel = startSentinel({ host: '127.0.0.1', port }, (event) => heard.push(event));
  closers.push(() => sentinel.stop());
  return sentinel;
}

describe('the sentinel', () => {
  test('tells of the connection, of its loss at once, and of the return', async () => {
    const sockets: { destroy(): void }[] = [];
    const server = await openTcp((socket) => sockets.push(socket));
    closers.push(server.close);
    watch(server.port);
    await until('up', () => heard.length === 1);
    await until('accepted', () => sockets.length === 1);
    sockets[0]?.destroy();
    await until('lost', () => heard.length === 2);
    await until('up again', () => heard.length === 3);
    expect(heard).toEqual(['up', 'lost', 'up']);
  });

  test('tells once that nobody listens, however often it tries', async () => {
    let tries = 0;
    const server = await openTcp((socket) => {
      tries += 1;
      socket.destroy();
    });
    closers.push(server.close);
    watch(await closedPort());
    await until('lost', () => heard.length === 1);
    expect(heard).toEqual(['lost']);
    expect(tries).toBe(0);
  });

  test('an application that ends its side has lost us', async () => {
    let accepted = 0;
    const server = await openTcp((socket) => {
      accepted += 1;
      if (accepted === 1) socket.end();
    });
    closers.push(server.close);
    watch(server.port);
    await until('back', () => heard.length === 3);
    expect(heard).toEqual(['up', 'lost', 'up']);
  });

  test('after stop nothing is told and nothing stays open', async () => {
    const sockets: { destroyed: boolean }[] = [];
    const server = await openTcp((socket) => sockets.push(socket));
    closers.push(server.close);
    const sentinel = watch(server.port);
    await until('up', () => heard.length === 1 && sockets.length === 1);
    sentinel.stop();
    await until('closed', () => sockets.every((socket) => socket.destroyed));
    expect(heard).toEqual(['up']);
  });
});
