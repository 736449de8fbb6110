// Applies one of our nftables tables: checked first, in one transaction, read back, and left alone when it already stands.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { OperatingError } from '../../shared/errors.ts';
import type { Execute } from './execution.ts';

export interface TableChange {
  readonly table: string;
  /** The text for `nft -f` that replaces the table, or undefined when there shall be none. */
  readonly ruleset: string | undefined;
}

export type Applied = 'unchanged' | 'changed';

/** What was applied and how the kernel then showed it, so that a change by anybody else is noticed. */
interface TableRecord {
  readonly ruleset: string;
  readonly readBack: string;
}

/**
 * Brings one table to what is wanted. Throws OperatingError when the ruleset is refused (nothing was touched then),
 * cannot be applied (one transaction: nothing was touched either) or does not stand afterwards.
 */
export async function applyTable(execute: Execute, folder: string, change: TableChange): Promise<Applied> {
  const standing = await listTable(execute, change.table);
  const record = recordFile(folder, change.table);
  if (change.ruleset === undefined) {
    if (standing === undefined) return 'unchanged';
    await execute(['nft', 'delete', 'table', 'ip', change.table]);
    await rm(record, { force: true });
    return 'changed';
  }
  const known = await readRecord(record);
  if (standing !== undefined && known?.ruleset === change.ruleset && known.readBack === standing) return 'unchanged';
  await execute(['nft', '-c', '-f', '-'], { stdin: change.ruleset });
  await execute(['nft', '-f', '-'], { stdin: change.ruleset });
  const readBack = await listTable(execute, change.table);
  if (readBack === undefined) {
    throw new OperatingError('not-applied', `table ip ${change.table} is not there after it was applied`, {
      retryable: true,
    });
  }
  await writeFileAtomic(record, JSON.stringify({ ruleset: change.ruleset, readBack } satisfies TableRecord));
  return 'changed';
}

/** The table as the kernel shows it, without counters and elements; undefined when there is none. */
export async function listTable(execute: Execute, table: string): Promise<string | undefined> {
  const tables = await execute(['nft', 'list', 'tables', 'ip']);
  if (!tables.split('\n').includes(`table ip ${table}`)) return undefined;
  return execute(['nft', '-s', '-t', 'list', 'table', 'ip', table]);
}

const recordFile = (folder: string, table: string): string => join(folder, `${table}.json`);

async function readRecord(file: string): Promise<TableRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TableRecord;
  } catch {
    // Absent or damaged: then the table is applied once more, which does no harm.
    return undefined;
  }
}

interface RawCounter {
  readonly counter?: { readonly name?: string; readonly packets?: number; readonly bytes?: number };
}

export interface Counter {
  readonly packets: number;
  readonly bytes: number;
}

/** Named counters of one table. */
export async function readCounters(execute: Execute, table: string): Promise<Map<string, Counter>> {
  const json = await execute(['nft', '-j', 'list', 'counters', 'table', 'ip', table]);
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly RawCounter[] };
  return new Map(
    nftables.flatMap(({ counter }) =>
      counter?.name ? [[counter.name, { packets: counter.packets ?? 0, bytes: counter.bytes ?? 0 }] as const] : [],
    ),
  );
}
