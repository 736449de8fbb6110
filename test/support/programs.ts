// Which of the programs and rights that something needs are missing on this machine.
import { execFileSync } from 'node:child_process';

export interface Needs {
  /** Absolute paths or names on PATH of programs the suite starts. */
  readonly programs: readonly string[];
  /** Network namespaces and ports below 1024 need root. */
  readonly root?: boolean;
}

function isPresent(program: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v "$1"`, 'sh', program], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/lib/frr` },
    });
    return true;
  } catch {
    return false;
  }
}

/** What is missing here, in words; empty when the suite can run. */
export function missing(needs: Needs): string[] {
  const absent = needs.programs.filter((program) => !isPresent(program));
  return needs.root === true && process.getuid?.() !== 0 ? [...absent, 'root'] : absent;
}
