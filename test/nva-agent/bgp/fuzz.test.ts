// A short fuzz run with a fixed seed; `node test/fuzz/bgp.ts --seconds N` is the long one.
import { expect, test } from '@jest/globals';
import { fuzz } from '../../fuzz/bgp.ts';

test('two seconds of changed messages: no crash, no hang, flat memory, every outcome reached', () => {
  const { messages, outcomes } = fuzz(2, 4271);
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
