// The ledger as text: read back as it was written, refused when wrong, and parsed once while it does not change.
import { expect, test } from '@jest/globals';
import { firstPolicy } from '../../functions/engine/first-policy.ts';
import { type Ledger, ledgerText, newLedger, PARSED_KEPT_MAX, parseLedger } from '../../functions/ledger.ts';
import { createTestPlane, GROUP, START_MS } from '../support/plane.ts';

const config = createTestPlane().plane.deployment.configOf(GROUP);
const ledgerOf = (generation: number): Ledger => ({
  ...newLedger(GROUP, 'seat-a', firstPolicy(config, START_MS), START_MS),
  generation,
});

function parsed(text: string): Ledger {
  const result = parseLedger(text, GROUP);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

test('a ledger comes back as it was written, and the same text gives the same object', () => {
  const ledger = ledgerOf(1);
  const first = parsed(ledgerText(ledger));
  expect(first).toEqual(ledger);
  expect(parsed(ledgerText(ledger))).toBe(first);
});

test('another text is another ledger, however alike; another group is refused though the text is known', () => {
  const text = ledgerText(ledgerOf(1));
  expect(parsed(text).generation).toBe(1);
  expect(parsed(ledgerText(ledgerOf(2))).generation).toBe(2);
  expect(parseLedger(text, 'other')).toMatchObject({ ok: false, error: [{ code: 'misplaced' }] });
  expect(parsed(text).generation).toBe(1);
});

test('what is handed out twice cannot be changed by either reader', () => {
  const ledger = parsed(ledgerText(ledgerOf(3)));
  const [vip] = Object.values(ledger.policy.vips);
  expect(vip).toBeDefined();
  expect(() => Object.assign(ledger, { generation: 4 })).toThrow(TypeError);
  expect(() => Object.assign(vip ?? {}, { acting: 'nowhere' })).toThrow(TypeError);
  expect(() => ledger.pending.push({} as never)).toThrow(TypeError);
});

test('only the newest few are kept: the one longest unasked for is parsed anew', () => {
  const texts = Array.from({ length: PARSED_KEPT_MAX + 1 }, (_, i) => ledgerText(ledgerOf(10 + i)));
  const [oldest = '', asked = ''] = texts;
  const before = texts.slice(0, PARSED_KEPT_MAX).map(parsed);
  expect(parsed(oldest)).toBe(before[0]);
  parsed(texts.at(-1) ?? '');
  expect(parsed(oldest)).toBe(before[0]);
  expect(parsed(asked)).not.toBe(before[1]);
  expect(parsed(asked)).toEqual(before[1]);
});

test('a text that is no ledger is refused, the second time too', () => {
  for (let i = 0; i < 2; i += 1) {
    expect(parseLedger('{', GROUP)).toMatchObject({ ok: false, error: [{ code: 'not-json' }] });
    const bent = JSON.stringify({ ...ledgerOf(1), generation: -1 });
    expect(parseLedger(bent, GROUP)).toMatchObject({ ok: false, error: [{ path: 'generation', code: 'malformed' }] });
  }
});
