// RFC 7606, revised error handling for UPDATE: one test per section, each with the octets that force it.
import { describe, expect, test } from '@jest/globals';
import { decodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { effectOf, isEndOfRib, type UpdateMessage } from '../../../nva-agent/bgp/messages.ts';
import {
  AS_PATH_65001,
  MANDATORY,
  NEXT_HOP_10,
  ORIGIN_IGP,
  type UpdateParts,
  update,
  VIP,
} from '../../support/bgp-bytes.ts';

interface Options {
  readonly as2?: true;
  readonly internal?: true;
}
type Outcome =
  | { readonly reset: readonly [subcode: number, data: readonly number[]] }
  | { readonly update: UpdateMessage };

function read(parts: UpdateParts, options: Options = {}): Outcome {
  const decoded = decodeMessage(update(parts), { as4: options.as2 !== true, isExternal: options.internal !== true });
  if (decoded.ok) return { update: decoded.value as UpdateMessage };
  expect(decoded.error.code).toBe(3);
  return { reset: [decoded.error.subcode, [...decoded.error.data]] };
}

const fine = { type: 'update', withdrawn: [], announced: ['192.0.2.10/32'] };
const withAttributes = (...attributes: readonly number[][]): UpdateParts => ({ attributes, nlri: VIP });
const expectWithdraw = (parts: UpdateParts, options?: Options) =>
  expect(read(parts, options)).toMatchObject({ update: { ...fine, treatAsWithdraw: true } });
const expectDiscard = (parts: UpdateParts, codes: number[], options?: Options) => {
  const outcome = read(parts, options);
  expect(outcome).toMatchObject({ update: { ...fine, discardedAttributes: codes, asPath: [65001] } });
  expect('update' in outcome && outcome.update.treatAsWithdraw).toBeFalsy();
};

describe('section 3, what changes', () => {
  test('(b) lengths that exceed the message: reset, Malformed Attribute List', () => {
    expect(read({ withdrawnLength: 1 })).toEqual({ reset: [1, []] });
    expect(read({ withdrawnLength: 65535 })).toEqual({ reset: [1, []] });
    expect(read({ attributes: MANDATORY, attributesLength: 21 })).toEqual({ reset: [1, []] });
  });
  test.each([
    ['ORIGIN optional', [0xc0, 1, 1, 0]],
    ['ORIGIN not transitive', [0x00, 1, 1, 0]],
    ['MED transitive', [0xc0, 4, 4, 0, 0, 0, 1]],
    ['COMMUNITIES well-known', [0x40, 8, 4, 0, 1, 0, 1]],
    ['AGGREGATOR not transitive', [0x80, 7, 8, 0, 0, 0xfd, 0xe9, 10, 0, 0, 1]],
  ])('(c) flags in conflict with the attribute, %s: treat as withdraw', (_name, attribute) => {
    const others = MANDATORY.filter(([, code]) => code !== attribute[1]);
    expectWithdraw(withAttributes(...others, attribute));
  });
  test('(c) the partial bit is not looked at', () => {
    expect(read(withAttributes(...MANDATORY, [0xe0, 8, 4, 0xfd, 0xe9, 0, 1]))).toMatchObject({
      update: { ...fine, communities: ['65001:1'] },
    });
  });
  test.each([
    ['ORIGIN', [AS_PATH_65001, NEXT_HOP_10]],
    ['AS_PATH', [ORIGIN_IGP, NEXT_HOP_10]],
    ['NEXT_HOP', [ORIGIN_IGP, AS_PATH_65001]],
    ['everything', []],
  ])('(d) %s missing: treat as withdraw', (_name, attributes) => {
    expectWithdraw(withAttributes(...attributes));
  });
  test('(g) an attribute given twice: the first counts', () => {
    const outcome = read(withAttributes(...MANDATORY, [0x40, 1, 1, 2], [0x40, 3, 1, 0]));
    expect(outcome).toEqual({ update: { ...fine, origin: 'igp', asPath: [65001], nextHop: '10.1.1.4' } });
  });
  test.each([14, 15])('(g) attribute %i given twice: reset, Malformed Attribute List', (code) => {
    const value = code === 14 ? [0, 2, 1, 0, 0] : [0, 2, 1];
    const attribute = [0x80, code, value.length, ...value];
    expect(read(withAttributes(...MANDATORY, attribute, attribute))).toEqual({ reset: [1, []] });
  });
  test('(h) of several errors the strongest treatment is used', () => {
    const badAggregate = [0x40, 6, 1, 0];
    const badMed = [0x80, 4, 1, 0];
    expectWithdraw(withAttributes(...MANDATORY, badAggregate, badMed));
    const unknownWellKnown = [0x40, 99, 0];
    expect(read(withAttributes(...MANDATORY, badMed, unknownWellKnown))).toEqual({ reset: [2, unknownWellKnown] });
  });
  test('(j) prefixes that cannot be read: reset, Invalid Network Field', () => {
    expect(read({ attributes: MANDATORY, nlri: [33, 1, 2, 3, 4, 5] })).toEqual({ reset: [10, []] });
    expect(read({ attributes: MANDATORY, nlri: [32, 1, 2, 3] })).toEqual({ reset: [10, []] });
    expect(read({ withdrawn: [24, 1, 2] })).toEqual({ reset: [10, []] });
  });
});

describe('section 4, attribute lengths', () => {
  test('an attribute that overruns the attributes field: treat as withdraw', () => {
    expectWithdraw(withAttributes(...MANDATORY, [0xc0, 8, 8, 0, 1]));
  });
  test.each([[[0xc0]], [[0xc0, 8]], [[0xd0, 8, 0]]])('a header cut short, %j: treat as withdraw', (header) => {
    expectWithdraw(withAttributes(...MANDATORY, header));
  });
  test('the extended length is read', () => {
    const extended = [0xd0, 8, 0, 4, 0xfd, 0xe9, 0, 1];
    expect(read(withAttributes(...MANDATORY, extended))).toMatchObject({ update: { communities: ['65001:1'] } });
  });
});

describe('section 5, NLRI', () => {
  test('5.2 a malformed attribute with no routes to withdraw: reset with the attribute', () => {
    const badOrigin = [0x40, 1, 1, 7];
    expect(read({ attributes: [badOrigin] })).toEqual({ reset: [6, badOrigin] });
    expect(read({ attributes: [badOrigin], withdrawn: VIP })).toEqual({ reset: [6, badOrigin] });
  });
  test('5.2 an attribute to be discarded does not reset', () => {
    expect(read({ attributes: [[0x40, 6, 1, 0]], withdrawn: VIP })).toMatchObject({
      update: { withdrawn: ['192.0.2.10/32'], discardedAttributes: [6] },
    });
  });
  test('5.2 well-formed attributes without routes are no error', () => {
    expect(read({ attributes: [ORIGIN_IGP] })).toMatchObject({ update: { announced: [], origin: 'igp' } });
  });
  test('5.3 MP_REACH_NLRI with unreadable prefixes: reset', () => {
    const reach = [0x80, 14, 11, 0, 1, 1, 4, 10, 1, 1, 4, 0, 33, 1];
    expect(read({ attributes: [ORIGIN_IGP, AS_PATH_65001, reach] })).toEqual({ reset: [9, []] });
  });
  test('another family is tolerated and not read', () => {
    const ipv6 = [0x80, 14, 9, 0, 2, 1, 0, 0, 64, 0x20, 0x01, 0x0d];
    const outcome = read({ attributes: [ORIGIN_IGP, AS_PATH_65001, ipv6] });
    expect(outcome).toMatchObject({ update: { announced: [], otherAttributes: [{ code: 14 }] } });
  });
  test('treat as withdraw counts routes of another family as routes', () => {
    const ipv6 = [0x80, 14, 9, 0, 2, 1, 0, 0, 64, 0x20, 0x01, 0x0d];
    expect(read({ attributes: [[0x40, 1, 1, 9], AS_PATH_65001, ipv6] })).toMatchObject({
      update: { treatAsWithdraw: true },
    });
  });
});

describe('section 7, each attribute', () => {
  const path = (...value: number[]) => [0x40, 2, value.length, ...value];
  test.each<[string, number[]]>([
    ['7.1 ORIGIN of length 2', [0x40, 1, 2, 0, 0]],
    ['7.1 ORIGIN of length 0', [0x40, 1, 0]],
    ['7.1 ORIGIN 3', [0x40, 1, 1, 3]],
    ['7.2 AS_PATH segment of type 0', path(0, 1, 0, 0, 0, 1)],
    ['7.2 AS_PATH confederation segment', path(3, 1, 0, 0, 0, 1)],
    ['7.2 AS_PATH segment overrun', path(2, 2, 0, 0, 0, 1)],
    ['7.2 AS_PATH segment underrun', path(2, 1, 0, 0, 0, 1, 2)],
    ['7.2 AS_PATH segment of length 0', path(2, 0)],
    ['7.2 AS_PATH with AS 0 (RFC 7607)', path(2, 1, 0, 0, 0, 0)],
    ['7.3 NEXT_HOP of length 3', [0x40, 3, 3, 10, 1, 1]],
    ['7.3 NEXT_HOP of length 16', [0x40, 3, 16, ...new Array<number>(16).fill(1)]],
    ['NEXT_HOP 0.0.0.0 (RFC 4271 section 6.3)', [0x40, 3, 4, 0, 0, 0, 0]],
    ['NEXT_HOP multicast (RFC 4271 section 6.3)', [0x40, 3, 4, 224, 0, 0, 1]],
    ['7.4 MED of length 3', [0x80, 4, 3, 0, 0, 1]],
    ['7.8 COMMUNITIES of length 5', [0xc0, 8, 5, 0, 1, 0, 1, 0]],
    ['7.8 COMMUNITIES of length 0', [0xc0, 8, 0]],
    ['7.14 extended communities of length 7', [0xc0, 16, 7, 0, 0, 0, 0, 0, 0, 0]],
    ['7.15 IPv6 extended communities of length 8', [0xc0, 25, 8, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['large communities of length 8 (RFC 8092 section 5)', [0xc0, 32, 8, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['large communities of length 0 (RFC 8092 section 5)', [0xc0, 32, 0]],
  ])('%s: treat as withdraw', (_name, attribute) => {
    expectWithdraw(withAttributes(...MANDATORY.filter(([, code]) => code !== attribute[1]), attribute));
  });
  test('7.2 an empty AS_PATH is well formed', () => {
    expect(read(withAttributes(ORIGIN_IGP, path(), NEXT_HOP_10))).toMatchObject({ update: { ...fine, asPath: [] } });
  });
  test('7.5 LOCAL_PREF from another AS: discarded, whatever its length', () => {
    expectDiscard(withAttributes(...MANDATORY, [0x40, 5, 4, 0, 0, 0, 1]), [5]);
    expectDiscard(withAttributes(...MANDATORY, [0x40, 5, 1, 0]), [5]);
  });
  test('7.5 LOCAL_PREF within the AS, of a wrong length: treat as withdraw', () => {
    expectWithdraw(withAttributes(...MANDATORY, [0x40, 5, 3, 0, 0, 1]), { internal: true });
  });
  test('7.6 ATOMIC_AGGREGATE that is not empty: discarded', () => {
    expectDiscard(withAttributes(...MANDATORY, [0x40, 6, 1, 0]), [6]);
  });
  test('7.7 AGGREGATOR of the other length: discarded', () => {
    expectDiscard(withAttributes(...MANDATORY, [0xc0, 7, 6, 0xfd, 0xe9, 10, 0, 0, 1]), [7]);
  });
  test('7.9, 7.10 ORIGINATOR_ID and CLUSTER_LIST from another AS: discarded', () => {
    expectDiscard(withAttributes(...MANDATORY, [0x80, 9, 4, 1, 1, 1, 1], [0x80, 10, 4, 1, 1, 1, 1]), [9, 10]);
  });
  test.each([[[0x80, 9, 3, 1, 1, 1]], [[0x80, 10, 5, 1, 1, 1, 1, 1]]])(
    '7.9, 7.10 within the AS, %j: treat as withdraw',
    (attribute) => {
      expectWithdraw(withAttributes(...MANDATORY, attribute), { internal: true });
    },
  );
  test('7.9, 7.10 within the AS, well formed: carried', () => {
    const attributes = [
      [0x80, 9, 4, 1, 1, 1, 1],
      [0x80, 10, 4, 1, 1, 1, 1],
    ];
    expect(read(withAttributes(...MANDATORY, ...attributes), { internal: true })).toMatchObject({
      update: { otherAttributes: [{ code: 9 }, { code: 10 }] },
    });
  });
  test.each<[string, number[]]>([
    ['too short', [0x80, 14, 4, 0, 1, 1, 0]],
    ['a next hop that overruns', [0x80, 14, 5, 0, 1, 1, 9, 0]],
    ['an IPv4 next hop of 16 octets', [0x80, 14, 21, 0, 1, 1, 16, ...new Array<number>(17).fill(0)]],
  ])('7.11 MP_REACH_NLRI, %s: reset', (_name, attribute) => {
    expect(read(withAttributes(...MANDATORY, attribute))).toEqual({ reset: [9, []] });
  });
  test('7.12 MP_UNREACH_NLRI, malformed: reset; well formed IPv4: withdrawn', () => {
    expect(read({ attributes: [[0x80, 15, 2, 0, 1]] })).toEqual({ reset: [9, []] });
    expect(read({ attributes: [[0x80, 15, 5, 0, 1, 1, 24, 1]] })).toEqual({ reset: [9, []] });
    expect(read({ attributes: [[0x80, 15, 8, 0, 1, 1, ...VIP]] })).toEqual({
      update: { type: 'update', withdrawn: ['192.0.2.10/32'], announced: [] },
    });
  });
  test('RFC 4271 section 6.3: an unknown attribute that claims to be well-known: reset, with the attribute', () => {
    expect(read(withAttributes(...MANDATORY, [0x40, 77, 1, 5]))).toEqual({ reset: [2, [0x40, 77, 1, 5]] });
  });
  test('an unknown optional attribute is carried', () => {
    expect(read(withAttributes(...MANDATORY, [0xc0, 77, 1, 5]))).toMatchObject({
      update: { otherAttributes: [{ flags: 0xc0, code: 77, value: Uint8Array.of(5) }] },
    });
  });
});

describe('RFC 6793, between speakers of different AS sizes', () => {
  const path2 = [0x40, 2, 8, 2, 3, 0xfd, 0xe9, 0x5b, 0xa0, 0x5b, 0xa0];
  const as4Path = (...value: number[]) => [0xc0, 17, value.length, ...value];
  const long = as4Path(2, 2, 0, 1, 0x11, 0x70, 0, 0, 0, 5);
  test('section 4.2.3: AS4_PATH replaces the end of AS_PATH', () => {
    expect(read(withAttributes(ORIGIN_IGP, path2, NEXT_HOP_10, long), { as2: true })).toMatchObject({
      update: { asPath: [65001, 70000, 5] },
    });
  });
  test('section 4.2.3: an AS4_PATH longer than AS_PATH is ignored', () => {
    const short = [0x40, 2, 4, 2, 1, 0x5b, 0xa0];
    expect(read(withAttributes(ORIGIN_IGP, short, NEXT_HOP_10, long), { as2: true })).toMatchObject({
      update: { asPath: [23456] },
    });
  });
  test('section 4.2.3: with an AGGREGATOR that is not AS_TRANS both AS4 attributes are ignored', () => {
    const aggregator = [0xc0, 7, 6, 0xfd, 0xe9, 10, 0, 0, 1];
    const as4Aggregator = [0xc0, 18, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 2];
    const parts = withAttributes(ORIGIN_IGP, path2, NEXT_HOP_10, aggregator, long, as4Aggregator);
    expect(read(parts, { as2: true })).toMatchObject({
      update: { asPath: [65001, 23456, 23456], aggregator: { asn: 65001, address: '10.0.0.1' } },
    });
  });
  test('section 4.1: between 4-octet speakers AS4_PATH and AS4_AGGREGATOR are discarded', () => {
    expectDiscard(withAttributes(...MANDATORY, long, [0xc0, 18, 8, 0, 1, 0x11, 0x70, 10, 0, 0, 2]), [17, 18]);
  });
  test.each<[string, number[], number]>([
    ['AS4_PATH segment overrun', as4Path(2, 2, 0, 0, 0, 1), 17],
    ['AS4_PATH confederation segment', as4Path(3, 1, 0, 0, 0, 1), 17],
    ['AS4_AGGREGATOR of length 6', [0xc0, 18, 6, 0, 1, 10, 0, 0, 2], 18],
  ])('section 6: %s: discarded', (_name, attribute, code) => {
    const path = [0x40, 2, 4, 2, 1, 0xfd, 0xe9];
    expectDiscard(withAttributes(ORIGIN_IGP, path, NEXT_HOP_10, attribute), [code], { as2: true });
  });
});

test('section 2, the effect on routes learned before: treated as withdrawn, or as they stand', () => {
  const update: UpdateMessage = { type: 'update', withdrawn: ['10.0.0.0/8'], announced: ['192.0.2.10/32'] };
  expect(effectOf(update)).toEqual({ withdrawn: ['10.0.0.0/8'], announced: ['192.0.2.10/32'] });
  expect(effectOf({ ...update, treatAsWithdraw: true })).toEqual({
    withdrawn: ['10.0.0.0/8', '192.0.2.10/32'],
    announced: [],
  });
});

test('RFC 4724 section 2: End-of-RIB is an UPDATE with nothing in it', () => {
  const empty: UpdateMessage = { type: 'update', withdrawn: [], announced: [] };
  expect(isEndOfRib(empty)).toBe(true);
  expect(isEndOfRib({ ...empty, origin: 'igp' })).toBe(false);
  expect(isEndOfRib({ ...empty, withdrawn: ['10.0.0.0/8'] })).toBe(false);
});
