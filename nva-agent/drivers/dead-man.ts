// A tiny process that outlives the agent: when the pipe to it closes without a goodbye, it carries out the last will.
import { type ChildProcess, spawn } from 'node:child_process';
import { plainText } from './daemon-text.ts';
import type { LastWill } from './route-daemon.ts';

export interface DeadMan {
  /** What is at stake from now on, one line. */
  note(line: string): void;
  /** The agent leaves in peace: nothing is left to be withdrawn. Resolves when the process has ended. */
  release(): Promise<void>;
  /** The agent leaves and could not withdraw: the last will is carried out now. */
  abandon(): void;
}

/** A dead man that died itself is replaced after this long. */
const REPLACE_MS = 1000;
const RELEASE_MS_MAX = 2000;

/**
 * Starts it in a session of its own, so that neither a terminal's Ctrl-C nor the end of the agent's process group
 * reaches it; it ignores SIGTERM, so that systemd's KillMode=control-group leaves it its moment.
 */
export function startDeadMan(will: LastWill, onTrouble: (reason: string) => void): DeadMan {
  let last = '';
  let isReleased = false;
  let child: ChildProcess;
  let replacing: NodeJS.Timeout | undefined;
  const start = () => {
    child = spawn('/bin/sh', ['-c', will.script, 'anycast-dead-man', ...will.argv.map(plainText)], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.unref();
    // Its end shows as an exit.
    child.stdin?.on('error', () => undefined);
    const replace = () => {
      if (isReleased) return;
      onTrouble('the dead-man process ended; it is started again');
      replacing = setTimeout(start, REPLACE_MS);
    };
    child.once('exit', replace);
    child.once('error', replace);
    child.stdin?.write(`${last}\n`);
  };
  start();
  return {
    note: (line) => {
      if (line === last) return;
      last = plainText(line);
      child.stdin?.write(`${last}\n`);
    },
    release: async () => {
      isReleased = true;
      clearTimeout(replacing);
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      const grace = setTimeout(() => child.kill('SIGKILL'), RELEASE_MS_MAX);
      child.stdin?.end('bye\n');
      await ended;
      clearTimeout(grace);
    },
    abandon: () => {
      isReleased = true;
      clearTimeout(replacing);
      child.stdin?.end();
    },
  };
}
