// Short stories by the dozen and every seed that ever showed something; the long ones are `npm run sim`.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { installedMutants } from './mutants-fit.ts';

const run = promisify(execFile);
const MINUTES_OF_REAL_TIME = 10;

describe('simulation', () => {
  test(
    '200 seeds break no promise',
    async () => {
      const command = ['run', '-s', 'sim', '--', '--seeds', '200', '--minutes', '12'];
      const { stdout } = await run('npm', command).catch((error: { stdout: string }) => error);
      expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')).toMatchObject({ failed: 0, failedSeeds: [] });
    },
    MINUTES_OF_REAL_TIME * 60_000,
  );

  test('every mutant still finds the text it replaces', () => {
    expect(installedMutants().filter(({ problem }) => problem !== undefined)).toEqual([]);
  });
});
