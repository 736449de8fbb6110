// Starts a program in the foreground for a test, keeps the end of its log, and ends it by its own pid.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

const run = promisify(execFile);

/** More than any test needs to look at. */
const LOG_CHARACTERS_MAX = 1_000_000;
const COMMAND_MS_MAX = 20_000;
const STOP_GRACE_MS = 2000;
const READY_MS_MAX = 20_000;

export interface DaemonCommand {
  /** Absolute path: FRR and OpenBGPD both call theirs bgpd. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the program, for example `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

export interface Daemon {
  /** Everything it wrote so far, the oldest cut off. */
  log(): string;
  isRunning(): boolean;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after two seconds; resolves when it has ended. */
  stop(name?: NodeJS.Signals): Promise<void>;
}

/** Starts a daemon; it has to stay in the foreground. */
export function startDaemon({ program, args, env = {}, prefix = [] }: DaemonCommand): Daemon {
  const [file, ...rest] = [...prefix, program, ...args];
  const child: ChildProcess = spawn(file as string, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: OpenBGPD is several processes, which freeze and end together.
    detached: true,
    env: { ...process.env, ...env },
  });
  let log = '';
  const keep = (chunk: Buffer) => {
    log = (log + chunk.toString('utf8')).slice(-LOG_CHARACTERS_MAX);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => keep(Buffer.from(`${error.message}\n`)));
  const isRunning = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const signal = (name: NodeJS.Signals) => {
    if (isRunning() && child.pid !== undefined) process.kill(-child.pid, name);
  };
  return {
    log: () => log,
    isRunning,
    signal,
    stop: async (name = 'SIGTERM') => {
      if (!isRunning()) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      // A stopped process does not see SIGTERM.
      signal('SIGCONT');
      signal(name);
      const grace = setTimeout(() => signal('SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(grace);
    },
  };
}

/** Waits until a daemon answers; one that does not is stopped, and its log is the error. */
export async function untilReady(
  daemon: Daemon,
  what: string,
  isReady: () => boolean | Promise<boolean>,
): Promise<void> {
  try {
    await until(what, isReady, READY_MS_MAX, 50);
  } catch (error) {
    await daemon.stop();
    throw new Error(daemon.log(), { cause: error });
  }
}

/** Runs a command to its end and answers its output; rejects with what it wrote if it fails. */
export async function runCommand(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await run(program, [...args], {
    timeout: COMMAND_MS_MAX,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...env },
  });
  return stdout;
}

/** A new folder with the given files in it, readable by everyone (FRR drops its rights). */
export async function makeFolder(
  files: Readonly<Record<string, string>>,
): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'anycast-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text, { mode: 0o600 });
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A port that was free a moment ago, for a program that cannot be asked to choose one. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
