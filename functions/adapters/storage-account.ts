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

/** Retrying is the orchestrations' business: each call is tried once. */
export function containerOf(account: StorageAccount, name: string): ContainerClient {
  const retryOptions = { maxTries: 1, tryTimeoutInMs: STORAGE_TIMEOUT_MS };
  const service =
    account.type === 'connection-string'
      ? BlobServiceClient.fromConnectionString(account.text, { retryOptions })
      : new BlobServiceClient(account.blobUrl, account.credential, { retryOptions });
  return service.getContainerClient(name);
}

export function tableOf(account: StorageAccount, name: string): TableClient {
  const options = { retryOptions: { maxRetries: 0 }, allowInsecureConnection: true };
  return account.type === 'connection-string'
    ? TableClient.fromConnectionString(account.text, name, options)
    : new TableClient(tableUrl(account.blobUrl), name, account.credential, { retryOptions: { maxRetries: 0 } });
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
