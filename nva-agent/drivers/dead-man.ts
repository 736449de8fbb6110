// A tiny process that outlives the agent: when the pipe to it closes without a goodbye, or falls silent, it carries out
// the last will.
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

/** The agent says this often that its event loop turns. */
export const BEAT_MS = 250;
/** After so much silence the agent may be frozen ... */
export const SILENCE_MS_MAX = 2000;
/** ... unless the whole machine was: then it gets this moment to speak first. */
export const SECOND_LOOK_MS = 700;
const BEAT = '.';
const UNHEARD_BYTES_MAX = 1024;
/** A dead man that died itself is replaced after this long; one that did its work on a frozen agent, too. */
const REPLACE_MS = 1000;
const RELEASE_MS_MAX = 2000;

/** bash, because only its `read` waits for a bounded time without another process. Above 128 it has waited in vain. */
const LISTEN = `trap '' TERM INT HUP
last=
while :; do
  IFS= read -r -t "$1" line
  status=$?
  if [ $status -gt 128 ]; then
    IFS= read -r -t "$2" line
    status=$?
  fi
  [ $status = 0 ] || break
  [ "$line" = ${BEAT} ] || last=$line
done
[ "$last" = bye ] && exit 0
shift 2
`;

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
    const patience = [SILENCE_MS_MAX, SECOND_LOOK_MS].map((ms) => String(ms / 1000));
    const argv = ['anycast-dead-man', ...patience, ...will.argv.map(plainText)];
    child = spawn('/bin/bash', ['-c', `${LISTEN}${will.script}`, ...argv], {
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
  const beating = setInterval(() => {
    // A dead man that does not listen must not make a queue.
    if ((child.stdin?.writableLength ?? 0) < UNHEARD_BYTES_MAX) child.stdin?.write(`${BEAT}\n`);
  }, BEAT_MS);
  return {
    note: (line) => {
      if (line === last) return;
      last = plainText(line);
      child.stdin?.write(`${last}\n`);
    },
    release: async () => {
      isReleased = true;
      clearTimeout(replacing);
      clearInterval(beating);
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
      clearInterval(beating);
      child.stdin?.end();
    },
  };
}
