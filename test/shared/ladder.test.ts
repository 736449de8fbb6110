// The ladder's arithmetic against the worked example of the design, and the audit record's canonical text.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, chainedText } from '../../shared/audit.ts';
import { announcedPath, baseRung, lastResortRung, prependCount } from '../../shared/ladder.ts';

const ladder = { headroom: 4, step: 3 };

test('two regions rest on 12 and 15 prepends, last resort is 18', () => {
  expect([0, 1].map((rank) => prependCount(ladder, baseRung(ladder, rank)))).toEqual([12, 15]);
  expect(prependCount(ladder, lastResortRung(ladder, 2))).toBe(18);
  expect(prependCount(ladder, 4, true)).toBe(13);
});

test('a path is the own ASN and then the prepend ASN, as often as told', () => {
  expect(announcedPath(65001, 64500, 3)).toEqual([65001, 64500, 64500, 64500]);
  expect(announcedPath(65001, 64500, 0)).toEqual([65001]);
});

test('canonical JSON does not depend on the order of keys', () => {
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([k, v]) => [k, shuffled(v)]),
          )
        : value;
  fc.assert(fc.property(fc.jsonValue(), (value) => canonicalJson(shuffled(value)) === canonicalJson(value)));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => canonicalJson(JSON.parse(canonicalJson(value))) === canonicalJson(value)),
  );
});

test('the chained text leaves out only the time and the hash itself', () => {
  const record = {
    TimeGenerated: '2026-01-01T00:00:00.000Z',
    EventId: 'default-1-0',
    Kind: 'decision' as const,
    DecisionId: 'd',
    CorrelationId: '',
    Vip: 'orders',
    Region: '',
    Nva: '',
    Actor: 'automation',
    ActorType: 'automation' as const,
    Reason: 'steady',
    Detail: { b: 1, a: 2 },
    Before: '',
    After: '',
    SnapshotHash: '',
    Seat: 'seat-we',
    Epoch: 1,
    Generation: 1,
    ChainIndex: 0,
    PrevHash: '0',
  };
  const text = chainedText(record);
  expect(chainedText({ ...record, TimeGenerated: 'later' })).toBe(text);
  expect(chainedText({ ...record, Hash: 'ff' } as typeof record)).toBe(text);
  for (const column of Object.keys(record).filter((key) => key !== 'TimeGenerated')) {
    expect(chainedText({ ...record, [column]: 'edited' } as typeof record)).not.toBe(text);
  }
});
