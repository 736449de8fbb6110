// When a process may hand orders out from the commit it has just made, and when it must read the ledger again.
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Plane } from '../../functions/deployment.ts';
import { type Ledger, newLedger } from '../../functions/ledger.ts';
import { COMMIT_RECENT_MS } from '../../functions/limits.ts';
import type { StoredLedger } from '../../functions/ports.ts';
import { newestLedger, noteCommitted } from '../../functions/recent-ledger.ts';

const GROUP = 'default';
const ledgerOf = (epoch: number): Ledger =>
  newLedger(GROUP, 'seat-we', { vips: {}, intents: [], holds: [] } as never, 0, { epoch, generation: 1 });

let nowMs: number;
let reads: number;
let stored: StoredLedger | Error;
let plane: Plane;
beforeEach(() => {
  nowMs = 1_000_000;
  reads = 0;
  stored = { type: 'absent' };
  const read = async () => {
    reads += 1;
    if (stored instanceof Error) throw stored;
    return stored;
  };
  plane = { clock: { nowMs: () => nowMs }, ledger: { read } } as unknown as Plane;
});

describe('the newest ledger', () => {
  test('is what this process has just committed, without a question to the store', async () => {
    stored = new Error('storage is down');
    const own = ledgerOf(7);
    noteCommitted(plane, own);
    nowMs += COMMIT_RECENT_MS - 1;
    expect(await newestLedger(plane, GROUP)).toEqual({ type: 'found', ledger: own });
    expect(reads).toBe(0);
  });

  test.each([
    ['a moment later', COMMIT_RECENT_MS],
    ['when the clock was set back', -COMMIT_RECENT_MS],
  ])('is read again %s, and the store has the last word', async (_name, passedMs) => {
    noteCommitted(plane, ledgerOf(7));
    nowMs += passedMs;
    expect(await newestLedger(plane, GROUP)).toEqual({ type: 'absent' });
    stored = { type: 'found', text: 'no ledger', etag: '"1"' };
    expect(await newestLedger(plane, GROUP)).toEqual({ type: 'malformed' });
    stored = new Error('storage is down');
    await expect(newestLedger(plane, GROUP)).rejects.toThrow('storage is down');
    expect(reads).toBe(3);
  });

  test('of another group or another store is not this one', async () => {
    noteCommitted(plane, { ...ledgerOf(7), group: 'other' });
    noteCommitted({ ...plane, ledger: { ...plane.ledger } }, ledgerOf(7));
    expect(await newestLedger(plane, GROUP)).toEqual({ type: 'absent' });
  });
});
