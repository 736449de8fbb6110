// Route tables in the form Azure Resource Manager answers them, made from what BIRD holds. Values only.
import type { BirdRoute } from './bird-routes.ts';

export interface ArmPlace {
  readonly type: 'learned-routes' | 'circuit-table';
  /** Name of the resource in lower case. */
  readonly name: string;
}

const LEARNED = /\/virtualHubs\/([^/]+)\/bgpConnections\/[^/]+\/learnedRoutes$/i;
const CIRCUIT = /\/expressRouteCircuits\/([^/]+)\/peerings\/[^/]+\/routeTables\/[^/]+$/i;

/** Which table a request path asks for, or undefined. */
export function armPlace(path: string): ArmPlace | undefined {
  const learned = LEARNED.exec(path)?.[1];
  if (learned !== undefined) return { type: 'learned-routes', name: learned.toLowerCase() };
  const circuit = CIRCUIT.exec(path)?.[1];
  return circuit === undefined ? undefined : { type: 'circuit-table', name: circuit.toLowerCase() };
}

/** `bgpConnections/learnedRoutes`: one list per instance, paths with hyphens. */
export function learnedRoutes(
  instances: readonly { readonly address: string; readonly routes: readonly BirdRoute[] }[],
): Record<string, object[]> {
  return Object.fromEntries(
    instances.map(({ address, routes }, i) => [
      `RouteServiceRole_IN_${i}`,
      routes.map((route) => ({
        localAddress: address,
        network: route.prefix,
        nextHop: route.nextHop,
        sourcePeer: route.nextHop,
        origin: 'EBgp',
        asPath: route.asPath.join('-'),
        weight: 32768,
      })),
    ]),
  );
}

/** `expressRouteCircuits/.../routeTables`: what the edge holds before it strips private ASNs, paths with spaces. */
export function circuitTable(routes: readonly BirdRoute[]): { value: object[] } {
  return {
    value: routes
      .filter((route) => route.isBest)
      .map((route) => ({
        network: route.prefix,
        nextHop: route.nextHop,
        locPrf: '',
        weight: 0,
        path: route.asPath.join(' '),
      })),
  };
}
