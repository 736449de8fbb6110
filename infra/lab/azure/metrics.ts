// Stands in for Azure Monitor's metrics of Route Server: the batch call, with names localized as the service does.
import { type Endpoint, failed } from './exchange.ts';

export interface PeerMeasurement {
  readonly instance: string;
  readonly peer: string;
  /** Newest last; null: nothing was measured in that grain. */
  readonly values: readonly (number | null)[];
}

export interface MetricsOptions {
  /** Measurements of a Route Server by resource id; undefined: no such resource. Absent: none has any. */
  readonly peerStatus?: (resourceId: string) => readonly PeerMeasurement[] | undefined;
}

const BATCH = /^\/subscriptions\/[^/]+\/metrics:getBatch$/;
const GRAIN_MS = 5 * 60_000;

export function createMetrics(options: MetricsOptions): Endpoint {
  return ({ method, url, headers, body }) => {
    if (method !== 'POST' || !BATCH.test(url.pathname)) return undefined;
    if (!headers.authorization?.startsWith('Bearer ')) return failed(401, 'AuthenticationFailed', 'no token');
    const [metric, namespace] = [url.searchParams.get('metricnames'), url.searchParams.get('metricnamespace')];
    const endMs = Date.parse(url.searchParams.get('endtime') ?? '');
    if (metric !== 'BgpPeerStatus' || namespace !== 'Microsoft.Network/virtualHubs' || Number.isNaN(endMs))
      return failed(400, 'BadRequest', `cannot answer ${metric} of ${namespace}`);
    const { resourceids = [] } = JSON.parse(body.toString('utf8')) as { resourceids?: string[] };
    const found = resourceids.map((id) => ({ id, rows: options.peerStatus?.(id) }));
    const missing = found.find(({ rows }) => rows === undefined);
    if (missing !== undefined) return failed(404, 'ResourceNotFound', missing.id);
    const values = found.map(({ id, rows = [] }) => batchItem(id, url.searchParams, rows, endMs));
    return { status: 200, json: { values } };
  };
}

const batchItem = (id: string, query: URLSearchParams, rows: readonly PeerMeasurement[], endMs: number) => ({
  starttime: query.get('starttime'),
  endtime: query.get('endtime'),
  interval: query.get('interval'),
  namespace: query.get('metricnamespace'),
  resourceid: id,
  value: [
    {
      id: `${id}/providers/Microsoft.Insights/metrics/BgpPeerStatus`,
      type: 'Microsoft.Insights/metrics',
      name: { value: 'BgpPeerStatus', localizedValue: 'BGP Peer Status' },
      errorCode: 'Success',
      unit: 'Unspecified',
      timeseries: rows.map(({ instance, peer, values }) => ({
        metadatavalues: [
          { name: { value: 'routeserviceinstance', localizedValue: 'Route Service Instance' }, value: instance },
          { name: { value: 'bgppeerip', localizedValue: 'Bgp Peer IP' }, value: peer },
        ],
        data: values.map((maximum, i) => ({
          timeStamp: new Date(endMs - (values.length - i) * GRAIN_MS).toISOString(),
          ...(maximum !== null && { maximum }),
        })),
      })),
    },
  ],
});
