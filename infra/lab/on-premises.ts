// The way of every prefix from both Route Servers to on-premises: what each edge passes on and which region wins there.
// Pure: routes in, table out.
import type { Topology } from '../../shared/topology-schema.ts';
import { shortestPaths } from './best-path.ts';
import { EDGE_STYLES, type EdgeStyle, pathAtEdge, stripPrivateAsns } from './circuit-edge.ts';
import type { LearnedRoute } from './route-server-rib.ts';

export interface EdgeRoute {
  readonly prefix: string;
  readonly region: string;
  /** NVAs whose equally short routes the region shares traffic among. */
  readonly nvas: readonly string[];
  readonly received: readonly number[];
  readonly stripped: readonly number[];
  /** What on-premises is told. */
  readonly sent: readonly number[];
}

export interface OnPremisesRoute {
  readonly prefix: string;
  readonly region: string;
  readonly nvas: readonly string[];
  readonly asPath: readonly number[];
  /** Traffic goes here; several are best at once when lengths tie (ECMP). */
  readonly best: boolean;
}

/** How the edge of the n-th region strips: separate circuits alternate between the two makers, to show why steps are 3. */
export function edgeStyleOf(transport: Topology['transport'], regionIndex: number): EdgeStyle {
  if (transport.kind === 'vpn') return 'vpn';
  if (transport.circuits === 'shared') return 'juniper';
  return EDGE_STYLES[regionIndex % 2] ?? 'juniper';
}

/** What one region's edge passes on, from what both Route Server instances hold. */
export function edgeRoutes(region: string, held: readonly LearnedRoute[], style: EdgeStyle): EdgeRoute[] {
  return [...groupBy(held, (route) => route.prefix)].map(([prefix, routes]) => {
    const best = shortestPaths(routes);
    const received = pathAtEdge(best[0]?.asPath ?? []);
    const nvas = [...new Set(best.map((route) => route.nva))].sort();
    return { prefix, region, nvas, received, ...stripPrivateAsns(received, style) };
  });
}

/**
 * What on-premises makes of it. On a shared circuit one edge router compares before it strips, so private prepends
 * still decide; on separate circuits on-premises compares what is left of the paths.
 */
export function onPremisesRoutes(edges: readonly EdgeRoute[], transport: Topology['transport']): OnPremisesRoute[] {
  const isShared = transport.kind === 'expressroute' && transport.circuits === 'shared';
  return [...groupBy(edges, (route) => route.prefix)].flatMap(([prefix, routes]) => {
    const passed = isShared ? atSharedEdge(routes) : routes;
    const candidates = passed.map((route) => ({ prefix, region: route.region, nvas: route.nvas, asPath: route.sent }));
    const best = new Set(shortestPaths(candidates));
    return candidates.map((route) => ({ ...route, best: best.has(route) }));
  });
}

function atSharedEdge(routes: readonly EdgeRoute[]): EdgeRoute[] {
  const best = new Set(shortestPaths(routes.map((route) => ({ route, asPath: route.received }))).map((r) => r.route));
  return routes.filter((route) => best.has(route));
}

/** NVAs that traffic of this prefix may go to now. */
export function nextHops(table: readonly OnPremisesRoute[], prefix: string): string[] {
  return table.filter((route) => route.prefix === prefix && route.best).flatMap((route) => [...route.nvas]);
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
