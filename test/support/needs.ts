// Suites that need system packages or root: run when they are there, skipped by name locally, failing under CI.
import { execFileSync } from 'node:child_process';
import { describe, test } from '@jest/globals';

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

/** `describe`, but only where the needs are met. Under CI an unmet need is a failure, not a skip. */
export function describeWith(needs: Needs, name: string, body: () => void): void {
  const absent = missing(needs);
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${name}: needs ${absent.join(', ')}`;
  if (process.env.CI) {
    test(reason, () => {
      throw new Error(`${absent.join(', ')} missing under CI`);
    });
    return;
  }
  const skipped = describe.skip;
  skipped(reason, body);
}
