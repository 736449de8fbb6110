// The exec probe: a program of the operator's, run without a shell in a process group of its own.
import { spawn } from 'node:child_process';
import type { ProbeConfig } from '../../shared/topology-schema.ts';
import type { ProbeOutcome } from '../health/window.ts';
import { codeOf } from './own-failure.ts';

export type ExecProbe = Extract<ProbeConfig, { type: 'exec' }>;

/** Output kept for the detail of a failure; the rest is read and dropped. */
export const OUTPUT_BYTES_MAX = 400;

/** Exit status 0 passes, any other fails; a program that cannot be started tells nothing. On timeout the whole group is killed. */
export function probeExec(probe: ExecProbe, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const [program = '', ...args] = probe.argv;
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    let output = '';
    let isTimedOut = false;
    const keep = (chunk: Buffer) => {
      if (output.length < OUTPUT_BYTES_MAX) output = (output + chunk.toString('utf8')).slice(0, OUTPUT_BYTES_MAX);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const settle = (outcome: ProbeOutcome) => {
      clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => {
      isTimedOut = true;
      killGroup(child.pid);
    }, timeoutMs);
    child.once('error', (error) => settle({ type: 'unknown', detail: `cannot run ${program}: ${codeOf(error)}` }));
    child.once('exit', (status, signal) => {
      // Whatever the program started and left behind goes with it.
      killGroup(child.pid);
      const latencyMs = performance.now() - startedMs;
      if (isTimedOut) return settle({ type: 'fail', latencyMs, detail: `not done within ${timeoutMs} ms` });
      if (status === 0) return settle({ type: 'pass', latencyMs });
      const text = printable(output);
      settle({
        type: 'fail',
        latencyMs,
        detail: `${status === null ? `killed by ${signal}` : `exit ${status}`}${text === '' ? '' : `: ${text}`}`,
      });
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: the whole group is gone already, which is what was wanted.
  }
}

/** One line without control characters: what a program prints ends in logs, reports and on terminals. */
const printable = (text: string): string =>
  text
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
