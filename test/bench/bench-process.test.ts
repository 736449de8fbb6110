// A benchmark in its own process: its figures arrive, one that throws or does not end is an outcome, and nothing stays.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { until } from '../support/until.ts';
import { runBenchProcess } from './bench-process.ts';

const LIMIT_SECONDS = 60;
let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-process-'));
  file = join(folder, 'bench.ts');
  writeFileSync(
    file,
    `import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { serveBench } from '${join(import.meta.dirname, 'bench-process.ts')}';
await serveBench(async () => {
  const name = process.argv[3];
  if (name === 'throws') throw new Error('no such daemon');
  if (name === 'dies') process.kill(process.pid, 'SIGKILL');
  if (name === 'hangs') {
    const daemon = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    writeFileSync('${join(folder, 'pid')}', String(daemon.pid));
    await new Promise(() => setInterval(() => undefined, 1000));
  }
  setInterval(() => undefined, 1000);
  return [{ name, value: Number.POSITIVE_INFINITY, unit: 's' }];
});
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
jest.setTimeout(2 * LIMIT_SECONDS * 1000);

test('tells its figures, and leaves though something is still open', async () => {
  expect(await runBenchProcess(file, 'well', LIMIT_SECONDS)).toEqual({
    type: 'measured',
    results: [{ name: 'well', value: Number.POSITIVE_INFINITY, unit: 's' }],
  });
});

test.each([
  ['throws', 'ended with 1'],
  ['dies', 'ended with SIGKILL'],
])('one that %s is an outcome', async (name, reason) => {
  expect(await runBenchProcess(file, name, LIMIT_SECONDS)).toEqual({ type: 'failed', reason });
});

test('one that does not end is ended with the daemons it started', async () => {
  // Long enough that the daemon runs by then on any machine; the outcome is the same if it does not.
  const limitSeconds = 3;
  const outcome = await runBenchProcess(file, 'hangs', limitSeconds);
  expect(outcome).toEqual({ type: 'failed', reason: `not within ${limitSeconds} s` });
  await until('the daemon is gone', () => !isAlive(pidOfDaemon()), LIMIT_SECONDS * 1000, 50);
});

/** Undefined on a machine so slow that the benchmark was ended before it began. */
function pidOfDaemon(): number | undefined {
  try {
    return Number(readFileSync(join(folder, 'pid'), 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    // A killed orphan that nobody has reaped yet is a zombie, and no process any more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
