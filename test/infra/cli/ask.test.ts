// One request of the command line: what it sends and reads, when it says that it has sent, and each way to fail.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { ask } from '../../../infra/cli/ask.ts';
import { ControlPlaneClient } from '../../../infra/cli/client.ts';

let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

async function listen(answer: RequestListener): Promise<string> {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

test('sends method, headers and body on a connection of its own, and reads status, headers and text', async () => {
  let seen = '';
  const url = await listen(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen = `${request.method} ${request.url} ${request.headers.connection} ${request.headers['x-a']} ${body}`;
    response.writeHead(409, { 'x-b': 'c' }).end('{"ä":1}');
  });
  const answer = await ask(`${url}/api/x?y=1`, { method: 'POST', headers: { 'x-a': 'b' }, body: 'é' });
  expect(seen).toBe('POST /api/x?y=1 close b é');
  expect([answer.status, answer.ok, answer.headers.get('X-B'), answer.headers.get('x-d')]).toEqual([
    409,
    false,
    'c',
    null,
  ]);
  expect(await answer.json()).toEqual({ ä: 1 });
});

test('a schema loads while the answer is on its way: before it, and once', async () => {
  const order: string[] = [];
  let sent: () => void = () => undefined;
  const isSent = new Promise<void>((resolve) => {
    sent = resolve;
  });
  const url = await listen(async (_request, response) => {
    await isSent;
    order.push('answered');
    response.end('{}');
  });
  const client = new ControlPlaneClient(
    { name: 'test', seats: [url] },
    { fetch: ask, token: async () => undefined, debug: undefined },
  );
  const schema = async () => {
    order.push('loaded');
    sent();
    return z.object({});
  };
  expect((await client.call('/status', schema)).value).toEqual({});
  expect(order).toEqual(['loaded', 'answered']);
});

test('a schema that cannot be loaded is an error of the call', async () => {
  const url = await listen((_request, response) => void response.end('{}'));
  const client = new ControlPlaneClient(
    { name: 'test', seats: [url] },
    { fetch: ask, token: async () => undefined, debug: undefined },
  );
  await expect(client.call('/status', () => Promise.reject(new Error('no such file')))).rejects.toThrow('no such file');
});

test('nobody there, silence, and an answer that breaks off are errors', async () => {
  const url = await listen((request, response) => {
    if (request.url === '/cut')
      response.writeHead(200, { 'content-length': '10' }).write('{', () => request.socket.destroy());
  });
  await expect(ask(`${url}/cut`, {})).rejects.toThrow('aborted');
  await expect(ask(`${url}/silent`, { signal: AbortSignal.timeout(50) })).rejects.toThrow('aborted');
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  // The name has two addresses: the first refusal is told, not an error without words.
  await expect(ask(`http://localhost:${port}/`, {})).rejects.toThrow('ECONNREFUSED');
});
