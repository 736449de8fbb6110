// The ledger as a leased blob (Azure Blob Storage): lease = who may write, ETag = on top of what.
import type { ContainerClient } from '@azure/storage-blob';
import { LEASE_FRESH_MS, LEASE_SECONDS } from '../limits.ts';
import type { CommitOutcome, LedgerStore, StoredLedger, StoredSeatView } from '../ports.ts';
import { ledgerBlob, viewBlob } from '../storage-names.ts';
import { operating, statusOf } from './operating-error.ts';
import { inTime } from './storage-account.ts';

const JSON_HEADERS = { blobHTTPHeaders: { blobContentType: 'application/json' } };
/** A lease that this process holds, and when it last said so: by the wall and by a clock that nobody sets. */
interface RenewedLease {
  readonly leaseId: string;
  readonly wallMs: number;
  readonly steadyMs: number;
}

/** Whichever clock says that more time went by is believed: one may have been set, the other stood still in a pause. */
const isFresh = ({ wallMs, steadyMs }: RenewedLease): boolean =>
  Math.max(Math.abs(Date.now() - wallMs), performance.now() - steadyMs) < LEASE_FRESH_MS;

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

/** @param seats names of all seats: each leaves its view beside the ledger. */
export function createBlobLedger(container: ContainerClient, seats: readonly string[]): LedgerStore {
  const leases = new Map<string, RenewedLease>();

  const put = (name: string, text: string, conditions: object) =>
    container
      .getBlockBlobClient(name)
      .upload(text, Buffer.byteLength(text), { ...JSON_HEADERS, ...inTime(), conditions });

  async function read(group: string): Promise<StoredLedger> {
    try {
      const got = await container.getBlobClient(ledgerBlob(group)).download(0, undefined, inTime());
      return { type: 'found', text: await bodyText(got.readableStreamBody), etag: got.etag ?? '' };
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      leases.delete(group);
      return { type: 'absent' };
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

  /**
   * Acquiring with the id that already holds the lease renews it, so instances of one seat share it. One renewed a
   * moment ago is held still; were it not, the commit would tell.
   */
  async function hold(group: string, leaseId: string): Promise<'held' | 'taken' | 'absent'> {
    const known = leases.get(group);
    if (known?.leaseId === leaseId && isFresh(known)) return 'held';
    leases.delete(group);
    const asked = { leaseId, wallMs: Date.now(), steadyMs: performance.now() };
    try {
      await container
        .getBlobClient(ledgerBlob(group))
        .getBlobLeaseClient(leaseId)
        .acquireLease(LEASE_SECONDS, inTime());
      leases.set(group, asked);
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
      leases.delete(group);
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

  async function readViews(group: string, except?: string): Promise<StoredSeatView[]> {
    const wanted = seats.filter((seat) => seat !== except);
    const views = await Promise.all(wanted.map((seat) => readView(viewBlob(group, seat))));
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
    readViews: (group, except) => operating('view-read', () => readViews(group, except)),
  };
}

async function bodyText(body: NodeJS.ReadableStream | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body ?? []) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
