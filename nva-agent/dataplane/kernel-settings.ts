// Kernel settings (sysctl) the data plane needs: remembered before they are changed, put back when no longer needed.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { OperatingError } from '../../shared/errors.ts';
import type { Execute } from './execution.ts';
import type { Applied } from './nftables.ts';

export type Settings = Readonly<Record<string, string>>;

export const FORWARDING: Settings = { 'net.ipv4.ip_forward': '1' };

/**
 * loose=0: a packet in mid-stream is no new connection, that is how an unknown one is told. be_liberal=1: an
 * out-of-window packet of a connection that lives here stays here; without it the other NVA would reset it.
 */
export const STRICT_TRACKING: Settings = {
  'net.netfilter.nf_conntrack_tcp_loose': '0',
  'net.netfilter.nf_conntrack_tcp_be_liberal': '1',
};
/** Each of two NVAs that share sessions may see one direction only, so no window can be checked. */
export const SHARED_TRACKING: Settings = { 'net.netfilter.nf_conntrack_tcp_be_liberal': '1' };
/** While connection tracking begins: connections that already flow are taken in as they are. */
export const LOOSE_TRACKING: Settings = { 'net.netfilter.nf_conntrack_tcp_loose': '1' };

interface Change {
  readonly before: string;
  readonly ours: string;
}
type Changes = Readonly<Record<string, Change>>;

/** Brings the settings named here to their values, and puts back those that were named before and are no longer. */
export async function applySettings(execute: Execute, folder: string, wanted: Settings): Promise<Applied> {
  const file = join(folder, 'kernel-settings.json');
  const known = await readChanges(file);
  const dropped = Object.entries(known).filter(([name]) => wanted[name] === undefined);
  const next: Record<string, Change> = {};
  for (const [name, value] of Object.entries(wanted)) {
    next[name] = { before: known[name]?.before ?? (await readSetting(execute, name)), ours: value };
  }
  // Written before anything changes: a crash in between must not lose what stood here.
  if (JSON.stringify(next) !== JSON.stringify(known)) await writeChanges(file, { ...known, ...next });
  let isChanged = dropped.length > 0;
  for (const [name, value] of Object.entries(wanted)) {
    if (await writeSetting(execute, name, value)) isChanged = true;
  }
  for (const [name, change] of dropped) await putBack(execute, name, change);
  if (dropped.length > 0) await writeChanges(file, next);
  return isChanged ? 'changed' : 'unchanged';
}

/** Only what still stands as we left it: a value changed since is somebody's wish. */
async function putBack(execute: Execute, name: string, change: Change): Promise<void> {
  if ((await readSetting(execute, name)) === change.ours) await writeSetting(execute, name, change.before);
}

/** The value of a kernel setting as it stands. Throws OperatingError. */
export async function readSetting(execute: Execute, name: string): Promise<string> {
  return (await execute(['sysctl', '-n', name])).trim();
}

/** Sets it if it differs, and says whether it did. Throws OperatingError when it does not hold. */
export async function writeSetting(execute: Execute, name: string, value: string): Promise<boolean> {
  if ((await readSetting(execute, name)) === value) return false;
  await execute(['sysctl', '-q', '-w', `${name}=${value}`]);
  const standing = await readSetting(execute, name);
  if (standing !== value) {
    throw new OperatingError('not-applied', `${name} is ${standing} after it was set to ${value}`, { retryable: true });
  }
  return true;
}

async function readChanges(file: string): Promise<Changes> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Changes;
  } catch {
    return {};
  }
}

async function writeChanges(file: string, changes: Changes): Promise<void> {
  if (Object.keys(changes).length === 0) await rm(file, { force: true });
  else await writeFileAtomic(file, JSON.stringify(changes));
}
