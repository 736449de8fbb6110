// IPv4 addresses, prefixes and AS numbers: tables and one property against a dumb reference.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isDocumentationAsn, isPrivateAsn, refuseNvaAsn, refusePrependAsn } from '../../shared/asn.ts';
import { contains, formatIpv4, lastAddress, overlaps, parseEndpoint, parseIpv4, parsePrefix } from '../../shared/ip.ts';

const prefixOf = (text: string) => {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`${text} did not parse`);
  return prefix;
};

describe('addresses', () => {
  test.each(['1.2.3', '1.2.3.4.5', '256.0.0.1', '01.2.3.4', '1.2.3.-4', '', 'a.b.c.d', '1.2.3.4 '])(
    '%j is none',
    (text) => {
      expect(parseIpv4(text)).toBeUndefined();
    },
  );
  test('every number is written and read back', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffffffff }), (n) => parseIpv4(formatIpv4(n)) === n));
  });
});

describe('prefixes', () => {
  test.each(['10.0.0.1/8', '10.0.0.0/33', '10.0.0.0', '10.0.0.0/8/8', '10.0.0.0/08', '10.0.0.0/-1'])(
    '%j is none',
    (text) => {
      expect(parsePrefix(text)).toBeUndefined();
    },
  );
  test('the default route covers everything', () => {
    const all = prefixOf('0.0.0.0/0');
    expect(lastAddress(all)).toBe(0xffffffff);
    expect(contains(all, 0xffffffff)).toBe(true);
  });
  test('two overlap exactly when one contains the first address of the other', () => {
    const some = fc
      .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 32 }))
      .map(([n, length]) => {
        const size = 2 ** (32 - length);
        return { first: Math.floor(n / size) * size, length };
      });
    fc.assert(fc.property(some, some, (a, b) => overlaps(a, b) === (contains(a, b.first) || contains(b, a.first))));
  });
});

test('endpoints are an address with an optional port', () => {
  expect(parseEndpoint('10.1.0.4', 179)).toEqual({ address: '10.1.0.4', port: 179 });
  expect(parseEndpoint('10.1.0.4:1790', 179)).toEqual({ address: '10.1.0.4', port: 1790 });
  for (const bad of ['10.1.0.4:0', '10.1.0.4:65536', '10.1.0.4:', '10.1.0.4:1:2', 'host:179', '10.1.0.4:1e3']) {
    expect(parseEndpoint(bad, 179)).toBeUndefined();
  }
});

describe('AS numbers', () => {
  test.each([0, 8074, 8075, 12076, 23456, 64496, 64511, 65515, 65517, 65518, 65519, 65520, 65535, 65536, 4294967295])(
    '%d is refused as an NVA ASN, with the reason',
    (asn) => {
      expect(refuseNvaAsn(asn)).toContain(String(asn));
    },
  );
  test.each([1, 3320, 64495, 64512, 65001, 65514, 65516, 65521, 65534])('%d is accepted as an NVA ASN', (asn) => {
    expect(refuseNvaAsn(asn)).toBeUndefined();
  });
  test('the documentation range may be prepended, and is not private', () => {
    for (let asn = 64496; asn <= 64511; asn++) {
      expect(refusePrependAsn(asn)).toBeUndefined();
      expect(isDocumentationAsn(asn) && !isPrivateAsn(asn)).toBe(true);
    }
    expect(refusePrependAsn(12076)).toBeDefined();
    expect([64511, 64512, 65534, 65535].map(isPrivateAsn)).toEqual([false, true, true, false]);
  });
});
