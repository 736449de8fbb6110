// What counts as a true explanation of a fault: what is said and who acts must fit together.
import { describe, expect, test } from '@jest/globals';
import { trueLine } from '../../../infra/lab/every-fault.ts';

const acts = (region: string) => `orders 192.0.2.10/32   ${region} acts for 9s, rung 4 ×12`;
const lost = 'proof   a ◌ lost for 1s: a-nva-1 lost 5s ago (silent, and its agent does not answer)';
const seen =
  'proof   a ? unknown for 2s: a-nva-1 absent 6s ago (its agent does not answer, but observer hq is answered)';
const old = 'proof   a ? unknown for 2s: a-nva-1 absent 6s ago (report is too old); hq healthy 0s ago (answered by a)';

describe('an NVA that no seat can reach', () => {
  test.each([
    ['stays while the observer is answered', [acts('a'), seen], seen],
    ['is left when nobody speaks for it', [acts('b'), lost], lost],
    ['must not be left when the observer is answered', [acts('b'), seen], undefined],
    ['must not stay when it is lost', [acts('a'), lost], undefined],
    ['must be told why it stays', [acts('a'), old], undefined],
  ])('%s', (_name, lines, line) => {
    expect(trueLine('partition-control', 'a', { lines, exitCode: 0 })).toBe(line);
  });
});

test('the exit code belongs to what is said; who acts is asked only of those who can read the ledger', () => {
  const lines = ['Why   http://127.0.0.1: HTTP 503 ledger-read: connect ECONNREFUSED'];
  expect(trueLine('storage-down', 'a', { lines, exitCode: 9 })).toBe(lines[0]);
  expect(trueLine('storage-down', 'a', { lines, exitCode: 0 })).toBeUndefined();
});
