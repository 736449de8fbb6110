// Canonical JSON: what is hashed must not depend on how an object came to be.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../shared/audit.ts';

/** The same value with the keys of every object in reverse. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, member]) => [key, reversed(member)]));
}

test('is JSON of the same value, whatever the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      expect(canonicalJson(reversed(value))).toBe(text);
    }),
  );
});

test('sorts at every depth, leaves out what is undefined, and turns holes of lists into null', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 'ü"' }, undefined], a: undefined, 10: true, 9: null })).toBe(
    '{"10":true,"9":null,"b":[{"c":"ü\\"","d":1},null]}',
  );
});
