// Evidence from Log Analytics queries (@azure/monitor-query-logs).
import type { TokenCredential } from '@azure/identity';
import { LogsQueryClient, LogsQueryResultStatus } from '@azure/monitor-query-logs';
import { OperatingError } from '../../shared/errors.ts';
import type { SignalSource } from '../ports.ts';
import { operating } from './operating-error.ts';

const QUERY_SECONDS = 20;
/** The query looks at the last quarter of an hour: evidence older than that is none. */
const TIMESPAN = { duration: 'PT15M' };
/** A row per region is wanted; a query that answers with more is not such a query. */
const ROWS_MAX = 64;

export interface LogsQueryOptions {
  readonly endpoint?: string;
  readonly workspaceId: string;
}

export function createLogsQuery(credential: TokenCredential, options: LogsQueryOptions): SignalSource {
  const client = new LogsQueryClient(credential, {
    ...(options.endpoint && { endpoint: options.endpoint }),
    retryOptions: { maxRetries: 0 },
  });
  return {
    query: (kql) =>
      operating('signal-query', async () => {
        const result = await client.queryWorkspace(options.workspaceId, kql, TIMESPAN, {
          serverTimeoutInSeconds: QUERY_SECONDS,
          abortSignal: AbortSignal.timeout((QUERY_SECONDS + 2) * 1000),
        });
        // A partial result may lack the one row that matters.
        if (result.status !== LogsQueryResultStatus.Success) {
          throw new OperatingError('signal-query', 'the query answered in part only', { retryable: true });
        }
        const table = result.tables[0];
        return parseSignalRows(table?.columnDescriptors.map((column) => column.name ?? '') ?? [], table?.rows ?? []);
      }),
  };
}

/** Rows with a text `region` and a boolean (or 0/1) `healthy`; anything else is a mistake in the query and refused. */
export function parseSignalRows(columns: readonly string[], rows: readonly (readonly unknown[])[]) {
  const [region, healthy] = [columns.indexOf('region'), columns.indexOf('healthy')];
  if (region < 0 || healthy < 0) {
    throw new OperatingError('signal-query', `needs columns region and healthy, has ${columns.join(', ')}`, {
      retryable: false,
    });
  }
  if (rows.length > ROWS_MAX) throw new OperatingError('signal-query', `${rows.length} rows`, { retryable: false });
  return rows.map((row) => {
    const [name, value] = [row[region], row[healthy]];
    const isBoolean = value === true || value === false || value === 0 || value === 1;
    if (typeof name !== 'string' || !isBoolean) {
      throw new OperatingError('signal-query', `row (${String(name)}, ${String(value)}) is not (text, bool)`, {
        retryable: false,
      });
    }
    return { region: name, isHealthy: value === true || value === 1 };
  });
}
