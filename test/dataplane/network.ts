// Network namespaces for data-plane tests: switches, hosts, processes inside them. Names are unique, cleaning up is certain.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface HostPlan {
  readonly name: string;
  /** Legs: switch and address with its length. */
  readonly legs: readonly (readonly [string, string])[];
  readonly routes?: readonly (readonly [string, string])[];
  readonly sysctls?: readonly string[];
}

export interface Network {
  /** A directory of this network's own. */
  readonly folder: string;
  /** Runs a command inside a host and returns its output. Throws when it fails. */
  run(host: string, argv: readonly string[], stdin?: string): string;
  /** Starts a process inside a host; it dies with the test. */
  start(host: string, argv: readonly string[], withIpc?: boolean): ChildProcess;
  namespaceOf(host: string): string;
  remove(): Promise<void>;
}

const COMMAND_MS = 20_000;
const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

export const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;

function command(argv: readonly string[], input = ''): string {
  const [program = '', ...args] = argv;
  return execFileSync(program, args, {
    input,
    encoding: 'utf8',
    timeout: COMMAND_MS,
    env: { ...process.env, PATH },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export function createNetwork(switches: readonly string[], hosts: readonly HostPlan[]): Network {
  const prefix = `dp${process.pid}${randomBytes(2).toString('hex')}`;
  const namespaceOf = (host: string) => `${prefix}-${host}`;
  const folder = mkdtempSync(join(tmpdir(), `${prefix}-`));
  const children = new Set<ChildProcess>();
  const inside = (host: string) => ['nsenter', `--net=/run/netns/${namespaceOf(host)}`, '--'];
  const run = (host: string, argv: readonly string[], stdin?: string) => command([...inside(host), ...argv], stdin);
  const all = ['sw', ...hosts.map((host) => host.name)];

  const remove = async () => {
    await Promise.all([...children].map(end));
    for (const host of all) {
      for (const pid of pidsIn(namespaceOf(host))) signal(pid);
    }
    for (const host of all) {
      try {
        command(['ip', 'netns', 'del', namespaceOf(host)]);
      } catch {
        // Never made: the network failed half-way, and that failure is the one worth showing.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    for (const host of all) command(['ip', 'netns', 'add', namespaceOf(host)]);
    for (const name of switches) {
      run('sw', ['ip', 'link', 'add', name, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0']);
      run('sw', ['ip', 'link', 'set', name, 'up']);
    }
    for (const host of hosts) createHost(host);
  } catch (error) {
    void remove();
    throw error;
  }

  function createHost(host: HostPlan): void {
    const sysctls = [
      'net.ipv6.conf.all.disable_ipv6=1',
      'net.ipv6.conf.default.disable_ipv6=1',
      ...(host.sysctls ?? []),
    ];
    run(host.name, ['sysctl', '-q', '-w', ...sysctls]);
    run(host.name, ['ip', 'link', 'set', 'lo', 'up']);
    for (const [to, address] of host.legs) {
      const end = `${to}.${host.name}`.slice(0, 15);
      command([
        'ip',
        ...['link', 'add', end, 'netns', namespaceOf('sw'), 'type', 'veth'],
        ...['peer', 'name', to, 'netns', namespaceOf(host.name)],
      ]);
      run('sw', ['ip', 'link', 'set', end, 'master', to, 'up']);
      run(host.name, ['ip', 'addr', 'add', address, 'dev', to]);
      run(host.name, ['ip', 'link', 'set', to, 'up']);
    }
    for (const [to, via] of host.routes ?? []) run(host.name, ['ip', 'route', 'add', to, 'via', via]);
  }

  return {
    folder,
    run,
    namespaceOf,
    remove,
    start: (host, argv, withIpc = false) => {
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inside(host), ...argv], {
        stdio: ['ignore', 'pipe', 'inherit', ...(withIpc ? (['ipc'] as const) : [])],
        env: { ...process.env, PATH },
      });
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    },
  };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function pidsIn(namespace: string): number[] {
  try {
    return command(['ip', 'netns', 'pids', namespace]).split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between listing and killing: that is what was wanted.
  }
}

/** Asks until the answer is defined, at most this long. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  withinMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
