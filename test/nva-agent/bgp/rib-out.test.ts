// Adj-RIB-Out: the diff, packing, pacing by the peer's count, and every refusal.
import { describe, expect, test } from '@jest/globals';
import { encodeMessage } from '../../../nva-agent/bgp/codec.ts';
import { MESSAGE_BYTES_MAX } from '../../../nva-agent/bgp/iana.ts';
import type { Route } from '../../../nva-agent/bgp/messages.ts';
import { checkRoutes, FORBIDDEN_ASNS, nextSendMs, planUpdates, type RibView } from '../../../nva-agent/bgp/rib-out.ts';

const route = (prefix: string, prepends = 0, parts: Partial<Route> = {}): Route => ({
  prefix,
  asPath: [65001, ...new Array<number>(prepends).fill(64500)],
  nextHop: '10.1.1.4',
  ...parts,
});
const mapOf = (routes: readonly Route[]) => new Map(routes.map((each) => [each.prefix, each]));
const plan = (sent: readonly Route[], desired: readonly Route[], parts: Partial<RibView> = {}) =>
  planUpdates({
    sent: mapOf(sent),
    desired: mapOf(desired),
    resend: new Set(),
    peerRouteLimit: 4000,
    as4: true,
    ...parts,
  });
const A = '192.0.2.10/32';
const B = '192.0.2.11/32';
const hosts = (count: number) =>
  Array.from({ length: count }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}/32`);

describe('diff', () => {
  test('a new route is announced', () => {
    expect(plan([], [route(A, 3)])).toEqual([
      {
        update: {
          type: 'update',
          withdrawn: [],
          announced: [A],
          origin: 'igp',
          asPath: [65001, 64500, 64500, 64500],
          nextHop: '10.1.1.4',
        },
        routes: [route(A, 3)],
      },
    ]);
  });
  test('the same set again sends nothing', () => {
    expect(plan([route(A, 3), route(B)], [route(B), route(A, 3)])).toEqual([]);
  });
  test.each<[string, Partial<Route>]>([
    ['AS path', { asPath: [65001, 64500] }],
    ['next hop', { nextHop: '10.1.1.5' }],
    ['MED', { med: 0 }],
    ['local preference', { localPref: 100 }],
    ['communities', { communities: ['65001:1'] }],
    ['large communities', { largeCommunities: ['65001:1:1'] }],
  ])('a changed %s is one replacing UPDATE and nothing withdrawn', (_name, parts) => {
    const updates = plan([route(A), route(B)], [route(A, 0, parts), route(B)]).map(({ update }) => update);
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatchObject({ withdrawn: [], announced: [A], ...parts });
  });
  test('a route no longer wanted is withdrawn, before others are announced', () => {
    const updates = plan([route(A)], [route(B)]).map(({ update }) => update);
    expect(updates.map(({ withdrawn, announced }) => [withdrawn, announced])).toEqual([
      [[A], []],
      [[], [B]],
    ]);
  });
  test('a refresh re-sends what is asked for and no more', () => {
    const updates = plan([route(A), route(B)], [route(A), route(B)], { resend: new Set([B]) });
    expect(updates.map(({ update }) => update.announced)).toEqual([[B]]);
  });
});

describe('packing', () => {
  test('equal attributes share UPDATEs, other attributes do not', () => {
    const updates = plan([], [route(A, 1), route('192.0.2.12/32', 2), route(B, 1)]);
    expect(updates.map(({ update }) => update.announced)).toEqual([[A, B], ['192.0.2.12/32']]);
  });
  test('no UPDATE is longer than 4096 octets, and none wastes room for another prefix', () => {
    const wanted = hosts(3000).map((prefix) => route(prefix, 5, { communities: ['65001:1', '65001:2'] }));
    const updates = plan([], wanted, { peerRouteLimit: 100_000 }).map(({ update }) => update);
    const sizes = updates.map((update) => encodeMessage(update, { as4: true }).length);
    expect(updates.flatMap(({ announced }) => announced)).toEqual(hosts(3000));
    for (const size of sizes) expect(size).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
    for (const size of sizes.slice(0, -1)) expect(size).toBeGreaterThan(MESSAGE_BYTES_MAX - 5);
  });
  test('withdrawals are packed too', () => {
    const updates = plan(
      hosts(2000).map((prefix) => route(prefix)),
      [],
    ).map(({ update }) => update);
    expect(updates.flatMap(({ withdrawn }) => withdrawn)).toEqual(hosts(2000));
    expect(updates).toHaveLength(3);
    for (const update of updates) {
      expect(encodeMessage(update, { as4: true }).length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
    }
  });
});

describe('pacing by count: current + batch within the limit', () => {
  /** What Route Server does: counts current routes and those of the UPDATE, replaced or not. */
  const largestCount = (sent: readonly Route[], updates: ReturnType<typeof plan>): number => {
    const current = new Set(sent.map(({ prefix }) => prefix));
    let largest = 0;
    for (const { update } of updates) {
      largest = Math.max(largest, current.size + update.announced.length);
      for (const prefix of update.withdrawn) current.delete(prefix);
      for (const prefix of update.announced) current.add(prefix);
    }
    return largest;
  };
  test.each([10, 501, 999])('a prepend change of %i routes under a limit of 1,000', (count) => {
    const before = hosts(count).map((prefix) => route(prefix, 3));
    const after = hosts(count).map((prefix) => route(prefix, 6));
    const updates = plan(before, after, { peerRouteLimit: 1000 });
    expect(updates.flatMap(({ update }) => update.announced)).toEqual(hosts(count));
    expect(largestCount(before, updates)).toBeLessThanOrEqual(1000);
  });
  test('a first table that nearly fills the limit', () => {
    const wanted = hosts(3999).map((prefix) => route(prefix));
    const updates = plan([], wanted);
    expect(updates.flatMap(({ update }) => update.announced)).toHaveLength(3999);
    expect(largestCount([], updates)).toBeLessThanOrEqual(4000);
  });
  test('withdrawals make room for what comes after them', () => {
    const before = hosts(900).map((prefix) => route(prefix));
    const after = hosts(1800)
      .slice(900)
      .map((prefix) => route(prefix));
    const updates = plan(before, after, { peerRouteLimit: 1000 });
    expect(largestCount(before, updates)).toBeLessThanOrEqual(1000);
  });
});

describe('refusals', () => {
  const rules = { localAsn: 65001, forbiddenAsns: FORBIDDEN_ASNS, peerRouteLimit: 4000 };
  test.each<[string, Partial<Route>, RegExp]>([
    ['host bits', { prefix: '192.0.2.10/24' }, /not an IPv4 prefix/],
    ['no prefix', { prefix: '192.0.2.10' }, /not an IPv4 prefix/],
    ['a length over 32', { prefix: '192.0.2.0/33' }, /not an IPv4 prefix/],
    ['an octet over 255', { prefix: '192.0.256.0/24' }, /not an IPv4 prefix/],
    ['IPv6', { prefix: '2001:db8::/32' }, /not an IPv4 prefix/],
    ['Route Server in the path', { asPath: [65001, 65515] }, /AS 65515 may not/],
    ["Microsoft's edge in the path", { asPath: [65001, 12076] }, /AS 12076 may not/],
    ['AS 0 in the path', { asPath: [65001, 0] }, /AS 0 may not/],
    ['another AS leftmost', { asPath: [64500, 65001] }, /must start with 65001/],
    ['an empty path', { asPath: [] }, /must start with 65001/],
    ['no number in the path', { asPath: [65001, 1.5] }, /1\.5 is not an ASN/],
    ['an ASN over 32 bits', { asPath: [65001, 2 ** 32] }, /is not an ASN/],
    ['a path of 256', { asPath: new Array<number>(256).fill(65001) }, /longer than 255/],
    ['a next hop of 0.0.0.0', { nextHop: '0.0.0.0' }, /not a host address/],
    ['a multicast next hop', { nextHop: '224.0.0.5' }, /not a host address/],
    ['a negative MED', { med: -1 }, /MED -1/],
    ['a local preference over 32 bits', { localPref: 2 ** 32 }, /local preference/],
    ['a bad community', { communities: ['65001'] }, /65001 is not a community/],
    ['a bad large community', { largeCommunities: ['1:2:x'] }, /1:2:x is not a community/],
  ])('%s', (_name, parts, problem) => {
    expect(checkRoutes([{ ...route(A), ...parts }], rules)).toEqual([expect.stringMatching(problem)]);
  });
  test('every problem is listed, with its prefix', () => {
    const problems = checkRoutes([route(A, 0, { asPath: [1, 65515], nextHop: 'x' }), route(B), route(B)], rules);
    expect(problems).toEqual([
      `${A}: next hop x is not a host address`,
      `${A}: AS path must start with 65001`,
      `${A}: AS 65515 may not stand in a path`,
      `${B}: given more than once`,
    ]);
  });
  test('as many routes as the limit leave no room to replace one', () => {
    const routes = hosts(4000).map((prefix) => route(prefix));
    expect(checkRoutes(routes, rules)).toEqual([expect.stringMatching(/4000 routes: the peer's limit is 4000/)]);
    expect(checkRoutes(routes.slice(1), rules)).toEqual([]);
  });
});

test('a route may change again when its window has closed', () => {
  expect(nextSendMs(undefined, 30_000, 5)).toBe(5);
  expect(nextSendMs(1000, 30_000, 5000)).toBe(31_000);
  expect(nextSendMs(1000, 30_000, 40_000)).toBe(40_000);
});
