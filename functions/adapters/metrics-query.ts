// What Route Server's own metric says of its sessions (@azure/monitor-query-metrics), per instance and peer.
import type { TokenCredential } from '@azure/identity';
import { MetricsClient, type MetricsQueryResult } from '@azure/monitor-query-metrics';
import { OperatingError } from '../../shared/errors.ts';
import type { PeerStatus } from '../engine/types.ts';
import { PEER_STATUS_TIMEOUT_MS, PEER_STATUS_WINDOW_MS } from '../limits.ts';
import type { Clock, PeerStatusReader } from '../ports.ts';
import { operating } from './operating-error.ts';

const NAMESPACE = 'Microsoft.Network/virtualHubs';
const METRIC = 'BgpPeerStatus';
/** Route Server takes eight peers and has two instances; a scaled-out one has more instances. */
const SERIES_MAX = 200;

export interface MetricsQueryOptions {
  /** The regional endpoint, `{region}` stands for the region's name: metrics are asked where the resource is. */
  readonly endpoint: string;
}

/** Reads of @azure/monitor-query-metrics fail with OperatingError `peer-status`; nothing is tried again here. */
export function createMetricsQuery(
  credential: TokenCredential,
  options: MetricsQueryOptions,
  clock: Clock,
): PeerStatusReader {
  const clients = new Map<string, MetricsClient>();
  const clientOf = (region: string): MetricsClient => {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const endpoint = options.endpoint.replace('{region}', region);
    const created = new MetricsClient(endpoint, credential, { retryOptions: { maxRetries: 0 } });
    clients.set(region, created);
    return created;
  };
  return {
    read: (region) =>
      operating('peer-status', async () => {
        const nowMs = clock.nowMs();
        const results = await clientOf(region.name).queryResources(
          [region.routeServer.resourceId],
          [METRIC],
          NAMESPACE,
          {
            ...{ startTime: new Date(nowMs - PEER_STATUS_WINDOW_MS), endTime: new Date(nowMs) },
            // Finer grains are noisy (learn.microsoft.com/azure/route-server/monitor-route-server).
            ...{ interval: 'PT5M', aggregation: 'maximum', top: SERIES_MAX },
            filter: "routeserviceinstance eq '*' and bgppeerip eq '*'",
            abortSignal: AbortSignal.timeout(PEER_STATUS_TIMEOUT_MS),
          } as Parameters<MetricsClient['queryResources']>[3],
        );
        return parsePeerStatus(results);
      }),
  };
}

/** Names come localized ("Bgp Peer IP"), so only their letters count. */
const lettersOf = (name: string | undefined): string => (name ?? '').toLowerCase().replace(/[^a-z]/g, '');

/**
 * The newest measurement of each series; a series without one is unknown, which is not down. Throws OperatingError for
 * an answer that is not the one metric of one resource, or whose series do not name instance and peer.
 */
export function parsePeerStatus(results: readonly Pick<MetricsQueryResult, 'metrics'>[]): PeerStatus['peers'] {
  const [metric, ...others] = results.flatMap((result) => result.metrics);
  if (metric === undefined || others.length > 0) throw refused(`${others.length + (metric ? 1 : 0)} metrics, not one`);
  // "Success" comes as a code too.
  if (metric.errorCode && metric.errorCode !== 'Success') throw refused(`${metric.errorCode} ${metric.errorMessage}`);
  if (metric.timeseries.length > SERIES_MAX) throw refused(`${metric.timeseries.length} series`);
  const peers: Record<string, Record<string, { isUp: boolean; atMs: number }>> = {};
  for (const series of metric.timeseries) {
    const dimension = (name: string) => series.metadatavalues?.find((one) => lettersOf(one.name) === name)?.value;
    const [instance, peer] = [dimension('routeserviceinstance'), dimension('bgppeerip')];
    if (instance === undefined || peer === undefined) throw refused('a series without instance or peer');
    const measured = (series.data ?? []).flatMap(({ maximum, timeStamp }) =>
      maximum === undefined ? [] : [{ isUp: readStatus(maximum), atMs: timeStamp.getTime() }],
    );
    const newest = measured.sort((a, b) => b.atMs - a.atMs)[0];
    if (newest !== undefined) peers[peer] = { ...peers[peer], [instance]: newest };
  }
  return peers;
}

function readStatus(value: number): boolean {
  if (value === 0 || value === 1) return value === 1;
  throw refused(`a status of ${value}, neither 0 nor 1`);
}

const refused = (detail: string): OperatingError =>
  new OperatingError('peer-status', `peer-status: ${detail}`, { retryable: false });
