// Stands in for the resources behind ARM that people configure: Route Server, its peerings and network, the audit table
// and its collection rule. Made from the topology; a test or a person may overlay any of them to see it found wrong.

import { ROUTE_SERVER_ASN } from '../../../shared/asn.ts';
import { AUDIT_STREAM, AUDIT_TABLE, auditRecordSchema } from '../../../shared/audit.ts';
import type { Region, Topology } from '../../../shared/topology-schema.ts';
import type { ArmLearnedRoute } from './arm.ts';
import { type Endpoint, failed } from './exchange.ts';

export const LEARNED_MISTAKES = ['without-prepends', 'one-instance', 'one-more-prefix'] as const;
export type LearnedMistake = (typeof LEARNED_MISTAKES)[number];

type Json = Readonly<Record<string, unknown>>;

export interface ResourcesOptions {
  readonly topology: Topology;
  /** Addresses of both instances as the running topology names them. */
  readonly peersOf: (region: string) => readonly string[];
}

export interface Resources {
  readonly endpoint: Endpoint;
  /** By path in lower case: what is answered instead; null: not found. */
  readonly overlay: Map<string, Json | null>;
  /** By connection: in which way Route Server is said to hold something else than it does. */
  readonly learned: Map<string, LearnedMistake>;
  /** The routes of this connection as they are said to be held. */
  toldOf(connection: string, routes: readonly ArmLearnedRoute[]): readonly ArmLearnedRoute[];
}

const GROUP = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-lab/providers';
export const WORKSPACE_ID = `${GROUP}/Microsoft.OperationalInsights/workspaces/log-lab`;
export const RULE_ID = `${GROUP}/Microsoft.Insights/dataCollectionRules/dcr-lab`;

export function createResources(options: ResourcesOptions): Resources {
  const overlay = new Map<string, Json | null>();
  const learned = new Map<string, LearnedMistake>();
  return {
    overlay,
    learned,
    toldOf: (connection, routes) => mistake(learned.get(connection), routes),
    endpoint: ({ method, url, headers }) => {
      if (method !== 'GET' || !url.pathname.startsWith('/subscriptions/')) return undefined;
      if (!headers.authorization?.startsWith('Bearer ')) return failed(401, 'AuthenticationFailed', 'no token');
      const path = decodeURIComponent(url.pathname).toLowerCase();
      const own = overlay.get(path);
      if (own === null) return failed(404, 'ResourceNotFound', path);
      const body = own ?? resourcesOf(options).get(path);
      return body === undefined ? undefined : { status: 200, json: body };
    },
  };
}

function mistake(kind: LearnedMistake | undefined, routes: readonly ArmLearnedRoute[]): readonly ArmLearnedRoute[] {
  switch (kind) {
    case undefined:
      return routes;
    case 'without-prepends':
      return routes.map((route) => ({ ...route, asPath: route.asPath.slice(0, 1) }));
    case 'one-instance':
      return routes.filter((route) => route.instance !== routes[0]?.instance);
    case 'one-more-prefix':
      return [...routes, ...routes.map((route) => ({ ...route, prefix: '198.51.100.0/24' }))];
  }
}

/** The network's own id stands beside its Route Server. */
export const networkId = (region: Region): string =>
  `${region.routeServer.resourceId.replace(/\/virtualHubs\/.*$/i, '')}/virtualNetworks/vnet-${region.name}`;

function resourcesOf({ topology, peersOf }: ResourcesOptions): Map<string, Json> {
  const entries = topology.regions.flatMap((region): [string, Json][] => {
    const hub = region.routeServer.resourceId;
    const network = networkId(region);
    return [
      [hub, hubBody(hub, peersOf(region.name))],
      [`${hub}/bgpConnections`, { value: region.nvas.map((nva) => connectionBody(nva)) }],
      [
        `${hub}/ipConfigurations`,
        { value: [{ name: 'ipconfig1', properties: { subnet: { id: `${network}/subnets/RouteServerSubnet` } } }] },
      ],
      [network, networkBody(network, region)],
    ];
  });
  const columns = Object.keys(auditRecordSchema.shape).map((name) => ({ name, type: 'string' }));
  const all: [string, Json][] = [
    ...entries,
    [`${WORKSPACE_ID}/tables/${AUDIT_TABLE}`, { name: AUDIT_TABLE, properties: { schema: { columns } } }],
    [
      RULE_ID,
      {
        kind: 'Direct',
        properties: {
          streamDeclarations: { [AUDIT_STREAM]: { columns } },
          dataFlows: [{ streams: [AUDIT_STREAM], outputStream: `Custom-${AUDIT_TABLE}` }],
        },
      },
    ],
  ];
  return new Map(all.map(([path, body]) => [path.toLowerCase(), body]));
}

const hubBody = (id: string, peers: readonly string[]): Json => ({
  id,
  name: id.slice(id.lastIndexOf('/') + 1),
  properties: {
    ...{ allowBranchToBranchTraffic: true, virtualRouterAsn: ROUTE_SERVER_ASN, virtualRouterIps: peers },
    ...{ provisioningState: 'Succeeded', routingState: 'Provisioned', sku: 'Standard' },
  },
});

const connectionBody = (nva: Region['nvas'][number]): Json => ({
  name: nva.bgpConnection,
  properties: {
    ...{ peerAsn: nva.asn, peerIp: nva.address },
    ...{ connectionState: 'Connected', provisioningState: 'Succeeded' },
  },
});

/** 10.1.0.0/26 for Route Server, 10.1.1.0/24 for NVAs, where NVAs have addresses such as 10.1.1.4. */
function networkBody(id: string, region: Region): Json {
  const address = region.nvas[0]?.address ?? '10.0.1.4';
  const [a, b, c] = address.split('.');
  const subnet = (name: string, addressPrefix: string): Json => ({
    ...{ id: `${id}/subnets/${name}`, name },
    properties: { addressPrefix },
  });
  return {
    ...{ id, name: id.slice(id.lastIndexOf('/') + 1) },
    properties: {
      addressSpace: { addressPrefixes: [`${a}.${b}.0.0/16`] },
      subnets: [
        subnet('RouteServerSubnet', region.routeServer.subnet ?? `${a}.${b}.0.0/26`),
        subnet('nvas', `${a}.${b}.${c}.0/24`),
      ],
      virtualNetworkPeerings: [],
    },
  };
}
