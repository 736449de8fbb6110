// The directory of one run: made, removed, and what a run that was killed has left removed by the next one.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const RUN = /^run-(\d+)-/;

/** Makes a directory for this process in `folder`. A kept one has a name that no later run takes for a leftover. */
export function makeRunDirectory(folder: string, keep: boolean): string {
  mkdirSync(folder, { recursive: true });
  removeLeftovers(folder);
  return mkdtempSync(join(folder, keep ? 'kept-' : `run-${process.pid}-`));
}

/** Removes the directories of runs whose process is gone. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const pid = RUN.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process lives too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
