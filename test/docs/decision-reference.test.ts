// docs/decision-reference.md has one row for every reason and guard, and none for words that do not exist.
import { globSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { GUARDS, REASONS, SAFETY_GUARDS } from '../../functions/engine/reasons.ts';

const whole = readFileSync('docs/decision-reference.md', 'utf8');
const [text = '', record = ''] = whole.split('## Words of the record');
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

test('each further word of the record is written by the control plane', () => {
  const sources = globSync(['functions/**/*.ts', 'shared/*.ts']).map((file) => readFileSync(file, 'utf8'));
  const words = [...record.matchAll(/^\| (`[^|]*`) *\|/gm)].flatMap(([, cell = '']) => cell.match(/[a-z-]+/g) ?? []);
  expect(words.length).toBeGreaterThan(10);
  const isWritten = (word: string) => {
    const [first, rest] = [word.split('-')[0], word.split('-').slice(1).join('-')];
    return sources.some(
      (source) => source.includes(`'${word}'`) || (source.includes(`\`${first}-\${`) && source.includes(`'${rest}'`)),
    );
  };
  expect(words.filter((word) => !isWritten(word))).toEqual([]);
});
