// docs/decision-reference.md has one row for every reason and guard, and none for words that do not exist.
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { GUARDS, REASONS, SAFETY_GUARDS } from '../../functions/engine/reasons.ts';

const text = readFileSync('docs/decision-reference.md', 'utf8');
const rows = [...text.matchAll(/^\| `([a-z-]+)` *\|(.*)$/gm)].map(([, word, rest]) => ({ word, rest: rest ?? '' }));

test('each reason and each guard has exactly one row', () => {
  expect(rows.map((row) => row.word).sort()).toEqual([...REASONS, ...GUARDS].sort());
});

test('guards that bind people are marked so', () => {
  for (const guard of GUARDS) {
    const row = rows.find(({ word }) => word === guard);
    expect([guard, row?.rest.trimStart().startsWith('all')]).toEqual([guard, SAFETY_GUARDS.has(guard)]);
  }
});
