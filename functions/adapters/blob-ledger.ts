// The ledger as a leased blob (Azure Blob Storage): lease = who may write, ETag = on top of what.
import type { ContainerClient } from '@azure/storage-blob';
import { LEASE_SECONDS } from '../limits.ts';
import type { CommitOutcome, LedgerStore, StoredLedger, StoredSeatView } from '../ports.ts';
import { ledgerBlob, viewBlob } from '../storage-names.ts';
import { operating, statusOf } from './operating-error.ts';
import { inTime } from './storage-account.ts';

const JSON_HEADERS = { blobHTTPHeaders: { blobContentType: 'application/json' } };
/** Eight seats at most; more blobs than that are not views. */
const VIEWS_MAX = 16;
const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

export function createBlobLedger(container: ContainerClient): LedgerStore {
  const put = (name: string, text: string, conditions: object) =>
    container
      .getBlockBlobClient(name)
      .upload(text, Buffer.byteLength(text), { ...JSON_HEADERS, ...inTime(), conditions });

  async function read(group: string): Promise<StoredLedger> {
    try {
      const got = await container.getBlobClient(ledgerBlob(group)).download(0, undefined, inTime());
      return { type: 'found', text: await bodyText(got.readableStreamBody), etag: got.etag ?? '' };
    } catch (error) {
      if (statusOf(error) === 404) return { type: 'absent' };
      throw error;
    }
  }

  async function create(group: string, text: string): Promise<boolean> {
    const once = () => put(ledgerBlob(group), text, { ifNoneMatch: '*' });
    try {
      await once();
      return true;
    } catch (error) {
      if (statusOf(error) === 409 || statusOf(error) === 412) return false;
      if (statusOf(error) !== 404) throw error;
      await container.createIfNotExists(inTime());
      await once();
      return true;
    }
  }

  /** Acquiring with the id that already holds the lease renews it, so instances of one seat share it. */
  async function hold(group: string, leaseId: string): Promise<'held' | 'taken' | 'absent'> {
    try {
      await container
        .getBlobClient(ledgerBlob(group))
        .getBlobLeaseClient(leaseId)
        .acquireLease(LEASE_SECONDS, inTime());
      return 'held';
    } catch (error) {
      if (statusOf(error) === 404) return 'absent';
      if (statusOf(error) === 409) return 'taken';
      throw error;
    }
  }

  async function commit(group: string, text: string, on: { etag: string; leaseId: string }): Promise<CommitOutcome> {
    try {
      await put(ledgerBlob(group), text, { ifMatch: on.etag, leaseId: on.leaseId });
      return 'committed';
    } catch (error) {
      if (statusOf(error) !== 412) throw error;
      return codeOf(error) === 'ConditionNotMet' ? 'conflict' : 'lease-lost';
    }
  }

  async function readView(name: string): Promise<StoredSeatView | undefined> {
    try {
      const got = await container.getBlobClient(name).download(0, undefined, inTime());
      return JSON.parse(await bodyText(got.readableStreamBody)) as StoredSeatView;
    } catch (error) {
      if (statusOf(error) === 404 || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  async function readViews(group: string): Promise<StoredSeatView[]> {
    const names: string[] = [];
    try {
      for await (const blob of container.listBlobsFlat({
        prefix: viewBlob(group, '').replace(/\.json$/, ''),
        ...inTime(),
      })) {
        if (names.length < VIEWS_MAX) names.push(blob.name);
      }
    } catch (error) {
      if (statusOf(error) === 404) return [];
      throw error;
    }
    const views = await Promise.all(names.map(readView));
    return views.filter((view) => view !== undefined);
  }

  return {
    read: (group) => operating('ledger-read', () => read(group)),
    create: (group, text) => operating('ledger-create', () => create(group, text)),
    hold: (group, leaseId) => operating('ledger-lease', () => hold(group, leaseId)),
    commit: (group, text, on) => operating('ledger-commit', () => commit(group, text, on)),
    writeView: (group, view) =>
      operating('view-write', async () => {
        const text = JSON.stringify(view);
        try {
          await put(viewBlob(group, view.seat), text, {});
        } catch (error) {
          if (statusOf(error) !== 404) throw error;
          await container.createIfNotExists(inTime());
          await put(viewBlob(group, view.seat), text, {});
        }
      }),
    readViews: (group) => operating('view-read', () => readViews(group)),
  };
}

async function bodyText(body: NodeJS.ReadableStream | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body ?? []) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
