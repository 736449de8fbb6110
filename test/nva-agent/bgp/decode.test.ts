// The decode verb: the JSON of each kind of message, what ends a session, what RFC 7606 softens, and bad lines.
import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { toHex } from '../../../nva-agent/bgp/bytes.ts';
import { decodeLine, LINE_CHARACTERS_MAX } from '../../../nva-agent/bgp/decode.ts';
import { runDecode } from '../../../nva-agent/bgp/decode-command.ts';
import { AS_PATH_65001, MANDATORY, message, NEXT_HOP_10, open, update, VIP } from '../../support/bgp-bytes.ts';

const decode = (bytes: Uint8Array, as2 = false) => decodeLine(toHex(bytes), { as2 });

describe('messages', () => {
  test('open', () => {
    expect(decode(open({ parameters: [2, 8, 65, 4, 0, 0, 0xfd, 0xe9, 2, 0] }))).toEqual({
      type: 'open',
      version: 4,
      asn: 65001,
      holdSeconds: 180,
      routerId: '10.0.0.1',
      capabilities: [{ code: 65, asn: 65001 }, { code: 2 }],
    });
  });
  test('update, with everything the shape has', () => {
    const attributes = [
      [0x40, 1, 1, 0],
      [0x40, 2, 16, 2, 1, 0, 0, 0xfd, 0xe9, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2],
      NEXT_HOP_10,
      [0x80, 4, 4, 0, 0, 0, 7],
      [0x40, 5, 4, 0, 0, 0, 200],
      [0x40, 6, 0],
      [0xc0, 8, 4, 0xfd, 0xe9, 0, 1],
      [0xc0, 99, 1, 1],
    ];
    expect(decode(update({ withdrawn: [8, 10], attributes, nlri: VIP }))).toEqual({
      type: 'update',
      withdrawn: ['10.0.0.0/8'],
      announced: ['192.0.2.10/32'],
      origin: 'igp',
      asPath: [65001, [1, 2]],
      nextHop: '10.1.1.4',
      med: 7,
      localPref: 200,
      communities: ['65001:1'],
      atomicAggregate: true,
      otherAttributes: [6, 99],
    });
  });
  test('update with nothing in it', () => {
    expect(decode(update({}))).toEqual({
      type: 'update',
      withdrawn: [],
      announced: [],
      communities: [],
      otherAttributes: [],
    });
  });
  test('update with 2-octet AS path', () => {
    const attributes = [[0x40, 1, 1, 0], [0x40, 2, 4, 2, 1, 0xfd, 0xe9], NEXT_HOP_10];
    expect(decode(update({ attributes, nlri: VIP }), true)).toMatchObject({ asPath: [65001] });
    expect(decode(update({ attributes, nlri: VIP }))).toMatchObject({ treatAsWithdraw: true });
  });
  test('keepalive, route refresh, notification', () => {
    expect(decode(message(4, []))).toEqual({ type: 'keepalive' });
    expect(decode(message(5, [0, 1, 0, 1]))).toEqual({ type: 'route-refresh', afi: 1, safi: 1 });
    expect(decode(message(3, [6, 2, 3, 0x62, 0x79, 0x65]))).toEqual({
      type: 'notification',
      code: 6,
      subcode: 2,
      name: 'Administrative Shutdown',
      text: 'bye',
    });
    expect(decode(message(3, [2, 1, 0, 4]))).toMatchObject({ name: 'Unsupported Version Number', data: '0004' });
    expect(decode(message(3, [77, 1]))).toMatchObject({ code: 77, name: 'Unknown Error 77' });
  });
});

describe('errors', () => {
  test.each<[string, Uint8Array, number, number, string]>([
    ['a bad marker', new Uint8Array(19), 1, 1, 'Connection Not Synchronized'],
    ['a message cut short', message(4, [], 19).slice(0, 18), 1, 2, 'Bad Message Length'],
    ['a message with octets behind it', Uint8Array.of(...message(4, []), 0), 1, 2, 'Bad Message Length'],
    ['an unknown type', message(9, []), 1, 3, 'Bad Message Type'],
    ['a bad version', open({ version: 3 }), 2, 1, 'Unsupported Version Number'],
    ['a malformed parameter', open({ parameters: [2] }), 2, 0, 'OPEN Message Error'],
    ['an unreadable prefix', update({ attributes: MANDATORY, nlri: [40] }), 3, 10, 'Invalid Network Field'],
  ])('%s', (_name, bytes, code, subcode, name) => {
    expect(decode(bytes)).toEqual({ error: { code, subcode, name } });
  });
  test('treat as withdraw and discarded attributes are marks on the update', () => {
    expect(decode(update({ attributes: [AS_PATH_65001, NEXT_HOP_10], nlri: VIP }))).toMatchObject({
      announced: ['192.0.2.10/32'],
      treatAsWithdraw: true,
    });
    expect(decode(update({ attributes: [...MANDATORY, [0x40, 6, 1, 0]], nlri: VIP }))).toMatchObject({
      discardedAttributes: [6],
      otherAttributes: [],
    });
  });
  test.each(['zz', 'fff', '', ':', 'ff'.repeat(LINE_CHARACTERS_MAX)])('a line that is no octets', (line) => {
    expect(decodeLine(line, { as2: false })).toMatchObject({ error: { code: 0, subcode: 0 } });
  });
  test('spaces, colons, capitals and 0x are allowed', () => {
    const line = ` 0x${'FF:'.repeat(16)} 00 13\t04\r`;
    expect(decodeLine(line, { as2: false })).toEqual({ type: 'keepalive' });
  });
});

describe('the stdin loop', () => {
  async function run(argv: string[], ...chunks: string[]) {
    const out: string[] = [];
    const sink = (into: string[]) =>
      new Writable({
        write(chunk, _encoding, done) {
          into.push(String(chunk));
          done();
        },
      });
    const errors: string[] = [];
    const streams = { stdin: Readable.from(chunks), stdout: sink(out), stderr: sink(errors) };
    const code = await runDecode(argv, streams);
    return {
      code,
      lines: out
        .join('')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
      errors,
    };
  }
  const keepalive = toHex(message(4, []));

  test('a line each, however the chunks fall; empty lines are passed over', async () => {
    const { code, lines } = await run([], keepalive.slice(0, 5), `${keepalive.slice(5)}\n\n  \nzz\r\n`, keepalive);
    expect(code).toBe(0);
    expect(lines).toEqual([{ type: 'keepalive' }, { error: expect.anything() }, { type: 'keepalive' }]);
  });
  test('--as2', async () => {
    const attributes = [[0x40, 1, 1, 0], [0x40, 2, 4, 2, 1, 0xfd, 0xe9], NEXT_HOP_10];
    const { lines } = await run(['--as2'], `${toHex(update({ attributes, nlri: VIP }))}\n`);
    expect(lines).toEqual([expect.objectContaining({ asPath: [65001] })]);
  });
  test('an endless line is one error and the next line is read', async () => {
    const { lines } = await run([], ...new Array<string>(50).fill('ff'.repeat(4096)), `\n${keepalive}\n`);
    expect(lines).toEqual([{ error: expect.objectContaining({ code: 0 }) }, { type: 'keepalive' }]);
  });
  test('an unknown option is refused', async () => {
    const { code, errors } = await run(['--as4'], keepalive);
    expect(code).toBe(2);
    expect(errors.join('')).toContain('--as4');
  });
});
