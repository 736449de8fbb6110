// Starts, signals and ends the processes of the lab, each in its namespace, each gone when the lab is gone.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatingError } from '../../../shared/errors.ts';
import { inNamespace } from './namespaces.ts';

/** A process that has not ended this long after SIGTERM gets SIGKILL. */
const STOP_MS = 3000;
/** Lowest real-time priority (sched(7)): before all ordinary processes. */
const PREFERRED = ['chrt', '--rr', '1'] as const;
const SBIN = '/usr/local/sbin:/usr/sbin:/sbin';

export interface LabProcess {
  readonly name: string;
  readonly pid: number;
  /** Present when started with `ipc`. */
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  isRunning(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, then SIGKILL when it takes too long. */
  stop(): Promise<void>;
}

export interface ProcessOptions {
  readonly name: string;
  readonly namespace: string;
  readonly argv: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
  /**
   * It stands for a machine of its own (router, NVA, application, client): the kernel runs it before anything else, so
   * that what is measured is the network and not the load of the computer the lab happens to run on.
   */
  readonly isOwnMachine?: boolean;
  /** Called with each line it writes to stdout. */
  readonly onLine?: (line: string) => void;
}

/** What starts processes of one lab and knows them all. */
export interface ProcessTable {
  start(options: ProcessOptions): LabProcess;
  running(): readonly LabProcess[];
  /** SIGKILL to everything that still runs, and wait until it is gone. Nothing can be started afterwards. */
  killAll(): Promise<void>;
}

/** Whether this user may give processes a real-time priority; containers often forbid it. */
export async function mayPreferProcesses(): Promise<boolean> {
  try {
    await promisify(execFile)(PREFERRED[0], [...PREFERRED.slice(1), 'true'], { timeout: STOP_MS });
    return true;
  } catch {
    return false;
  }
}

/** Output of each process goes to `<name>.log` in the folder. */
export function createProcessTable(folder: string, mayPrefer: boolean): ProcessTable {
  const started = new Set<LabProcess>();
  let isClosed = false;
  const running = () => [...started].filter((process) => process.isRunning());
  return {
    start: (options) => {
      if (isClosed)
        throw new OperatingError('closing', `${options.name} not started: the lab is closing`, { retryable: false });
      const preferred = mayPrefer && options.isOwnMachine === true ? PREFERRED : [];
      const process = startProcess({ ...options, argv: [...preferred, ...options.argv] }, folder);
      started.add(process);
      return process;
    },
    running,
    killAll: async () => {
      isClosed = true;
      await Promise.all(running().map((process) => process.kill()));
    },
  };
}

/** Argument vector of one of our own scripts on the runtime that runs the lab. */
export const nodeArgv = (script: string, ...args: string[]): string[] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  script,
  ...args,
];

/**
 * Starts a process in a namespace. nsenter and setpriv replace themselves by the command, so its process id is the one
 * returned; the parent-death signal ends it even when the lab is killed with SIGKILL.
 */
function startProcess(options: ProcessOptions, folder: string): LabProcess {
  const log = createWriteStream(join(folder, `${options.name}.log`), { flags: 'a' });
  const child = spawn(
    'nsenter',
    [...inNamespace(options.namespace), 'setpriv', '--pdeathsig', 'KILL', '--', ...options.argv],
    {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc === true ? (['ipc'] as const) : [])],
      env: { ...process.env, ...options.environment, PATH: `${process.env.PATH ?? ''}:${SBIN}` },
    },
  );
  if (child.pid === undefined) {
    throw new OperatingError('not-started', `${options.name} could not be started`, { retryable: false });
  }
  record(child, log, options.onLine);
  return wrap(options.name, child, child.pid);
}

function record(child: ChildProcess, log: WriteStream, onLine: ((line: string) => void) | undefined): void {
  child.stderr?.pipe(log, { end: false });
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    log.write(text);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (onLine !== undefined) for (const line of lines) onLine(line);
  });
  child.once('close', () => log.end());
  child.once('error', (error) => log.write(`${String(error)}\n`));
}

function wrap(name: string, child: ChildProcess, pid: number): LabProcess {
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const signal = (which: NodeJS.Signals) => {
    if (isRunning()) child.kill(which);
  };
  return {
    name,
    pid,
    send: (message) => {
      if (isRunning() && child.connected) child.send(message as object, () => undefined);
    },
    onMessage: (listener) => child.on('message', listener),
    isRunning,
    signal,
    kill: async () => {
      signal('SIGKILL');
      await gone;
    },
    stop: async () => {
      signal('SIGTERM');
      // A stopped process does not see SIGTERM before it goes on.
      signal('SIGCONT');
      const patience = setTimeout(() => signal('SIGKILL'), STOP_MS);
      await gone;
      clearTimeout(patience);
    },
  };
}
