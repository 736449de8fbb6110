// Ships audit records to Log Analytics (@azure/monitor-ingestion).
import type { TokenCredential } from '@azure/identity';
import {
  type AggregateLogsUploadError,
  isAggregateLogsUploadError,
  LogsIngestionClient,
} from '@azure/monitor-ingestion';
import { AUDIT_STREAM, type AuditRecord } from '../../shared/audit.ts';
import type { AuditSink, UploadRefusal } from '../ports.ts';
import { operating, statusOf } from './operating-error.ts';

const UPLOAD_TIMEOUT_MS = 10_000;

export interface LogsSinkOptions {
  /** Endpoint of the data collection rule (kind Direct). */
  readonly endpoint: string;
  /** Immutable id of the rule. */
  readonly ruleId: string;
}

/**
 * What the service will never take, however often it is sent: the record is at fault, not the way there. 413 and 400
 * are; 401, 403, 404 and 429 speak of the caller or the moment.
 */
const isPermanent = (status: number | undefined): boolean => status === 400 || status === 413;

export function createLogsSink(credential: TokenCredential, options: LogsSinkOptions): AuditSink {
  const client = new LogsIngestionClient(options.endpoint, credential, { retryOptions: { maxRetries: 0 } });
  return {
    upload: (records) =>
      operating('audit-upload', async () => {
        const logs = records.map((record) => ({ ...record }));
        try {
          await client.upload(options.ruleId, AUDIT_STREAM, logs, {
            abortSignal: AbortSignal.timeout(UPLOAD_TIMEOUT_MS),
          });
          return [];
        } catch (error) {
          if (!isAggregateLogsUploadError(error)) throw error;
          return refusalsOf(error, records);
        }
      }),
  };
}

/** The SDK names the chunk that failed, so one bad record blames its whole chunk; the caller sends those singly. */
function refusalsOf(error: AggregateLogsUploadError, records: readonly AuditRecord[]): UploadRefusal[] {
  const byEventId = new Map(records.map((record) => [record.EventId, record]));
  return error.errors.flatMap(({ failedLogs, cause }) =>
    failedLogs.flatMap((log) => {
      const record = byEventId.get(String(log.EventId));
      const detail = cause?.message ?? 'no cause given';
      return record === undefined
        ? []
        : [{ record, detail: detail.slice(0, 500), permanent: isPermanent(statusOf(cause)) }];
    }),
  );
}
