// A short fuzz run with a fixed seed; `node test/fuzz/bgp.ts --seconds N` is the long one.
import { expect, test } from '@jest/globals';
import { fuzz } from '../../fuzz/bgp.ts';

test('two seconds of changed messages: no crash, no hang, flat memory, every outcome reached', () => {
  const { messages, outcomes } = fuzz({ seconds: 2 }, 4271);
  expect(messages).toBeGreaterThan(1000);
  expect(Object.keys(outcomes).sort()).toEqual([
    'OPEN error',
    'UPDATE error',
    'attribute discard',
    'header error',
    'keepalive',
    'need more',
    'notification',
    'open',
    'other error',
    'route-refresh',
    'treat as withdraw',
    'update',
  ]);
}, 20_000);

test('a count of messages is exact, and one seed makes the same messages again', () => {
  const [one, two] = [fuzz({ messages: 2500 }, 7), fuzz({ messages: 2500 }, 7)];
  expect(one.messages).toBe(2500);
  expect(two.outcomes).toEqual(one.outcomes);
});
