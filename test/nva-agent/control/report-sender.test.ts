// Reports and tokens against local seats: coalescing, slow and broken seats.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createTokenSource, EARLY_MS } from '../../../nva-agent/control/identity-token.ts';
import { createReportSender, type ReportOutcome, type ReportSender } from '../../../nva-agent/control/report-sender.ts';
import { closedPort, openTcp, TestSeat, until } from '../agent-world.ts';

let seats: TestSeat[];
let senders: ReportSender[];
let outcomes: ReportOutcome[];
let orders: string[];
let builds: number;
let odds: { close(): Promise<void> }[];

beforeEach(async () => {
  seats = [await new TestSeat().start(), await new TestSeat().start()];
  senders = [];
  outcomes = [];
  orders = [];
  builds = 0;
  odds = [];
});
afterEach(async () => {
  for (const sender of senders) sender.stop();
  await Promise.all([...seats.map((seat) => seat.stop()), ...odds.map((odd) => odd.close())]);
});

const seatAt = (i: number): TestSeat =>
  seats[i] ??
  (() => {
    throw new Error(`no seat ${i}`);
  })();
const addresses = () => seats.map((seat, i) => ({ name: `seat-${i}`, url: seat.url, audience: 'api://anycast' }));

function open(urls = addresses(), nowMs: () => number = () => performance.now()): ReportSender {
  const sender = createReportSender({
    seats: urls,
    sender: 'we-nva-1',
    tokens: createTokenSource({ endpoint: `${seatAt(0).url}/token` }, nowMs),
    tls: {},
    build: () => {
      builds += 1;
      return [{ group: 'default', body: JSON.stringify({ build: builds }) }];
    },
    onOrder: (jws) => orders.push(jws),
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  senders.push(sender);
  return sender;
}

/** A server that says this to whatever it is asked. */
async function answering(text: string): Promise<{ port: number }> {
  const odd = await openTcp((socket) => socket.once('data', () => socket.end(text)));
  odds.push(odd);
  return odd;
}

describe('reports', () => {
  test('go to every seat with a token of the managed identity, asked for once', async () => {
    const sender = open();
    sender.report();
    await until('both seats have one', () => seats.every((seat) => seat.reports.length === 1));
    expect(seats.map((seat) => seat.reports[0]?.path)).toEqual(Array(2).fill('/api/agents/we-nva-1/reports'));
    expect(seatAt(1).reports[0]?.authorization).toBe('Bearer token-1');
    sender.report();
    await until('both seats have two', () => seats.every((seat) => seat.reports.length === 2));
    expect(seatAt(0).tokens).toBe(1);
  });

  test('changes close together travel in one report', async () => {
    const sender = open();
    for (let i = 0; i < 50; i += 1) sender.report();
    await until('sent', () => outcomes.length === 2);
    await sender.flush(1000);
    // One coalesced report and the flush, to two seats.
    expect(builds).toBe(4);
  });

  test('a slow seat delays nobody and has at most one in flight, then gets the newest', async () => {
    seatAt(0).isSlow = true;
    const sender = open();
    for (let i = 0; i < 5; i += 1) {
      sender.report();
      await until(`the quick seat has report ${i + 1}`, () => seatAt(1).reports.length === i + 1);
    }
    expect(seatAt(0).reports).toHaveLength(1);
  });

  test('an order in the answer is handed on', async () => {
    seatAt(0).order = 'a.b.c';
    open().report();
    await until('handed on', () => orders.length === 1);
    expect(orders).toEqual(['a.b.c']);
  });

  test('a refused token is dropped and asked for anew', async () => {
    seatAt(0).status = 401;
    const sender = open(addresses().slice(0, 1));
    sender.report();
    await until('refused', () => outcomes.length === 1);
    expect(outcomes[0]).toEqual({ seat: 'seat-0', group: 'default', error: 'HTTP 401' });
    seatAt(0).status = 200;
    sender.report();
    await until('taken', () => outcomes.length === 2);
    expect([seatAt(0).tokens, outcomes[1]?.error]).toEqual([2, undefined]);
  });

  test('a seat that is gone is an outcome, not an exception', async () => {
    const sender = open([{ name: 'gone', url: `http://127.0.0.1:${await closedPort()}`, audience: 'api://anycast' }]);
    sender.report();
    await until('told', () => outcomes.length === 1);
    expect(outcomes[0]?.error).toContain('ECONNREFUSED');
  });

  test.each([
    ['nonsense', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope', undefined],
    ['no HTTP', 'what?\r\n\r\n', 'HPE_INVALID_CONSTANT'],
  ])('a seat that answers %s hands out nothing', async (_name, answer, error) => {
    const odd = await answering(answer);
    const sender = open([{ name: 'odd', url: `http://127.0.0.1:${odd.port}`, audience: 'api://anycast' }]);
    sender.report();
    await until('told', () => outcomes.length === 1);
    if (error === undefined) expect(outcomes[0]?.error).toBeUndefined();
    else expect(outcomes[0]?.error).toContain(error);
    expect(orders).toEqual([]);
  });

  test('flush gives up on a seat that does not answer', async () => {
    seatAt(0).isSlow = true;
    const sender = open();
    const startedMs = performance.now();
    await sender.flush(100);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
    expect(seatAt(1).reports).toHaveLength(1);
  });
});

describe('tokens', () => {
  test('are asked for anew before they expire', async () => {
    let nowMs = 0;
    const source = createTokenSource({ endpoint: `${seatAt(0).url}/token` }, () => nowMs);
    expect(await source.token('a')).toBe('token-1');
    nowMs = 3_600_000 - EARLY_MS - 1;
    expect(await source.token('a')).toBe('token-1');
    nowMs += 1;
    expect(await source.token('a')).toBe('token-2');
    expect(await source.token('b')).toBe('token-3');
  });

  test('a question asked twice at the same time is asked once', async () => {
    const source = createTokenSource({ endpoint: `${seatAt(0).url}/token` }, () => 0);
    expect(await Promise.all([source.token('a'), source.token('a')])).toEqual(['token-1', 'token-1']);
  });

  test.each([
    ['refuses', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}'],
    ['answers something else', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]'],
  ])('an endpoint that %s is an operating error', async (_name, answer) => {
    const odd = await answering(answer);
    const source = createTokenSource({ endpoint: `http://127.0.0.1:${odd.port}/token` }, () => 0);
    await expect(source.token('a')).rejects.toMatchObject({ code: 'no-token' });
  });

  test('an endpoint that is not there is an operating error, and the next question is asked again', async () => {
    const port = await closedPort();
    const source = createTokenSource({ endpoint: `http://127.0.0.1:${port}/token` }, () => 0);
    await expect(source.token('a')).rejects.toMatchObject({ code: 'no-token' });
    await expect(source.token('a')).rejects.toMatchObject({ code: 'no-token' });
  });
});
