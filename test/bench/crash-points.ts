// The control plane killed before and after every call of its stories: how many kills, and how many stories they spoilt.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchResult } from './result.ts';

const SUITE = 'test/functions/crash-points.test.ts';
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

/** Runs the suite at every point. Throws when a story is spoilt: an operation lost, a move doubled, a gap in the record. */
export async function benchCrashPoints(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'crash-points-'));
  const [report, count] = [join(folder, 'report.json'), join(folder, 'kills')];
  try {
    const args = [...JEST, SUITE, '--silent', '--json', '--outputFile', report];
    const env = { ...process.env, CRASH_POINTS: 'all', CRASH_POINTS_FILE: count };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    await once(child, 'exit');
    const { numFailedTests, numPassedTests } = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
    if (numFailedTests !== 0) throw new Error(`${numFailedTests} stories of ${SUITE} are spoilt by a kill`);
    const name = 'killed at every call of evaluate, operation, drill and shipping';
    return [
      { name: `${name}, kills`, value: Number(readFileSync(count, 'utf8')), unit: 'kills' },
      { name: `${name}, stories that held`, value: numPassedTests ?? 0, unit: 'stories' },
      { name: `${name}, stories spoilt`, value: numFailedTests, unit: 'stories' },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
