// The chain check of anycastctl audit verify: whole chains pass, each kind of tampering is named.
import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { formatAge, formatPath, parseDuration } from '../../../infra/cli/text.ts';
import { findBreaks } from '../../../infra/cli/verbs/audit.ts';
import { type AuditRecord, CHAIN_START, chainedText } from '../../../shared/audit.ts';

function chain(epoch: number, count: number): AuditRecord[] {
  const records: AuditRecord[] = [];
  for (let index = 0; index < count; index++) {
    const draft = {
      TimeGenerated: '2026-01-01T00:00:00.000Z',
      EventId: `default-${epoch}-${index}`,
      Kind: 'decision' as const,
      DecisionId: `d-${index}`,
      CorrelationId: '',
      Vip: 'orders',
      Region: '',
      Nva: '',
      Actor: 'automation',
      ActorType: 'automation' as const,
      Reason: 'steady',
      Detail: {},
      Before: '',
      After: '',
      SnapshotHash: '',
      Seat: 'seat-we',
      Epoch: epoch,
      Generation: index,
      ChainIndex: index,
      PrevHash: records.at(-1)?.Hash ?? CHAIN_START,
    };
    records.push({ ...draft, Hash: createHash('sha256').update(chainedText(draft)).digest('hex') });
  }
  return records;
}

test('whole chains of several epochs pass, in any order', () => {
  expect(findBreaks([...chain(2, 5), ...chain(1, 3)].reverse())).toEqual([]);
});
test('an edited record is named', () => {
  const records = chain(1, 4).map((r, i) => (i === 2 ? { ...r, Reason: 'nothing happened' } : r));
  expect(findBreaks(records)).toEqual(['default-1-2: was edited, its hash does not fit']);
});
test('a record edited with its hash made to fit breaks the link after it', () => {
  const records = chain(1, 4).map((r, i) => {
    if (i !== 1) return r;
    const edited = { ...r, Reason: 'nothing happened' };
    return { ...edited, Hash: createHash('sha256').update(chainedText(edited)).digest('hex') };
  });
  expect(findBreaks(records)).toEqual(['default-1-2: does not follow the record before it']);
});
test('a gap, a lost beginning and a repetition are named', () => {
  expect(findBreaks(chain(1, 4).filter((_, i) => i !== 2))).toEqual(['default-1-3: expected index 2, found 3']);
  expect(findBreaks(chain(1, 4).slice(1))[0]).toContain('beginning is missing');
  const [first, ...rest] = chain(1, 3);
  if (first === undefined) throw new Error('fixture');
  expect(findBreaks([first, first, ...rest])).toContain('default-1-0: expected index 1, found 0');
});

test('texts: ages, paths and durations', () => {
  expect([0, 999, 5_000, 190_000, 3_600_000, 792_000_000].map(formatAge)).toEqual([
    '0s',
    '0s',
    '5s',
    '3m10s',
    '1h',
    '9d4h',
  ]);
  expect(formatPath([65001, 64500, 64500, 64500])).toBe('65001 64500×3');
  expect(formatPath([])).toBe('');
  expect(['60', '90s', '10m', '2h', '1d', 'soon', '', '-1'].map(parseDuration)).toEqual([
    60,
    90,
    600,
    7200,
    86400,
    undefined,
    undefined,
    undefined,
  ]);
});
