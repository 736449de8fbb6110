// Every kind of probe against local servers and programs.
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { OUTPUT_BYTES_MAX } from '../../../nva-agent/probes/exec.ts';
import { isOwnFailure } from '../../../nva-agent/probes/own-failure.ts';
import { runProbe } from '../../../nva-agent/probes/probe.ts';
import type { ProbeConfig } from '../../../shared/topology-schema.ts';
import { closedPort, makeCertificate, openTcp, TestApp, until } from '../agent-world.ts';

let closers: (() => Promise<void> | void)[];
beforeEach(() => {
  closers = [];
});
afterEach(async () => {
  for (const close of closers) await close();
});

const http = (port: number, change: Partial<Extract<ProbeConfig, { type: 'http' | 'https' }>> = {}): ProbeConfig => ({
  type: 'http',
  url: `http://127.0.0.1:${port}/healthz`,
  expectStatus: [200],
  headers: {},
  verifyTls: true,
  ...change,
});

/** A server that writes these pieces, one after the other, to whoever connects. */
async function answering(...pieces: readonly string[]): Promise<number> {
  const server = await openTcp((socket) =>
    socket.once('data', () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    }),
  );
  closers.push(server.close);
  return server.port;
}

describe('http', () => {
  test('passes on the expected status and measures it', async () => {
    const app = await new TestApp().start();
    closers.push(() => app.crash());
    const outcome = await runProbe(http(app.port), 1000);
    expect(outcome.type).toBe('pass');
    app.mode = 'errors';
    expect(await runProbe(http(app.port), 1000)).toMatchObject({ type: 'fail', detail: 'HTTP 500' });
    expect((await runProbe(http(app.port, { expectStatus: [500] }), 1000)).type).toBe('pass');
  });

  test.each<[string, string[], Partial<Extract<ProbeConfig, { type: 'http' | 'https' }>>, string, string | undefined]>([
    ['status alone', ['HTTP/1.1 200 OK\r\n\r\n'], {}, 'pass', undefined],
    ['status without reason', ['HTTP/1.1 204\r\n\r\n'], { expectStatus: [204] }, 'pass', undefined],
    ['head in pieces', ['HTT', 'P/1.1 200 O', 'K\r\n', '\r\n'], {}, 'pass', undefined],
    ['no HTTP', ['SSH-2.0-OpenSSH\r\n\r\n'], {}, 'fail', 'not an HTTP answer'],
    ['an endless head', ['HTTP/1.1 200 OK\r\n', 'x'.repeat(20_000)], {}, 'fail', 'head too long'],
    ['closed at once', [], {}, 'fail', 'closed before a whole answer'],
    [
      'the expected text',
      ['HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhealthy'],
      { expectBody: 'health' },
      'pass',
      undefined,
    ],
    [
      'another text',
      ['HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsick'],
      { expectBody: 'health' },
      'fail',
      'body lacks the expected text',
    ],
    ['the text without a length', ['HTTP/1.1 200 OK\r\n\r\nheal', 'thy'], { expectBody: 'healthy' }, 'pass', undefined],
    [
      'another text without a length',
      ['HTTP/1.1 200 OK\r\n\r\nsi', 'ck'],
      { expectBody: 'healthy' },
      'fail',
      'body lacks the expected text',
    ],
    [
      'the text over two chunks',
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nheal\r\n3\r\nthy\r\n0\r\n\r\n'],
      { expectBody: 'healthy' },
      'pass',
      undefined,
    ],
    [
      'another text in chunks',
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsick\r\n0\r\n\r\n'],
      { expectBody: 'healthy' },
      'fail',
      'body lacks the expected text',
    ],
  ])('%s', async (_name, pieces, change, type, detail) => {
    const outcome = await runProbe(http(await answering(...pieces), change), 1000);
    expect(outcome).toMatchObject({ type, ...(detail === undefined ? {} : { detail }) });
  });

  test('sends path, host and headers, and no header that carries a line break', async () => {
    let seen = '';
    const server = await openTcp((socket) =>
      socket.on('data', (chunk) => {
        seen += chunk.toString();
        socket.end('HTTP/1.1 200 OK\r\n\r\n');
      }),
    );
    closers.push(server.close);
    await runProbe(
      http(server.port, {
        url: `http://127.0.0.1:${server.port}/a?b=1#c`,
        headers: { 'x-probe': 'yes', evil: 'a\r\nx: y' },
      }),
      1000,
    );
    expect(seen).toMatch(/^GET \/a\?b=1 HTTP\/1\.1\r\n/);
    expect(seen).toContain(`host: 127.0.0.1:${server.port}\r\n`);
    expect(seen).toContain('x-probe: yes\r\n');
    expect(seen).not.toContain('evil');
  });

  test('a hang fails at the timeout, also when bytes trickle', async () => {
    const silent = await openTcp(() => undefined);
    const trickling = await openTcp((socket) => {
      const timer = setInterval(() => socket.write('x'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    closers.push(silent.close, trickling.close);
    for (const { port } of [silent, trickling]) {
      expect(await runProbe(http(port), 60)).toMatchObject({ type: 'fail', detail: 'no answer within 60 ms' });
    }
  });

  test('a refusal and a reset fail', async () => {
    expect(await runProbe(http(await closedPort()), 1000)).toMatchObject({
      type: 'fail',
      detail: 'connection refused',
    });
    const resetting = await openTcp((socket) => socket.resetAndDestroy());
    closers.push(resetting.close);
    expect((await runProbe(http(resetting.port), 1000)).type).toBe('fail');
  });

  test('a name nobody can resolve is our own trouble', async () => {
    expect((await runProbe(http(80, { url: 'http://app.invalid/' }), 3000)).type).toBe('unknown');
  });
});

describe('https', () => {
  test('checks the certificate unless told not to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anycast-https-'));
    const { cert, key } = makeCertificate(folder);
    const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(
      () => new Promise((resolve) => server.close(() => resolve())),
      () => rmSync(folder, { recursive: true }),
    );
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect(await runProbe(http(0, { type: 'https', url }), 2000)).toMatchObject({
      type: 'fail',
      detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect((await runProbe(http(0, { type: 'https', url, verifyTls: false }), 2000)).type).toBe('pass');
  });
});

describe('tcp', () => {
  test('passes on a connection, fails on a refusal, knows nothing of a target without port', async () => {
    const server = await openTcp(() => undefined);
    closers.push(server.close);
    expect((await runProbe({ type: 'tcp', target: `127.0.0.1:${server.port}` }, 1000)).type).toBe('pass');
    expect((await runProbe({ type: 'tcp', target: `127.0.0.1:${await closedPort()}` }, 1000)).type).toBe('fail');
    expect((await runProbe({ type: 'tcp', target: '127.0.0.1' }, 1000)).type).toBe('unknown');
  });
});

describe('dns', () => {
  /** Answers every query with one A record, or with an rcode. */
  async function nameServer(how: { address: readonly number[] } | { rcode: number } | 'silent'): Promise<string> {
    const socket: DatagramSocket = createSocket('udp4');
    socket.on('message', (query, from) => {
      if (how === 'silent') return;
      const end = query.indexOf(0, 12) + 5;
      const question = query.subarray(12, end);
      const rcode = 'rcode' in how ? how.rcode : 0;
      const answers = 'rcode' in how ? 0 : 1;
      const head = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80 | rcode, 0, 1, 0, answers, 0, 0, 0, 0]);
      const record =
        'rcode' in how ? Buffer.alloc(0) : Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...how.address]);
      socket.send(Buffer.concat([head, question, record]), from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    closers.push(() => new Promise<void>((resolve) => socket.close(resolve)));
    return `127.0.0.1:${socket.address().port}`;
  }
  const dns = (server: string, expected?: string): ProbeConfig => ({
    type: 'dns',
    server,
    query: 'app.example',
    recordType: 'A',
    ...(expected === undefined ? {} : { expect: expected }),
  });

  test('judges the answer', async () => {
    const server = await nameServer({ address: [10, 1, 2, 10] });
    expect((await runProbe(dns(server), 1000)).type).toBe('pass');
    expect((await runProbe(dns(server, '10.1.2.10'), 1000)).type).toBe('pass');
    expect(await runProbe(dns(server, '10.1.2.11'), 1000)).toMatchObject({
      type: 'fail',
      detail: 'answer lacks 10.1.2.11',
    });
  });

  test('a server that fails, has no such name or is silent fails the probe', async () => {
    expect((await runProbe(dns(await nameServer({ rcode: 2 })), 1000)).type).toBe('fail');
    expect((await runProbe(dns(await nameServer({ rcode: 3 })), 1000)).type).toBe('fail');
    expect((await runProbe(dns(await nameServer('silent')), 150)).type).toBe('fail');
  });

  test('a server that is no address tells nothing', async () => {
    expect((await runProbe(dns('name.server'), 1000)).type).toBe('unknown');
  });
});

describe('exec', () => {
  const exec = (...argv: string[]): ProbeConfig => ({ type: 'exec', argv });

  test('judges the exit status and keeps what was said, bounded', async () => {
    expect((await runProbe(exec('/bin/true'), 2000)).type).toBe('pass');
    expect(await runProbe(exec('/bin/sh', '-c', 'echo no  backend; exit 3'), 2000)).toMatchObject({
      type: 'fail',
      detail: 'exit 3: no backend',
    });
    const rude = await runProbe(exec('/bin/sh', '-c', "printf '\\033[2Jgone\\r\\nfake\\007'; exit 1"), 2000);
    expect(rude).toMatchObject({ type: 'fail', detail: 'exit 1: [2Jgone fake' });
    const loud = await runProbe(exec('/bin/sh', '-c', 'yes | head -c 1000000; exit 1'), 4000);
    expect(loud.type === 'fail' && loud.detail.length).toBeLessThanOrEqual(OUTPUT_BYTES_MAX + 20);
  });

  test('does not go through a shell', async () => {
    expect(await runProbe(exec('/bin/echo', '$(false); exit 1'), 2000)).toMatchObject({ type: 'pass' });
  });

  test('on timeout the whole process group is killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anycast-exec-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'pid');
    const outcome = await runProbe(exec('/bin/sh', '-c', `sleep 60 & echo $! > ${file}; wait`), 300);
    expect(outcome).toMatchObject({ type: 'fail', detail: 'not done within 300 ms' });
    const grandchild = Number(readFileSync(file, 'utf8'));
    const isGone = () => {
      try {
        return readFileSync(`/proc/${grandchild}/stat`, 'utf8').includes(') Z ');
      } catch {
        return true;
      }
    };
    await until('the grandchild is gone', isGone);
  });

  test('a program that is not there or may not run is our own trouble', async () => {
    expect((await runProbe(exec('/no/such/program'), 1000)).type).toBe('unknown');
    const folder = mkdtempSync(join(tmpdir(), 'anycast-exec-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'no-program'), '', { mode: 0o600 });
    expect((await runProbe(exec(join(folder, 'no-program')), 1000)).type).toBe('unknown');
  });

  test('a program killed by somebody fails', async () => {
    expect(await runProbe(exec('/bin/sh', '-c', 'kill -9 $$'), 2000)).toMatchObject({
      type: 'fail',
      detail: 'killed by SIGKILL',
    });
  });
});

describe('failures of our own', () => {
  test.each(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EAI_AGAIN', 'EACCES'])('%s', (code) => {
    expect(isOwnFailure(Object.assign(new Error('x'), { code }))).toBe(true);
  });

  test.each(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ETIMEDOUT', 'EPIPE'])('%s is the application’s', (code) => {
    expect(isOwnFailure(Object.assign(new Error('x'), { code }))).toBe(false);
  });
});
