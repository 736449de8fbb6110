// A throughput sample: what is counted, where it stops, and when it tells nothing.

import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { SAMPLE_BYTES_MIN, sampleThroughput } from '../../../nva-agent/probes/throughput.ts';
import { closedPort, openTcp } from '../agent-world.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n';
const KIB = Buffer.alloc(1024, 'x');

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

async function sampleOf(answer: (socket: Socket) => void, bytesMax = 1024 * 1024, limitMs = 5000) {
  const server = await openTcp((socket) => socket.once('data', () => answer(socket)));
  close = server.close;
  return await sampleThroughput({ url: `http://127.0.0.1:${server.port}/big`, everySeconds: 60, bytesMax }, limitMs);
}

const timesWritten = async (socket: Socket, count: number, pauseMs: number): Promise<void> => {
  for (let i = 0; i < count && !socket.destroyed; i += 1) {
    socket.write(KIB);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
};

describe('a sample', () => {
  test('counts a whole body without the first bytes and without the time before them', async () => {
    const sample = await sampleOf((socket) => {
      socket.write(HEAD);
      setTimeout(() => socket.end(Buffer.alloc(300 * 1024)), 50);
    });
    expect(sample).toMatchObject({ type: 'measured', bytes: 300 * 1024 });
    expect(sample).toHaveProperty('bytesPerSecond', expect.any(Number));
  });

  test('is as fast as the line: a kibibyte every five milliseconds is no more than two hundred a second', async () => {
    const sample = await sampleOf(async (socket) => {
      socket.write(HEAD);
      await timesWritten(socket, 80, 5);
      socket.end();
    });
    if (sample.type !== 'measured') throw new Error(sample.detail);
    expect(sample.bytes).toBeGreaterThanOrEqual(79 * 1024);
    // A timer never rings early by more than a millisecond, however busy the machine.
    expect(sample.bytesPerSecond).toBeLessThan(1024 * 300);
  });

  test('stops at its limit of bytes, however long the body is', async () => {
    let written = 0;
    const sample = await sampleOf((socket) => {
      socket.write(HEAD);
      const more = () => {
        while (!socket.destroyed && socket.write(KIB)) written += 1024;
      };
      socket.on('drain', more);
      more();
    }, 128 * 1024);
    if (sample.type !== 'measured') throw new Error(sample.detail);
    expect(sample.bytes).toBeGreaterThanOrEqual(128 * 1024);
    expect(sample.bytes).toBeLessThan(128 * 1024 + 64 * 1024);
    expect(written).toBeGreaterThan(0);
  });

  test('stops at its limit of time and counts what had come', async () => {
    const sample = await sampleOf(
      (socket) => {
        socket.write(HEAD);
        setTimeout(() => socket.write(Buffer.alloc(2 * SAMPLE_BYTES_MIN)), 20);
      },
      1024 * 1024,
      3000,
    );
    expect(sample).toMatchObject({ type: 'measured', bytes: 2 * SAMPLE_BYTES_MIN });
  });
});

describe('nothing is told', () => {
  test('of a body too short', async () => {
    const sample = await sampleOf((socket) => socket.end(`${HEAD}short`));
    expect(sample).toMatchObject({ type: 'nothing', detail: expect.stringContaining('too few') });
  });

  test('of any answer but 200', async () => {
    const sample = await sampleOf((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
    expect(sample).toEqual({ type: 'nothing', detail: 'HTTP 404' });
  });

  test('of what is no HTTP', async () => {
    const sample = await sampleOf((socket) => socket.end('SSH-2.0-OpenSSH_9\r\n\r\n'));
    expect(sample).toEqual({ type: 'nothing', detail: 'not an HTTP answer' });
  });

  test('where nobody listens', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`;
    expect(await sampleThroughput({ url, everySeconds: 60, bytesMax: 65_536 })).toEqual({
      type: 'nothing',
      detail: 'connection refused',
    });
  });
});
