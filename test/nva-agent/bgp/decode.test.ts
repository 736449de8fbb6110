// The decode verb: the JSON of each kind of message, what ends a session, what RFC 7606 softens, and bad lines.
import { Readable, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { toHex } from '../../../nva-agent/bgp/bytes.ts';
import { decodeLine, LINE_CHARACTERS_MAX } from '../../../nva-agent/bgp/decode.ts';
import { runDecode } from '../../../nva-agent/bgp/decode-command.ts';
import { endDecode, type OpenDump, stepDecode } from '../../../nva-agent/bgp/decode-input.ts';
import { DUMP_BYTES_MAX } from '../../../nva-agent/bgp/hex-dump.ts';
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

describe('hex dumps', () => {
  const KEEPALIVE = message(4, []);
  const REFRESH = message(5, [0, 1, 0, 1]);
  /** IPv4 and TCP headers, as before a message on the wire; the ASCII of what follows is made to look like hex. */
  const HEADERS = Uint8Array.from([0x45, 0, 0, 94, ...new Array<number>(36).fill(0xab)]);
  const packet = Uint8Array.of(...HEADERS, ...KEEPALIVE, ...REFRESH);
  const rows = (bytes: Uint8Array) =>
    Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) => ({
      offset: (i * 16).toString(16).padStart(4, '0'),
      octets: [...bytes.slice(i * 16, i * 16 + 16)].map((byte) => byte.toString(16).padStart(2, '0')),
    }));
  const paired = (octets: readonly string[]) =>
    octets.reduce((text, octet, i) => text + (i % 2 === 0 && i > 0 ? ' ' : '') + octet, '');
  const ASCII = 'ab cd ef 01 23';
  const STYLES: Record<string, (row: { offset: string; octets: readonly string[] }) => string> = {
    'tcpdump -x': ({ offset, octets }) => `\t0x${offset}:  ${paired(octets)}`,
    'tcpdump -X': ({ offset, octets }) => `\t0x${offset}:  ${paired(octets).padEnd(39)}  ${ASCII}`,
    Wireshark: ({ offset, octets }) => `${offset}   ${octets.join(' ').padEnd(47)}   ${ASCII}`,
    xxd: ({ offset, octets }) => `0000${offset}: ${paired(octets).padEnd(39)}  ${ASCII}`,
    'hexdump -C': ({ offset, octets }) =>
      `0000${offset}  ${`${octets.slice(0, 8).join(' ').padEnd(23)}  ${octets.slice(8).join(' ')}`.padEnd(48)}  |${ASCII}|`,
  };
  const play = (...lines: readonly string[]) => {
    const answers: unknown[] = [];
    let dump: OpenDump;
    for (const line of lines) {
      const stepped = stepDecode(dump, line, { as2: false });
      dump = stepped.dump;
      answers.push(...stepped.answers);
    }
    return [...answers, ...endDecode(dump, { as2: false })];
  };
  const keepalive = { type: 'keepalive' };
  const refresh = { type: 'route-refresh', afi: 1, safi: 1 };
  const dumped = (bytes: Uint8Array, style = 'tcpdump -x') => rows(bytes).map((row) => STYLES[style]?.(row) ?? '');

  test.each(Object.keys(STYLES))('%s: of a packet and of a bare message of every length', (style) => {
    expect(play(...dumped(packet, style))).toEqual([keepalive, refresh]);
    for (let length = 1; length < 40; length += 1) {
      const text = [...'x'.repeat(length)].map((letter) => letter.charCodeAt(0));
      const bytes = message(3, [6, 2, length, ...text]);
      expect(play(...dumped(bytes, style))).toEqual([expect.objectContaining({ text: 'x'.repeat(length) })]);
    }
  });
  test('dumps end with a blank line, the header of the next packet or offset 0; bare lines stand between', () => {
    const bare = toHex(KEEPALIVE);
    const header = '12:00:01.123456 IP 10.1.0.4.179 > 10.1.1.4.40000: Flags [P.], length 19: BGP';
    expect(play(header, ...dumped(REFRESH), '', ...dumped(REFRESH), ...dumped(REFRESH), header, bare)).toEqual([
      refresh,
      refresh,
      refresh,
      keepalive,
    ]);
    expect(play(...dumped(REFRESH), bare)).toEqual([refresh, keepalive]);
    expect(play('ffff ffff ffff ffff ffff ffff ffff ffff 0013 04')).toEqual([keepalive]);
  });
  test.each<[string, readonly string[], readonly object[]]>([
    ['no marker', dumped(HEADERS), [{ error: { code: 0, subcode: 0, name: 'no BGP marker in 40 octets' } }]],
    [
      'a message cut short',
      dumped(packet.slice(0, -1)),
      [keepalive, { error: expect.objectContaining({ code: 1, subcode: 2 }) }],
    ],
    [
      'octets behind it that are no message',
      dumped(Uint8Array.of(...KEEPALIVE, ...new Uint8Array(19))),
      [keepalive, { error: expect.objectContaining({ code: 1, subcode: 1 }) }],
    ],
    [
      'a line left out',
      dumped(REFRESH).concat('0x0030:  0000'),
      [refresh, { error: expect.objectContaining({ name: 'offset 48 where 23 was due' }) }],
    ],
  ])('%s', (_name, lines, answers) => expect(play(...lines)).toEqual(answers));
  test('an endless dump is one error, and what follows it is read', () => {
    const lines = dumped(new Uint8Array(DUMP_BYTES_MAX + 1));
    expect(play(...lines, '', toHex(KEEPALIVE))).toEqual([
      { error: { code: 0, subcode: 0, name: `dump longer than ${DUMP_BYTES_MAX} octets` } },
      keepalive,
    ]);
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
  test('a dump, however the chunks fall', async () => {
    const dump = `0000   ${'ff '.repeat(16)}  ................\n0010   00 13 04   ...`;
    expect((await run([], dump.slice(0, 30), dump.slice(30))).lines).toEqual([{ type: 'keepalive' }]);
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
