// Every vector decoded whole, byte by byte and with trailing octets, and encoded back.
import { describe, expect, test } from '@jest/globals';
import { decodeMessage, encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { receive } from '../../../nva-agent/bgp/frame.ts';
import { octetsOf, VECTORS } from '../../vectors/bgp/messages.ts';

const cases = VECTORS.map((vector) => ({ ...vector, bytes: octetsOf(vector.hex) }));
const read = (bytes: Uint8Array, as2 = false) => decodeMessage(bytes, { as4: !as2, isExternal: false });

describe('vectors', () => {
  test.each(cases)('$name: length field is true', ({ bytes }) => {
    expect((bytes[16] as number) * 256 + (bytes[17] as number)).toBe(bytes.length);
  });

  test.each(cases)('$name: decoded whole', ({ bytes, message, as2 }) => {
    expect(receive(new Uint8Array(0), bytes)).toEqual({ messages: [bytes], rest: new Uint8Array(0) });
    expect(read(bytes, as2)).toEqual({ ok: true, value: message });
  });

  test.each(cases)('$name: decoded byte by byte', ({ bytes, message, as2 }) => {
    let rest: Uint8Array = new Uint8Array(0);
    const messages: Uint8Array[] = [];
    for (const byte of bytes) {
      const received = receive(rest, Uint8Array.of(byte));
      expect(received.error).toBeUndefined();
      messages.push(...received.messages);
      rest = received.rest;
    }
    expect(rest).toHaveLength(0);
    expect(messages.map((whole) => read(whole, as2))).toEqual([{ ok: true, value: message }]);
  });

  test.each(cases)('$name: decoded with the start of another message behind it', ({ bytes, message, as2 }) => {
    const trailing = new Uint8Array(18).fill(0xff);
    const received = receive(new Uint8Array(0), Uint8Array.of(...bytes, ...trailing));
    expect(received.rest).toEqual(trailing);
    expect(received.messages.map((whole) => read(whole, as2))).toEqual([{ ok: true, value: message }]);
  });

  test.each(cases.filter(({ decodeOnly }) => decodeOnly !== true))('$name: encoded', ({ bytes, message, as2 }) => {
    expect(encodeMessage(message, { as4: as2 !== true })).toEqual(bytes);
  });
});

test('a 4-octet AS path goes to a 2-octet peer as AS_TRANS and AS4_PATH, and comes back whole', () => {
  const message = {
    type: 'update',
    withdrawn: [],
    announced: ['192.0.2.10/32'],
    origin: 'igp',
    asPath: [65001, 4200000000, [70000, 3]],
    nextHop: '10.1.1.4',
    aggregator: { asn: 70000, address: '10.0.0.1' },
  } as const;
  const bytes = encodeMessage(message, { as4: false });
  expect(read(bytes, true)).toEqual({ ok: true, value: message });
});

test('a path longer than one segment holds is split (RFC 4271 section 4.3)', () => {
  const asPath = new Array<number>(300).fill(64500);
  const message = { type: 'update', withdrawn: [], announced: ['192.0.2.10/32'], origin: 'igp', asPath } as const;
  const bytes = encodeMessage({ ...message, nextHop: '10.1.1.4' }, { as4: true });
  expect(read(bytes)).toEqual({ ok: true, value: { ...message, nextHop: '10.1.1.4' } });
});

test('more than 255 octets of capabilities take the extended form (RFC 9072) and come back', () => {
  const capabilities = Array.from({ length: 40 }, (_, index) => ({ code: 130 + index, value: 'a1b2c3d4e5f6' }));
  const message = {
    type: 'open',
    version: 4,
    asn: 65001,
    holdSeconds: 30,
    routerId: '10.0.0.1',
    capabilities,
  } as const;
  expect(read(encodeMessage(message, { as4: true }))).toEqual({ ok: true, value: message });
});

test.each([
  ['an UPDATE longer than 4096 octets', { announced: new Array<string>(1000).fill('192.0.2.10/32') }],
  ['a prefix with host bits', { announced: ['192.0.2.10/24'] }],
  ['a community that is none', { announced: [], communities: ['65001:65536'] }],
  ['a large community that is none', { announced: [], largeCommunities: ['1:2'] }],
  ['a next hop that is no address', { announced: [], nextHop: '10.0.0' }],
])('encoding %s is a programmer error', (_name, parts) => {
  expect(() => encodeMessage({ type: 'update', withdrawn: [], ...parts }, { as4: true })).toThrow(RangeError);
});
