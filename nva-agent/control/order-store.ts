// Keeps the newest accepted order of each group on disk: written atomically before it is applied, read again at start.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { OperatingError } from '../../shared/errors.ts';
import { type Order, orderSchema } from '../../shared/order.ts';

/** What the store needs of a disk; tests give one that fails. */
export interface StateDisk {
  readonly write: (path: string, text: string) => Promise<void>;
}

/** Writes a temporary file, syncs it, renames it: a crash leaves the old file or the new one, never half of one. */
export const realDisk: StateDisk = {
  write: (path, text) => writeFileAtomic(path, text, { mode: 0o600, fsync: true }),
};

export interface LoadedOrders {
  readonly orders: readonly Order[];
  /** Files that could not be trusted; each was left where it is. */
  readonly refused: readonly { readonly file: string; readonly why: string }[];
}

const FILE_NAME = /^order-[a-z0-9][a-z0-9-]{0,62}\.json$/;
const fileOf = (directory: string, group: string): string => join(directory, `order-${group}.json`);
const checksum = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Persists an order. Throws OperatingError `not-persisted` when the disk refuses; the old file then stays. */
export async function persistOrder(directory: string, order: Order, disk: StateDisk = realDisk): Promise<void> {
  const body = JSON.stringify(order);
  const path = fileOf(directory, order.group);
  try {
    await disk.write(path, `${JSON.stringify({ v: 1, sha256: checksum(body), order: body })}\n`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OperatingError('not-persisted', `${path}: ${why}`, { retryable: true, cause });
  }
}

/** Every order this NVA once accepted and persisted. A file that does not check out is refused, not guessed at. */
export async function loadOrders(directory: string, nva: string): Promise<LoadedOrders> {
  const names = (await readdir(directory)).filter((name) => FILE_NAME.test(name)).sort();
  const orders: Order[] = [];
  const refused: { file: string; why: string }[] = [];
  for (const name of names) {
    const read = readOrder(await readFile(join(directory, name), 'utf8'), name, nva);
    if (typeof read === 'string') refused.push({ file: name, why: read });
    else orders.push(read);
  }
  return { orders, refused };
}

/** The order in a file's text, or why it is refused. */
function readOrder(text: string, name: string, nva: string): Order | string {
  try {
    const file: unknown = JSON.parse(text);
    if (typeof file !== 'object' || file === null || !('order' in file) || typeof file.order !== 'string') {
      return 'not an order file';
    }
    if (!('sha256' in file) || file.sha256 !== checksum(file.order)) return 'checksum does not match';
    const parsed = orderSchema.safeParse(JSON.parse(file.order));
    if (!parsed.success) return `malformed: ${parsed.error.issues[0]?.message}`;
    if (parsed.data.to !== nva) return `for ${parsed.data.to}, this is ${nva}`;
    return name === `order-${parsed.data.group}.json` ? parsed.data : `belongs to group ${parsed.data.group}`;
  } catch {
    return 'not JSON';
  }
}
