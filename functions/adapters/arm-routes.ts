// Reads learned routes of Route Server and route tables of circuits through Azure Resource Manager (@azure/arm-network).
import { NetworkManagementClient } from '@azure/arm-network';
import type { TokenCredential } from '@azure/identity';
import { OperatingError } from '../../shared/errors.ts';
import type { Region } from '../../shared/topology-schema.ts';
import type { LearnedEvidence } from '../engine/types.ts';
import { ROUTES_TIMEOUT_MS } from '../limits.ts';
import type { CircuitRoute, RouteReader } from '../ports.ts';
import { operating } from './operating-error.ts';

/** First wait of a long-running operation; the service's Retry-After goes before it. */
const POLL_MS = 500;
const DEVICES = ['primary', 'secondary'] as const;

export interface ArmOptions {
  /** Absent: the public cloud's. */
  readonly endpoint?: string;
}

export function createArmRoutes(credential: TokenCredential, options: ArmOptions): RouteReader {
  const clients = new Map<string, NetworkManagementClient>();
  const clientOf = (subscription: string): NetworkManagementClient => {
    const known = clients.get(subscription);
    if (known !== undefined) return known;
    const created = new NetworkManagementClient(credential, subscription, {
      ...(options.endpoint && { endpoint: options.endpoint }),
      retryOptions: { maxRetries: 0 },
    });
    clients.set(subscription, created);
    return created;
  };

  async function learned(region: Region, connection: string): Promise<unknown> {
    const { subscription, group, name } = parseResourceId(region.routeServer.resourceId);
    return clientOf(subscription).virtualHubBgpConnections.listLearnedRoutes(group, name, connection, {
      updateIntervalInMs: POLL_MS,
      abortSignal: AbortSignal.timeout(ROUTES_TIMEOUT_MS),
    });
  }

  async function circuit(region: Region): Promise<CircuitRoute[] | undefined> {
    const named = region.circuit;
    if (named === undefined) return undefined;
    const { subscription, group, name } = parseResourceId(named.resourceId);
    const tables = await Promise.all(
      DEVICES.map(async (device) => {
        const abortSignal = AbortSignal.timeout(ROUTES_TIMEOUT_MS);
        const table = await clientOf(subscription).expressRouteCircuits.listRoutesTable(
          group,
          name,
          named.peering,
          device,
          {
            updateIntervalInMs: POLL_MS,
            abortSignal,
          },
        );
        return parseCircuitRows(table.value ?? [], device);
      }),
    );
    return tables.flat();
  }

  return {
    learned: (region, nva) =>
      operating('learned-routes', async () =>
        parseLearned(await learned(region, nva.bgpConnection), region.routeServer.peers),
      ),
    circuit: (region) => operating('circuit-routes', () => circuit(region)),
  };
}

/** `/subscriptions/S/resourceGroups/G/providers/.../T/N`, in any case of letters. */
export function parseResourceId(id: string): { subscription: string; group: string; name: string } {
  const match = /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/[^/]+\/[^/]+\/([^/]+)$/i.exec(id);
  const [, subscription, group, name] = match ?? [];
  if (subscription === undefined || group === undefined || name === undefined) {
    throw new OperatingError('resource-id', `not a resource id: ${id.slice(0, 200)}`, { retryable: false });
  }
  return { subscription, group, name };
}

interface LearnedRow {
  readonly localAddress?: string;
  readonly network?: string;
  readonly asPath?: string;
}

/**
 * The body is a map of role instances; extra null members and empty lists occur (azure-sdk-for-python#22212), so every
 * list is read and the instance told by localAddress. An instance that answered with no rows counts as holding none.
 */
export function parseLearned(body: unknown, peers: readonly string[]): LearnedEvidence['peers'] {
  const lists = Object.entries(body !== null && typeof body === 'object' ? body : {}).filter((entry) =>
    Array.isArray(entry[1]),
  );
  const held: Record<string, Record<string, readonly number[]>> = Object.fromEntries(peers.map((peer) => [peer, {}]));
  for (const [instance, rows] of lists as [string, (LearnedRow | null)[]][]) {
    for (const row of rows) {
      const peer = peerOf(row?.localAddress, instance, peers);
      const path = parseAsPath(row?.asPath);
      if (row?.network === undefined || peer === undefined || path === undefined) continue;
      held[peer] = { ...held[peer], [row.network]: path };
    }
  }
  return held;
}

function peerOf(localAddress: string | undefined, instance: string, peers: readonly string[]): string | undefined {
  if (localAddress === undefined) return undefined;
  const byAddress = peers.filter((peer) => peer === localAddress || peer.split(':')[0] === localAddress);
  const exact = peers.find((peer) => peer === localAddress);
  if (exact !== undefined || byAddress.length <= 1) return exact ?? byAddress[0];
  return peers[Number(/_(\d+)$/.exec(instance)?.[1] ?? -1)];
}

/** Learned routes separate by hyphens, circuit tables by spaces; a live table may hold a trailing `*` or origin letter. */
export function parseAsPath(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(/[-\s]+/).filter((part) => part !== '' && !/^[ie?*]$/i.test(part));
  const numbers = parts.map(Number);
  return numbers.every((asn) => Number.isInteger(asn) && asn >= 0) ? numbers : undefined;
}

interface CircuitRow {
  readonly network?: string;
  readonly path?: string;
}

export function parseCircuitRows(rows: readonly (CircuitRow | null)[], device: CircuitRoute['device']): CircuitRoute[] {
  return rows.flatMap((row) => {
    const asPath = parseAsPath(row?.path);
    const prefix = row?.network?.replace(/\*$/, '');
    return prefix === undefined || asPath === undefined ? [] : [{ prefix, asPath, device }];
  });
}
