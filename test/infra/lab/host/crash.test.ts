// Kills the host with SIGKILL at its commit points: after a restart nothing is lost and nothing is applied twice.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { HistoryEvent } from '../../../../infra/lab/host/wire.ts';
import { checkHistory } from './check-history.ts';

// Far more than it takes: a busy machine must not fail the test.
jest.setTimeout(240_000);

const CHILD = join(import.meta.dirname, 'fixtures', 'crash-child.ts');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'host-crash-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

interface Outcome {
  readonly outcome: {
    status: string;
    output: { log: { fan: number[]; child: number; count: number }[]; go: string };
  }[];
  readonly children: { id: string; status: string; history: HistoryEvent[] }[];
  readonly left: { activities: string[]; entities: string[] };
}

/** What must hold however often the host was killed. */
function checkOutcome({ outcome, children, left }: Outcome): void {
  for (const { status, output } of outcome) {
    expect(status).toBe('Completed');
    expect(output.go).toBe('gone');
    expect(output.log.map(({ fan, child }) => [fan, child])).toEqual([
      [[1, 2, 3], 1],
      [[1, 2, 3], 2],
    ]);
  }
  // Two journeys of two rounds count to four together: each operation was applied exactly once.
  const counts = outcome.flatMap(({ output }) => output.log.map(({ count }) => count));
  expect(counts.toSorted()).toEqual([1, 2, 3, 4]);
  // Two journeys, and one child for each round.
  expect(children.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'Completed'));
  for (const { history } of children) checkHistory(history);
  expect(left).toEqual({ activities: [], entities: [] });
}

describe('kill -9', () => {
  test.each([
    ['start:before', '1'],
    ['turn:before', '12'],
    ['turn:after', '3'],
    ['activity:before', '1'],
    ['entity:before', '1'],
  ])('at %s (time %s) loses nothing and applies nothing twice', async (point, count) => {
    const hub = join(directory, `${point.replace(':', '-')}-${count}.db`);
    expect(await run(hub, point, count)).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    const { code, stdout, stderr } = await run(hub);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    checkOutcome(JSON.parse(stdout) as Outcome);
  });

  test('again and again, at every kind of commit point', async () => {
    const hub = join(directory, 'again.db');
    const points = [
      ['start:after', '1'],
      ['turn-begin:after', '2'],
      ['turn:before', '3'],
      ['activity-begin:after', '2'],
      ['activity:after', '2'],
      ['turn:after', '4'],
      ['entity-begin:after', '1'],
      ['entity:after', '1'],
    ] as const;
    for (const [point, count] of points) {
      expect({ point, signal: (await run(hub, point, count)).signal }).toEqual({ point, signal: 'SIGKILL' });
    }
    const { code, stdout, stderr } = await run(hub);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    checkOutcome(JSON.parse(stdout) as Outcome);
  });

  test('a task hub has one owner at a time', async () => {
    const hub = join(directory, 'owned.db');
    const { TaskHub } = await import('../../../../infra/lab/host/task-hub.ts');
    const owner = new TaskHub(hub);
    owner.transaction('start', () => undefined);
    const second = await run(hub);
    owner.close();
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('database is locked');
  });
});
