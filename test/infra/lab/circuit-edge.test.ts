// The edge's two ways of removing private numbers, and why steps of three are needed between them.
import { describe, expect, test } from '@jest/globals';
import { pathAtEdge, stripPrivateAsns } from '../../../infra/lab/circuit-edge.ts';
import { edgeRoutes, nextHops, onPremisesRoutes } from '../../../infra/lab/on-premises.ts';
import type { LearnedRoute } from '../../../infra/lab/route-server-rib.ts';

const separate = { kind: 'expressroute', circuits: 'separate' } as const;
const shared = { kind: 'expressroute', circuits: 'shared' } as const;
const vpn = { kind: 'vpn' } as const;

const announced = (asn: number, prepends: number, prependAsn = 64500): number[] => [
  asn,
  ...new Array<number>(prepends).fill(prependAsn),
];
const learned = (nva: string, asPath: readonly number[]): LearnedRoute => ({
  prefix: '192.0.2.10/32',
  nva,
  asPath,
  nextHop: '10.1.1.4',
  sinceMs: 0,
});

describe('an edge', () => {
  test.each([
    ['juniper', announced(65001, 12), [12076, ...new Array<number>(12).fill(64500)], [65515, 65001]],
    ['cisco', announced(65101, 12), [12076, 65515, 65101, ...new Array<number>(12).fill(64500)], []],
    ['juniper', announced(65001, 4, 65001), [12076], [65515, 65001, 65001, 65001, 65001, 65001]],
    ['cisco', announced(65101, 4, 65101), [12076], [65515, 65101, 65101, 65101, 65101, 65101]],
    ['juniper', [65113, 1234, 65111], [12076, 1234, 65111], [65515, 65113]],
    ['vpn', announced(65001, 2, 65001), [65515, 65001, 65001, 65001], []],
  ] as const)('of style %s passes %j on as %j', (style, path, sent, stripped) => {
    expect(stripPrivateAsns(pathAtEdge(path), style)).toEqual({ sent, stripped });
  });

  test('of the two makers differs by two, so a step of one inverts the ranking and a step of three does not', () => {
    const lengthOf = (style: 'juniper' | 'cisco', asn: number, prepends: number) =>
      stripPrivateAsns(pathAtEdge(announced(asn, prepends)), style).sent.length;
    expect(lengthOf('cisco', 65101, 4)).toBeGreaterThan(lengthOf('juniper', 65001, 5));
    expect(lengthOf('cisco', 65101, 12)).toBeLessThan(lengthOf('juniper', 65001, 15));
  });
});

describe('on-premises', () => {
  const table = (we: number, ne: number, transport: typeof separate | typeof shared | typeof vpn, prependAsn = 64500) =>
    onPremisesRoutes(
      [
        ...edgeRoutes('westeurope', [learned('we-nva-1', announced(65001, we, prependAsn))], 'juniper'),
        ...edgeRoutes('northeurope', [learned('ne-nva-1', announced(65101, ne, prependAsn))], 'cisco'),
      ],
      transport,
    );

  test('takes the shortest path', () => {
    expect(nextHops(table(12, 15, separate), '192.0.2.10/32')).toEqual(['we-nva-1']);
    expect(nextHops(table(12, 9, separate), '192.0.2.10/32')).toEqual(['ne-nva-1']);
  });
  test('shares traffic when lengths are equal', () => {
    expect(nextHops(table(5, 3, separate), '192.0.2.10/32')).toEqual(['we-nva-1', 'ne-nva-1']);
  });
  test('cannot tell private prepends of separate circuits apart', () => {
    expect(nextHops(table(0, 9, separate, 65001), '192.0.2.10/32')).toHaveLength(2);
  });
  test('need not: one shared edge compares before it strips', () => {
    expect(nextHops(table(0, 9, shared, 65001), '192.0.2.10/32')).toEqual(['we-nva-1']);
  });
  test('has no next hop without a route', () => {
    expect(nextHops([], '192.0.2.10/32')).toEqual([]);
  });
  test('shares a region among its NVAs when their routes are equally short', () => {
    const edges = edgeRoutes(
      'westeurope',
      [
        learned('we-nva-1', announced(65001, 3)),
        learned('we-nva-2', announced(65001, 3)),
        learned('we-nva-3', announced(65001, 4)),
      ],
      'juniper',
    );
    expect(edges[0]?.nvas).toEqual(['we-nva-1', 'we-nva-2']);
  });
});
