// Whom an order makes an NVA share connections with, when an NVA is safe to stop, and what status says of it.
import { describe, expect, test } from '@jest/globals';
import type { VipState } from '../../nva-agent/agent.ts';
import { isSafeToStop, sharingOf, sharingOfStop } from '../../nva-agent/data-plane-moves.ts';
import { viewOf } from '../../nva-agent/data-plane-view.ts';
import type { DataPlaneConfig, DataPlaneVip } from '../../nva-agent/dataplane/plan.ts';
import { dataPlaneLines } from '../../nva-agent/status-text.ts';
import type { OrderVip } from '../../shared/order.ts';
import { configWith, orders, TUNNEL } from '../support/data-plane.ts';
import { makeOrder } from './order-draft.ts';

const chance: DataPlaneVip['secondChance'] = { capSeconds: 60, peers: ['ne-nva-1'] };
const config: DataPlaneConfig = { ...configWith(orders({ secondChance: chance })), tunnel: TUNNEL };
const row = (more: Partial<OrderVip> = {}): OrderVip => {
  const [first] = makeOrder().vips;
  if (first === undefined) throw new Error('the draft has a row');
  return { ...first, ...more };
};
const ordered = (more: Partial<OrderVip>) => makeOrder({ vips: [row(more)] });
const shared = [{ vip: 'orders', peer: 'ne-nva-1' }];

describe('an order shares connections', () => {
  const named = { previousOwner: 'ne-nva-1', nextOwner: 'ne-nva-1' };
  test.each<[string, Partial<OrderVip> | undefined, Partial<OrderVip>, typeof shared]>([
    ['with the previous owner when the path gets shorter', { prepend: 15 }, { prepend: 9, ...named }, shared],
    ['with the previous owner when the vip was withheld', { state: 'withheld' }, { prepend: 15, ...named }, shared],
    ['with the previous owner named by a first order', undefined, named, shared],
    ['with the next owner when the path gets longer', { prepend: 12 }, { prepend: 18, ...named }, shared],
    ['with the next owner when it is withheld', { prepend: 18 }, { state: 'withheld', ...named }, shared],
    ['with nobody when nothing changes', { prepend: 12 }, { prepend: 12, ...named }, []],
    ['with nobody in a takeover, which names nobody', { prepend: 15 }, { prepend: 9 }, []],
    ['with nobody it does not know', { prepend: 15 }, { prepend: 9, previousOwner: 'nobody' }, []],
    ['with nobody when it goes on last resort unnamed', { prepend: 12 }, { prepend: 18 }, []],
  ])('%s', (_, before, after, wanted) => {
    expect(sharingOf(ordered(after), before === undefined ? undefined : ordered(before), config)).toEqual(wanted);
  });

  test('never for a vip without a second chance', () => {
    expect(sharingOf(ordered({ prepend: 9, ...named }), ordered({ prepend: 15 }), configWith(orders()))).toEqual([]);
  });
});

test('a stopping NVA shares with the only other one; of several it cannot know which', () => {
  expect(sharingOfStop(config)).toEqual(shared);
  expect(sharingOfStop(configWith(orders({ secondChance: { capSeconds: 60, peers: ['b', 'c'] } })))).toEqual([]);
  expect(sharingOfStop(configWith(orders()))).toEqual([]);
});

describe('safe to stop', () => {
  const acting = { rung: 4, prepend: 12, prependAsn: 64500, communities: [], med: null, lastResort: false };
  const vip = orders({ secondChance: chance, drainSeconds: 20 });
  const load = { vip, announced: null, announcedForMs: 0, established: 0 };
  test.each([
    ['withdrawn and empty', load, true],
    ['on last resort and empty', { ...load, announced: { ...acting, lastResort: true } }, true],
    ['announced, though empty', { ...load, announced: acting }, false],
    ['withdrawn with connections', { ...load, established: 1 }, false],
    ['shared, before its cap', { ...load, established: 1, announcedForMs: 59_999 }, false],
    ['shared, at its cap', { ...load, established: 1, announcedForMs: 60_000 }, true],
    [
      'not shared, drained long enough',
      { ...load, vip: orders({ drainSeconds: 20 }), established: 1, announcedForMs: 20_000 },
      true,
    ],
  ])('%s', (_, state, expected) => expect(isSafeToStop(state)).toBe(expected));

  test('is not claimed before anything was looked at', () => {
    const moment = {
      config,
      served: new Set<string>(),
      problem: 'proxy: refused',
      applies: { changed: 0, unchanged: 0, failed: 1 },
      sample: undefined,
      vip: (): VipState | undefined => undefined,
      nowMs: 1e9,
    };
    expect(viewOf(moment)).toMatchObject({
      problem: 'proxy: refused',
      atMs: null,
      vips: [{ vip: 'orders', applied: false, safeToStop: false }],
    });
  });
});

test('status tells people what each vip carries and whether a stop would break anything', () => {
  const view = viewOf({
    config,
    served: new Set(['orders']),
    problem: undefined,
    applies: { changed: 1, unchanged: 0, failed: 0 },
    sample: {
      atMs: 5,
      status: {
        vips: [{ vip: 'orders', established: 12, connections: 40, bytesIn: 1, bytesOut: 2 }],
        problems: {},
        secondChance: {
          peers: [{ nva: 'ne-nva-1', isProved: true }],
          vips: [{ vip: 'orders', peer: 'ne-nva-1', phase: 'active', by: 'order', endsInMs: 61_000 }],
          ended: [],
          handedOver: 9,
        },
      },
    },
    vip: () => undefined,
    nowMs: 10,
  });
  const lines = dataPlaneLines(view);
  expect(lines[1]).toMatch(/^orders +reverse-proxy +yes +12 +ne-nva-1 active, 1m left +no$/);
  expect(lines).toContain('tunnel to ne-nva-1: proved');
  expect(dataPlaneLines({ ...view, problem: 'proxy: refused' })).toContain('! data plane: proxy: refused');
});
