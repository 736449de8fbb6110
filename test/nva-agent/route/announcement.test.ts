// The table of what a vip's route should be, row by row.
import { describe, expect, test } from '@jest/globals';
import {
  type Announcement,
  sameAnnouncement,
  sameOnWire,
  type Wish,
  wantedRoute,
} from '../../../nva-agent/route/announcement.ts';
import type { OrderVip } from '../../../shared/order.ts';

const ROW: OrderVip = {
  vip: 'orders',
  prefix: '192.0.2.10/32',
  state: 'announced',
  rung: 4,
  prepend: 12,
  prependAsn: 64500,
  communities: ['65001:1'],
  med: 7,
  onLocalFailure: 'last-resort',
  lastResortPrepend: 18,
  decision: 'd-1',
};
const WITHHELD: OrderVip = { ...ROW, state: 'withheld' };
const WITHDRAW: OrderVip = { ...ROW, onLocalFailure: 'withdraw' };
const IGNORE: OrderVip = { ...ROW, onLocalFailure: 'ignore' };
const DEFAULTS = { lastResortRung: 6, lastResortPrepend: 18, prependAsn: 64500 };

const wish = (change: Partial<Wish>): Wish => ({
  defaults: DEFAULTS,
  row: ROW,
  standing: 'up',
  wasUp: true,
  override: undefined,
  phase: 'running',
  isAnnounced: true,
  ...change,
});

const word = (announcement: Announcement | null): string => {
  if (announcement === null) return 'none';
  return announcement.lastResort ? 'last resort' : `rung ${announcement.rung}`;
};

describe('the route of a vip', () => {
  // Every row of the table in announcement.ts, each cell of it.
  test.each<[string, Partial<Wish>, string]>([
    ['withdrawn', { phase: 'withdrawn' }, 'none'],
    ['withdrawn, whatever root says', { phase: 'withdrawn', override: 'announce' }, 'none'],
    ['stopping, announced', { phase: 'last-resort' }, 'last resort'],
    ['stopping, announced, overridden', { phase: 'last-resort', override: 'announce' }, 'last resort'],
    ['stopping, not announced', { phase: 'last-resort', isAnnounced: false }, 'none'],
    ['override withhold', { override: 'withhold' }, 'none'],
    ['override last-resort', { override: 'last-resort' }, 'last resort'],
    ['override last-resort of a withheld vip', { override: 'last-resort', row: WITHHELD }, 'last resort'],
    ['override announce, down', { override: 'announce', standing: 'down' }, 'rung 4'],
    ['override announce, withheld', { override: 'announce', row: WITHHELD }, 'last resort'],
    ['override announce, no order', { override: 'announce', row: undefined, standing: 'down' }, 'last resort'],
    ['no order, up', { row: undefined }, 'last resort'],
    ['no order, down after up', { row: undefined, standing: 'down' }, 'last resort'],
    ['no order, down from birth', { row: undefined, standing: 'down', wasUp: false }, 'none'],
    ['no order, unborn', { row: undefined, standing: 'unborn', wasUp: false }, 'none'],
    ['not ordered', { row: 'not-ordered' }, 'none'],
    ['withheld, up', { row: WITHHELD }, 'none'],
    ['withheld, down', { row: WITHHELD, standing: 'down' }, 'none'],
    ['ordered, up', {}, 'rung 4'],
    ['ordered, down', { standing: 'down' }, 'last resort'],
    ['ordered, unborn', { standing: 'unborn', wasUp: false }, 'last resort'],
    ['withdraw, up', { row: WITHDRAW }, 'rung 4'],
    ['withdraw, down', { row: WITHDRAW, standing: 'down' }, 'none'],
    ['withdraw, unborn', { row: WITHDRAW, standing: 'unborn' }, 'none'],
    ['ignore, down', { row: IGNORE, standing: 'down' }, 'rung 4'],
    ['ignore, unborn', { row: IGNORE, standing: 'unborn' }, 'rung 4'],
  ])('%s', (_name, change, expected) => {
    expect(word(wantedRoute(wish(change)))).toBe(expected);
  });

  test('last resort takes its prepend and attributes from the order, unless the topology sets them by role', () => {
    expect(wantedRoute(wish({ standing: 'down', row: { ...ROW, lastResortPrepend: 19 } }))).toEqual({
      rung: 6,
      prepend: 19,
      prependAsn: 64500,
      communities: ['65001:1'],
      med: 7,
      lastResort: true,
    });
    const defaults = { ...DEFAULTS, lastResortCommunities: ['65001:9'], lastResortMed: 900 };
    expect(wantedRoute(wish({ standing: 'down', defaults }))).toMatchObject({ communities: ['65001:9'], med: 900 });
  });
});

describe('sameness', () => {
  const one: Announcement = {
    rung: 4,
    prepend: 12,
    prependAsn: 64500,
    communities: ['65001:1'],
    med: null,
    lastResort: false,
  };
  test.each<[string, Announcement | null, Announcement | null, boolean, boolean]>([
    ['nothing and nothing', null, null, true, true],
    ['nothing and something', null, one, false, false],
    ['equal', one, { ...one }, true, true],
    ['another prepend', one, { ...one, prepend: 13 }, false, false],
    ['another community', one, { ...one, communities: ['65001:2'] }, false, false],
    ['one community more', one, { ...one, communities: ['65001:1', '65001:2'] }, false, false],
    ['another MED', one, { ...one, med: 1 }, false, false],
    ['another prepend ASN', one, { ...one, prependAsn: 64501 }, false, false],
    ['last resort of the same length', one, { ...one, lastResort: true }, false, true],
    ['another rung of the same length', one, { ...one, rung: 5 }, false, true],
  ])('%s', (_name, a, b, same, onWire) => {
    expect([sameAnnouncement(a, b), sameOnWire(a, b)]).toEqual([same, onWire]);
    expect([sameAnnouncement(b, a), sameOnWire(b, a)]).toEqual([same, onWire]);
  });
});
