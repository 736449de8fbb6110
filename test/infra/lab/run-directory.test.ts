// Run directories: one's own is made, a dead run's is removed, a living one's and a kept one stay.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeRunDirectory } from '../../../infra/lab/run-directory.ts';

test('what a killed run left is removed by the next one, nothing else is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anycast-runs-'));
  const dead = join(folder, `run-${spawnSync(process.execPath, ['-e', '']).pid}-abc`);
  const living = join(folder, `run-${process.ppid}-abc`);
  const kept = join(folder, 'kept-abc');
  for (const directory of [dead, living, kept]) mkdirSync(directory);
  const made = makeRunDirectory(folder, false);
  expect(basename(made)).toMatch(new RegExp(`^run-${process.pid}-`));
  expect([dead, living, kept, made].map((directory) => existsSync(directory))).toEqual([false, true, true, true]);
});

test('a kept run has a name that later runs leave alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anycast-runs-'));
  expect(basename(makeRunDirectory(folder, true))).toMatch(/^kept-/);
});
