// The load of the report benchmark: every report once, connections kept, and no figure when one is refused.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { sendReports } from './report-load.ts';

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const load = (origin: string) => ({
  ...{ origin, token: 't', count: 40, connections: 4 },
  report: (index: number) => ({ path: `/api/agents/a/reports?n=${index}`, body: JSON.stringify({ index }) }),
});

test('each report is sent once, over as many connections as said', async () => {
  const seen: number[] = [];
  const ports = new Set<number | undefined>();
  const origin = await serve(async (message, response) => {
    let body = '';
    for await (const part of message) body += String(part);
    seen.push(JSON.parse(body).index);
    ports.add(message.socket.remotePort);
    response.end('{"accepted":true}');
  });
  const { tookMs, perSecond } = await sendReports(load(origin));
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  expect(ports.size).toBe(4);
  expect(tookMs).toHaveLength(40);
  expect(perSecond).toBeGreaterThan(0);
});

test('a refused report and a closed connection fail the benchmark', async () => {
  const refusing = await serve((message, response) => {
    response.writeHead(message.url?.endsWith('n=17') ? 503 : 200).end('overloaded');
  });
  await expect(sendReports(load(refusing))).rejects.toThrow('report 17 is answered 503: overloaded');
  server?.close();
  server?.closeAllConnections();
  const closing = await serve((message) => void message.socket.destroy());
  await expect(sendReports(load(closing))).rejects.toThrow('hang up');
});
