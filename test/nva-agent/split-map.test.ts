// A split map holds what a map holds, and replacing an entry leaves the old map alone.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SplitMap } from '../../nva-agent/split-map.ts';

const itself = (value: number): number => value;

test('answers like a map, whatever is put in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 8 }), fc.nat())),
      fc.string(),
      fc.nat(),
      (pairs, key, value) => {
        const plain = new Map(pairs);
        const split = SplitMap.of(plain);
        const replaced = split.with(key, value);
        expect(new Map(split)).toEqual(plain);
        expect(new Map(replaced)).toEqual(new Map(plain).set(key, value));
        expect([split.size, split.has(key), split.get(key)]).toEqual([plain.size, plain.has(key), plain.get(key)]);
        expect([...split.keys()].sort()).toEqual([...plain.keys()].sort());
        const seen: [string, number][] = [];
        replaced.forEach((number, name) => {
          seen.push([name, number]);
        });
        expect(new Map(seen)).toEqual(new Map(replaced));
        expect([...replaced.values()].length).toBe(replaced.size);
        expect(split.least(itself)).toBe(Math.min(...plain.values()));
        expect(replaced.least(itself)).toBe(Math.min(...new Map(plain).set(key, value).values()));
      },
    ),
    { numRuns: 100 },
  );
});
