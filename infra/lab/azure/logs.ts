// Stands in for Log Analytics: takes records of the Logs Ingestion API, and answers queries with what it is told.
import { gunzipSync } from 'node:zlib';
import { type Answer, type Endpoint, type Exchange, failed } from './exchange.ts';

export type LogRecord = Readonly<Record<string, unknown>>;

export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface LogsOptions {
  /** Answers Log Analytics queries; absent: an empty table. */
  readonly query?: (workspace: string, kql: string) => QueryAnswer;
}

export interface Logs {
  readonly endpoint: Endpoint;
  /** Everything that arrived, in order; duplicates included, as in the real table. */
  records(): readonly LogRecord[];
  setDown(isDown: boolean): void;
  isDown(): boolean;
  /** Records that are refused for good (400), to see that one bad record stops nobody else. */
  refuse(isBad: (record: LogRecord) => boolean): void;
  clear(): void;
}

/** Per call, packed or not (Azure Monitor limits, custom logs). */
const CALL_BYTES_MAX = 1024 * 1024;
const INGEST = /^\/dataCollectionRules\/([^/]+)\/streams\/([^/]+)$/;
const QUERY = /^(?:\/v1)?\/workspaces\/([^/]+)\/query$/;

export function createLogs(options: LogsOptions = {}): Logs {
  let kept: LogRecord[] = [];
  let down = false;
  let isBad: (record: LogRecord) => boolean = () => false;

  function ingest({ body, headers }: Exchange): Answer {
    if (body.length > CALL_BYTES_MAX) return failed(413, 'ContentLengthLimitExceeded', 'more than 1 MB');
    const plain =
      headers['content-encoding'] === 'gzip' ? gunzipSync(body, { maxOutputLength: 16 * CALL_BYTES_MAX }) : body;
    const records: unknown = JSON.parse(plain.toString('utf8'));
    if (!Array.isArray(records)) return failed(400, 'InvalidRequestFormat', 'an array of records is wanted');
    if (records.some((record) => isBad(record as LogRecord)))
      return failed(400, 'InvalidRecord', 'a record is not acceptable');
    kept.push(...(records as LogRecord[]));
    return { status: 204 };
  }

  function query(workspace: string, body: Buffer): Answer {
    const { query: kql } = JSON.parse(body.toString('utf8')) as { query: string };
    const answer = options.query?.(workspace, kql) ?? { columns: [], rows: [] };
    return { status: 200, json: { tables: [{ name: 'PrimaryResult', columns: answer.columns, rows: answer.rows }] } };
  }

  return {
    endpoint: (exchange) => {
      const [, workspace] = QUERY.exec(exchange.url.pathname) ?? [];
      const isIngest = INGEST.test(exchange.url.pathname);
      if (exchange.method !== 'POST' || (workspace === undefined && !isIngest)) return undefined;
      if (down) return failed(503, 'ServiceUnavailable', 'ingestion is down');
      if (!exchange.headers.authorization?.startsWith('Bearer '))
        return failed(401, 'AuthenticationFailed', 'no token');
      return workspace === undefined ? ingest(exchange) : query(workspace, exchange.body);
    },
    records: () => kept,
    setDown: (isDown) => {
      down = isDown;
    },
    isDown: () => down,
    refuse: (predicate) => {
      isBad = predicate;
    },
    clear: () => {
      kept = [];
    },
  };
}
