// Starts, signals and ends the lab's child processes. Each child ends by itself when its channel to the lab closes, so
// that none survives the lab, however the lab ends.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { OperatingError } from '../../shared/errors.ts';

export type ChildState = 'starting' | 'running' | 'frozen' | 'dead';

export interface ChildOptions {
  readonly name: string;
  /** The module to run, absolute. */
  readonly module: string;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Largest old generation of the child's heap. */
  readonly heapMegabytes: number;
  /** Room for young objects (a semi-space); 1 when absent. */
  readonly youngMegabytes?: number;
  /** Its output goes to `<name>.log` there. */
  readonly logFolder: string;
  /** The message that says it is ready; rejects the start when it takes longer. */
  readonly readySeconds?: number;
  readonly onMessage?: (message: unknown) => void;
  /** Called when it ended without having been told to. */
  readonly onExit?: (how: string) => void;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  /** What it said with its `ready` message. */
  readonly ready: Readonly<Record<string, unknown>>;
  state(): ChildState;
  send(message: object): void;
  /** SIGSTOP, until `thaw` or the end of the lab. */
  freeze(): void;
  thaw(): void;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL when it takes too long. */
  stop(): Promise<void>;
}

const READY_SECONDS = 30;
const STOP_MS = 5000;

/** Resolves when the child has sent `{type:'ready', ...}`. */
export async function startChild(options: ChildOptions): Promise<Child> {
  // A file, not a pipe: a child must be able to write its last words when nobody reads any more.
  const log = openSync(join(options.logFolder, `${options.name}.log`), 'a');
  const child = fork(options.module, [...(options.args ?? [])], {
    stdio: ['ignore', log, log, 'ipc'],
    execArgv: [
      '--disable-warning=ExperimentalWarning',
      `--max-semi-space-size=${options.youngMegabytes ?? 1}`,
      `--max-old-space-size=${options.heapMegabytes}`,
    ],
    env: { ...process.env, ...options.environment },
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await waitUntilReady(child, options);
  return control(child, ready, gone, options);
}

function waitUntilReady(child: ChildProcess, options: ChildOptions): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(patience);
      child.kill('SIGKILL');
      reject(
        new OperatingError('not-started', `${options.name} ${why}; see ${join(options.logFolder, options.name)}.log`, {
          retryable: false,
        }),
      );
    };
    const seconds = options.readySeconds ?? READY_SECONDS;
    const patience = setTimeout(() => fail(`was not ready within ${seconds} s`), seconds * 1000);
    const onExit = (code: number | null, signal: string | null) => fail(`ended at start (${signal ?? code})`);
    const onMessage = (message: unknown) => {
      if (!isReady(message)) return;
      clearTimeout(patience);
      child.off('exit', onExit).off('message', onMessage);
      resolve(message);
    };
    child.on('exit', onExit).on('message', onMessage);
    child.once('error', (error) => fail(error.message));
  });
}

const isReady = (message: unknown): message is Record<string, unknown> =>
  typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'ready';

function control(
  child: ChildProcess,
  ready: Readonly<Record<string, unknown>>,
  gone: Promise<void>,
  options: ChildOptions,
): Child {
  const pid = child.pid ?? 0;
  let guard: ChildProcess | undefined;
  let isExpected = false;
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  const thaw = () => {
    if (guard === undefined) return;
    guard.stdin?.end();
    guard = undefined;
    if (isAlive()) child.kill('SIGCONT');
  };
  if (options.onMessage !== undefined) child.on('message', options.onMessage);
  child.once('exit', (code, signal) => {
    thaw();
    if (!isExpected) options.onExit?.(signal ?? `exit code ${code}`);
  });
  const end = async (signal: NodeJS.Signals) => {
    isExpected = true;
    if (isAlive()) child.kill(signal);
    thaw();
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(patience);
  };
  return {
    name: options.name,
    pid,
    ready,
    state: () => (!isAlive() ? 'dead' : guard === undefined ? 'running' : 'frozen'),
    send: (message) => {
      if (isAlive() && child.connected) child.send(message, () => undefined);
    },
    freeze: () => {
      if (!isAlive() || guard !== undefined) return;
      guard = startThawGuard(pid);
      child.kill('SIGSTOP');
    },
    thaw,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  };
}

/** A stopped process cannot notice that the lab is gone: this one waits for its pipe to close and lets it go on. */
function startThawGuard(pid: number): ChildProcess {
  const guard = spawn('/bin/sh', ['-c', 'read _; kill -CONT "$1"', 'sh', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  return guard;
}
