// `npm run chaos` as a person runs it: both seats of the lab under random faults, clients served all along, chain whole.
// CHAOS_MINUTES makes it longer; the seed is always the same.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const MINUTES = Number(process.env.CHAOS_MINUTES ?? 0.5);
const SEED = 5;
/** Promises are judged, not speed: other suites keep this machine busy, so bounds in time are four times as long. */
const PATIENCE = 4;
/** Start, the last round's end, and coming to rest. */
const AROUND_MS_MAX = 600_000;
const LIMIT_MS = MINUTES * 60_000 + AROUND_MS_MAX;

test(
  `${MINUTES} minutes of random faults break no promise`,
  async () => {
    const options = { minutes: MINUTES, seed: SEED, patience: PATIENCE };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'chaos', '--', ...args], {
      cwd: join(import.meta.dirname, '../../..'),
      timeout: LIMIT_MS,
    }).catch((error: Error & { readonly stdout: string }) => {
      throw new Error(error.stdout, { cause: error });
    });
    const result = stdout.trimEnd().split('\n').at(-1) ?? '';
    process.stdout.write(`${result}\n`);
    expect(JSON.parse(result)).toMatchObject({ ok: true, seed: SEED, violations: [] });
  },
  LIMIT_MS,
);
