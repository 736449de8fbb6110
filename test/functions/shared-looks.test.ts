// Looks of one group that are asked for together are one look, and none waits long for another.
import { expect, test } from '@jest/globals';
import type { DecideInput, DecideResult } from '../../functions/activities/names.ts';
import { shareLooks } from '../../functions/shared-looks.ts';

const LOOKED: DecideResult = {
  ...{ ok: true, leads: true, decisionId: 'd-1', sequence: { epoch: 1, generation: 2 }, isCommitted: true },
  ...{ deliver: ['we-nva-1'], proofs: [{ decisionId: 'd-1', operation: '' }], nextLookMs: 5, wish: null },
};
const asked = (group = 'default', correlationId = 'c'): DecideInput => ({ group, correlationId });

/** A look that ends when it is told to. */
function createLook() {
  const begun: { readonly input: DecideInput; readonly end: (result?: DecideResult) => void }[] = [];
  const look = (input: DecideInput): Promise<DecideResult> =>
    new Promise((resolve) => begun.push({ input, end: (result = LOOKED) => resolve(result) }));
  return { begun, look };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const NEVER_MS = 600_000;

test('whoever asks while a look is made shares the next one, and the first of them carries it out', async () => {
  const { begun, look } = createLook();
  const shared = shareLooks(look, NEVER_MS);
  const first = shared(asked());
  const others = [shared(asked('default', 'second')), shared(asked()), shared(asked())];
  await settled();
  expect(begun).toHaveLength(1);
  begun[0]?.end();
  expect(await first).toEqual(LOOKED);
  await settled();
  expect(begun.map(({ input }) => input.correlationId)).toEqual(['c', 'second']);
  begun[1]?.end();
  const [second, ...sharers] = await Promise.all(others);
  expect(second).toEqual(LOOKED);
  for (const sharer of sharers) expect(sharer).toEqual({ ...LOOKED, isCommitted: false, deliver: [], proofs: [] });
  const fourth = shared(asked());
  await settled();
  begun[2]?.end();
  expect(await fourth).toEqual(LOOKED);
});

test('a failed look fails for those who shared it, and the next is made', async () => {
  const { begun, look } = createLook();
  const shared = shareLooks(look, NEVER_MS);
  const all = [shared(asked()), shared(asked()), shared(asked())];
  const failed: DecideResult = { ok: false, code: 'ledger-read', detail: 'no answer' };
  begun[0]?.end(failed);
  await settled();
  begun[1]?.end(failed);
  expect(await Promise.all(all)).toEqual([failed, failed, failed]);
});

test('a look that throws holds nobody up', async () => {
  let calls = 0;
  const shared = shareLooks(async () => {
    calls += 1;
    if (calls === 1) throw new Error('a mistake');
    return LOOKED;
  }, NEVER_MS);
  const [first, second] = [shared(asked()), shared(asked())];
  await expect(first).rejects.toThrow('a mistake');
  expect(await second).toEqual(LOOKED);
});

test('a look that hangs is waited for no longer than said; wishes and other groups wait for nobody', async () => {
  const { begun, look } = createLook();
  const shared = shareLooks(look, 1);
  const hanging = shared(asked());
  const second = shared(asked());
  while (begun.length < 2) await settled();
  begun[1]?.end();
  expect(await second).toEqual(LOOKED);
  const patient = shareLooks(look, NEVER_MS);
  void patient(asked());
  void patient(asked('other'));
  void patient({ ...asked(), wish: { type: 'release', id: 'h' } as never });
  expect(begun).toHaveLength(5);
  begun[0]?.end();
  expect(await hanging).toEqual(LOOKED);
});
