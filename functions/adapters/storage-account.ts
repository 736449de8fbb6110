// Opens the witness account: a connection string for a local one, otherwise the managed identity.
import { TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { operating, statusOf } from './operating-error.ts';

/** Every call to storage ends within this time: an evaluation must not hang on it. */
export const STORAGE_TIMEOUT_MS = 4_000;

export type StorageAccount =
  | { readonly type: 'connection-string'; readonly text: string }
  | { readonly type: 'identity'; readonly blobUrl: string; readonly credential: TokenCredential };

/**
 * Retrying what failed is the orchestrations' business. But a connection the other end has closed for being idle fails the
 * one call that meets it there, and says nothing of storage: that call is made once more, at once. All writes can be repeated.
 */
const BLOB_RETRY = { maxTries: 2, retryDelayInMs: 50, tryTimeoutInMs: STORAGE_TIMEOUT_MS };
const TABLE_RETRY = { maxRetries: 1, retryDelayInMs: 50, maxRetryDelayInMs: 200 };

export function containerOf(account: StorageAccount, name: string): ContainerClient {
  const retryOptions = BLOB_RETRY;
  const service =
    account.type === 'connection-string'
      ? BlobServiceClient.fromConnectionString(account.text, { retryOptions })
      : new BlobServiceClient(account.blobUrl, account.credential, { retryOptions });
  return service.getContainerClient(name);
}

export function tableOf(account: StorageAccount, name: string): TableClient {
  const options = { retryOptions: TABLE_RETRY, allowInsecureConnection: true };
  return account.type === 'connection-string'
    ? TableClient.fromConnectionString(account.text, name, options)
    : new TableClient(tableUrl(account.blobUrl), name, account.credential, { retryOptions: TABLE_RETRY });
}

/** The table endpoint beside a blob endpoint: `https://x.blob.core.windows.net` -> `https://x.table.core.windows.net`. */
export const tableUrl = (blobUrl: string): string => blobUrl.replace('.blob.', '.table.').replace(/\/$/, '');

export const inTime = (): { abortSignal: AbortSignal } => ({ abortSignal: AbortSignal.timeout(STORAGE_TIMEOUT_MS) });

/** Runs it; creates the table and runs it again when there is none yet. */
export async function withTable<T>(table: TableClient, what: string, run: () => Promise<T>): Promise<T> {
  return operating(what, async () => {
    try {
      return await run();
    } catch (error) {
      if (statusOf(error) !== 404 || (error as { code?: string }).code === 'ResourceNotFound') throw error;
      await table.createTable(inTime());
      return await run();
    }
  });
}
