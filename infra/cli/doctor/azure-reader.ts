// Reads Route Server, its network, learned routes, circuits and the audit table through Azure Resource Manager.
import { NetworkManagementClient } from '@azure/arm-network';
import type { TokenCredential } from '@azure/identity';
import { parseCircuitRows, parseLearned, parseResourceId } from '../../../functions/adapters/arm-routes.ts';
import type { Region } from '../../../shared/topology-schema.ts';
import type { RouteServerFacts, SubnetFacts } from './facts.ts';
import type { AzureReader } from './gather.ts';
import { httpsGet } from './https-get.ts';

export interface AzureReaderOptions {
  readonly credential: TokenCredential;
  /** Absent: the public cloud. */
  readonly endpoint: string | undefined;
  /** CA of that endpoint; for laboratories. */
  readonly ca: string | undefined;
}

/** Learned routes and route tables are operations that take tens of seconds on Azure. */
const OPERATION_TIMEOUT_MS = 60_000;
const POLL_MS = 200;
const PUBLIC_ENDPOINT = 'https://management.azure.com';
const TABLE_API = '2023-09-01';
const RULE_API = '2023-03-11';
const NETWORKS_MAX = 20;

export function createAzureReader(options: AzureReaderOptions): AzureReader {
  const clients = new Map<string, NetworkManagementClient>();
  const clientOf = (subscription: string): NetworkManagementClient => {
    const known = clients.get(subscription);
    if (known !== undefined) return known;
    const created = new NetworkManagementClient(options.credential, subscription, {
      ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
      ...(options.ca !== undefined && { tlsOptions: { ca: options.ca } }),
      retryOptions: { maxRetries: 1 },
    });
    clients.set(subscription, created);
    return created;
  };
  const longRunning = () => ({
    updateIntervalInMs: POLL_MS,
    abortSignal: AbortSignal.timeout(OPERATION_TIMEOUT_MS),
  });
  return {
    routeServer: (region) => readRouteServer(clientOf, region),
    async learned(region, nva) {
      const { subscription, group, name } = parseResourceId(region.routeServer.resourceId);
      const { virtualHubBgpConnections } = clientOf(subscription);
      const body = await virtualHubBgpConnections.listLearnedRoutes(group, name, nva.bgpConnection, longRunning());
      return parseLearned(body, region.routeServer.peers);
    },
    async circuit(region) {
      if (region.circuit === undefined) return undefined;
      const { subscription, group, name } = parseResourceId(region.circuit.resourceId);
      const { peering } = region.circuit;
      const tables = await Promise.all(
        (['primary', 'secondary'] as const).map(async (device) => {
          const { expressRouteCircuits } = clientOf(subscription);
          const table = await expressRouteCircuits.listRoutesTable(group, name, peering, device, longRunning());
          return parseCircuitRows(table.value ?? [], device);
        }),
      );
      return { rows: tables.flat() };
    },
    async table(workspaceId) {
      const table = await getResource(options, `${workspaceId}/tables/AnycastAudit_CL`, TABLE_API);
      const { schema } = table as { schema?: { columns?: { name?: string }[] } };
      return { columns: (schema?.columns ?? []).flatMap(({ name }) => name ?? []) };
    },
    async rule(ruleId) {
      const rule = await getResource(options, ruleId, RULE_API);
      const { kind, streamDeclarations, dataFlows } = rule as {
        kind?: string;
        streamDeclarations?: object;
        dataFlows?: { outputStream?: string }[];
      };
      return {
        kind: kind ?? null,
        streams: Object.keys(streamDeclarations ?? {}),
        outputs: (dataFlows ?? []).flatMap(({ outputStream }) => outputStream ?? []),
      };
    },
  };
}

type ClientOf = (subscription: string) => NetworkManagementClient;

async function readRouteServer(clientOf: ClientOf, region: Region): Promise<RouteServerFacts> {
  const { subscription, group, name } = parseResourceId(region.routeServer.resourceId);
  const client = clientOf(subscription);
  const [hub, connections, configurations] = await Promise.all([
    client.virtualHubs.get(group, name),
    all(client.virtualHubBgpConnections.list(group, name)),
    all(client.virtualHubIpConfiguration.list(group, name)),
  ]);
  const subnetIds = configurations.flatMap(({ subnet }) => subnet?.id ?? []);
  return {
    branchToBranch: hub.allowBranchToBranchTraffic === true,
    asn: hub.virtualRouterAsn ?? null,
    addresses: hub.virtualRouterIps ?? [],
    provisioning: hub.provisioningState ?? 'unknown',
    connections: connections.map((one) => ({
      name: one.name ?? '',
      peerAsn: one.peerAsn ?? null,
      peerIp: one.peerIp ?? null,
      state: one.connectionState ?? 'Unknown',
    })),
    subnets: await readSubnets(clientOf, subnetIds.map(networkOf)),
  };
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

const networkOf = (subnetId: string): string => subnetId.replace(/\/subnets\/[^/]+$/i, '');

/** Subnets of these networks and of those peered with them, each with the routes of its table. */
async function readSubnets(clientOf: ClientOf, networks: readonly string[]): Promise<SubnetFacts[]> {
  const homes = await Promise.all([...new Set(networks)].map((id) => readNetwork(clientOf, id)));
  const peered = homes.flatMap((network) =>
    (network.virtualNetworkPeerings ?? []).flatMap((peering) => peering.remoteVirtualNetwork?.id ?? []),
  );
  const others = await Promise.all(
    [...new Set(peered)]
      .filter((id) => !networks.includes(id))
      .slice(0, NETWORKS_MAX)
      .map((id) => readNetwork(clientOf, id)),
  );
  const subnets = [...homes, ...others].flatMap((network) => network.subnets ?? []);
  return Promise.all(
    subnets.map(async (subnet): Promise<SubnetFacts> => {
      const table = subnet.routeTable?.id ?? null;
      return {
        id: subnet.id ?? '',
        name: subnet.name ?? '',
        prefixes: subnet.addressPrefixes ?? (subnet.addressPrefix === undefined ? [] : [subnet.addressPrefix]),
        routeTable: table,
        securityGroup: subnet.networkSecurityGroup?.id ?? null,
        routes: table === null ? null : await readRoutes(clientOf, table),
      };
    }),
  );
}

function readNetwork(clientOf: ClientOf, id: string) {
  const { subscription, group, name } = parseResourceId(id);
  return clientOf(subscription).virtualNetworks.get(group, name);
}

async function readRoutes(clientOf: ClientOf, id: string): Promise<NonNullable<SubnetFacts['routes']>> {
  const { subscription, group, name } = parseResourceId(id);
  const table = await clientOf(subscription).routeTables.get(group, name);
  return (table.routes ?? []).map((route) => ({
    name: route.name ?? '',
    prefix: route.addressPrefix ?? '',
    nextHopType: route.nextHopType ?? 'None',
    nextHop: route.nextHopIpAddress ?? null,
  }));
}

/** A resource that no installed package knows, by its id; answers its properties and kind. */
async function getResource(
  { endpoint = PUBLIC_ENDPOINT, credential, ca }: AzureReaderOptions,
  id: string,
  apiVersion: string,
): Promise<Record<string, unknown>> {
  const token = await credential.getToken(`${endpoint}/.default`);
  const answer = await httpsGet(`${endpoint}${id}?api-version=${apiVersion}`, {
    ca,
    headers: { authorization: `Bearer ${token?.token ?? ''}`, accept: 'application/json' },
    timeoutMs: OPERATION_TIMEOUT_MS,
  });
  const body = JSON.parse(answer.body) as { kind?: string; properties?: object; error?: { message?: string } };
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status} ${body.error?.message ?? ''}`.trim());
  return { ...body.properties, kind: body.kind };
}
