// Stands in for Azure Resource Manager: learned routes of Route Server and route tables of circuits, as operations
// that take a while, in the shapes of the live service (azure-rest-api-specs, VirtualRouterPeerListLearnedRoute.json).
import { randomUUID } from 'node:crypto';
import { type Answer, type Endpoint, type Exchange, failed } from './exchange.ts';

/** One route that a Route Server instance holds from one peering. */
export interface ArmLearnedRoute {
  /** The instance, as the topology names the peer. */
  readonly instance: string;
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly number[];
}

/** One row of the edge's table: the path before private numbers are removed. */
export interface ArmCircuitRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: readonly number[];
}

export interface ArmOptions {
  /** Undefined: there is no such Route Server or peering. */
  readonly learned: (
    routeServer: string,
    connection: string,
  ) => readonly ArmLearnedRoute[] | undefined | Promise<readonly ArmLearnedRoute[] | undefined>;
  readonly circuit: (
    circuit: string,
    device: string,
  ) => readonly ArmCircuitRoute[] | undefined | Promise<readonly ArmCircuitRoute[] | undefined>;
  readonly origin: () => string;
  /** How long an operation takes, in ms. */
  readonly operationMs?: number;
}

export interface Arm {
  readonly endpoint: Endpoint;
  setDown(isDown: boolean): void;
}

/** Operations kept; a caller that comes later than this many others asks again. */
const OPERATIONS_MAX = 1000;
const LEARNED = /\/virtualHubs\/([^/]+)\/bgpConnections\/([^/]+)\/learnedRoutes$/i;
const CIRCUIT = /\/expressRouteCircuits\/([^/]+)\/peerings\/[^/]+\/routeTables\/([^/]+)$/i;
const RESULT = /^\/subscriptions\/[^/]+\/providers\/Microsoft\.Network\/locations\/lab\/operationResults\/([\w-]+)$/;

interface Operation {
  readonly readyAtMs: number;
  readonly body: unknown;
}

export function createArm(options: ArmOptions): Arm {
  const operations = new Map<string, Operation>();
  let isDown = false;

  /** 202 with Location, then 202 until it is done, then 200: how these calls answer on Azure. */
  function begin(subscription: string, body: unknown): Answer {
    const id = randomUUID();
    operations.set(id, { readyAtMs: Date.now() + (options.operationMs ?? 0), body });
    const [oldest] = operations.keys();
    if (operations.size > OPERATIONS_MAX && oldest !== undefined) operations.delete(oldest);
    const path = `/subscriptions/${subscription}/providers/Microsoft.Network/locations/lab/operationResults/${id}`;
    return {
      status: 202,
      headers: { location: `${options.origin()}${path}?api-version=2026-01-01`, 'retry-after': '0' },
    };
  }

  function result(id: string, location: string): Answer {
    const operation = operations.get(id);
    if (operation === undefined) return failed(404, 'OperationNotFound', id);
    if (Date.now() < operation.readyAtMs) return { status: 202, headers: { location, 'retry-after': '0' } };
    return { status: 200, json: operation.body };
  }

  async function start({ method, url }: Exchange): Promise<Answer | undefined> {
    const [, subscription] = /^\/subscriptions\/([^/]+)\/resourceGroups\//i.exec(url.pathname) ?? [];
    if (subscription === undefined || method !== 'POST') return undefined;
    const [, routeServer, connection] = LEARNED.exec(url.pathname) ?? [];
    if (routeServer !== undefined && connection !== undefined) {
      const routes = await options.learned(routeServer, connection);
      return routes === undefined
        ? failed(404, 'ResourceNotFound', `bgpconnections ${connection} not found`)
        : begin(subscription, learnedBody(routes));
    }
    const [, circuit, device] = CIRCUIT.exec(url.pathname) ?? [];
    if (circuit === undefined || device === undefined) return undefined;
    const rows = await options.circuit(circuit, device);
    return rows === undefined
      ? failed(404, 'ResourceNotFound', `circuit ${circuit} not found`)
      : begin(subscription, circuitBody(rows));
  }

  return {
    setDown: (down) => {
      isDown = down;
    },
    endpoint: (exchange) => {
      if (!exchange.url.pathname.startsWith('/subscriptions/')) return undefined;
      if (isDown) return failed(503, 'ServiceUnavailable', 'the resource provider is down');
      if (!exchange.headers.authorization?.startsWith('Bearer '))
        return failed(401, 'AuthenticationFailed', 'no token');
      const [, id] = RESULT.exec(exchange.url.pathname) ?? [];
      return id === undefined ? start(exchange) : result(id, exchange.url.href);
    },
  };
}

/** A map of role instances with hyphened paths; the extra null member is what the live service sends. */
function learnedBody(routes: readonly ArmLearnedRoute[]): unknown {
  const instances = [...new Set(routes.map((route) => route.instance))].sort();
  const rows = (instance: string) =>
    routes
      .filter((route) => route.instance === instance)
      .map(({ prefix, nextHop, asPath }) => ({
        ...{ localAddress: instance, network: prefix, nextHop, sourcePeer: nextHop, origin: 'EBgp' },
        ...{ asPath: asPath.join('-'), weight: 32768 },
      }));
  const filled = instances.map((instance, i) => [`RouteServiceRole_IN_${i}`, rows(instance)]);
  const empty = [0, 1].slice(instances.length).map((i) => [`RouteServiceRole_IN_${i}`, []]);
  return { ...Object.fromEntries([...filled, ...empty]), value: null };
}

/** Paths separated by spaces; the best entry's next hop carries a star. */
const circuitBody = (rows: readonly ArmCircuitRoute[]): unknown => ({
  value: rows.map(({ prefix, nextHop, asPath }, i) => ({
    ...{ network: prefix, nextHop: i === 0 ? `${nextHop}*` : nextHop, locPrf: '', weight: 0, path: asPath.join(' ') },
  })),
});
