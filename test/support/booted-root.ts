// Boots a root directory with its own systemd, as pid 1 of namespaces of its own; the network stays the machine's.
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './until.ts';

const run = promisify(execFile);
const BOOT_MS_MAX = 120_000;
const COMMAND_MS_MAX = 120_000;

/** Joins a control group of its own, mounts what systemd wants to find, and becomes it. */
const BOOT = `set -e
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target --show-status=0
`;

export interface BootedRoot {
  /** Runs a command inside; rejects with what it wrote when it fails. */
  run(...argv: string[]): Promise<string>;
  /** Ends everything inside at once. */
  stop(): Promise<void>;
}

/** Whether the kernel lets us mount control groups of systemd's kind: some containers do not, even as root. */
export const canBoot = (): boolean =>
  spawnSync('unshare', ['--mount', '--cgroup', 'mount', '-t', 'cgroup2', 'cgroup2', '/mnt']).status === 0;

/** Resolves when systemd says that it runs. The directory holds a Debian with the package systemd. */
export async function bootRoot(root: string): Promise<BootedRoot> {
  const groups = mkdtempSync(join(tmpdir(), 'booted-'));
  execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', groups]);
  const group = join(groups, `booted-${process.pid}`);
  mkdirSync(group);
  const namespaces = ['--pid', '--fork', '--kill-child', '--mount', '--cgroup', '--uts', '--ipc'];
  const boot = spawn(
    '/bin/sh',
    ['-c', 'echo $$ > "$0/cgroup.procs"; exec unshare "$@"', group, ...namespaces, '/bin/sh', '-c', BOOT, 'sh', root],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let problem = '';
  boot.stderr?.setEncoding('utf8').on('data', (text: string) => {
    problem = (problem + text).slice(-10_000);
  });
  const stop = async () => {
    await end(boot);
    await until('the control groups are empty', () => removeGroup(group), BOOT_MS_MAX, 50);
    execFileSync('umount', [groups]);
    rmdirSync(groups);
  };
  const inside = async (...argv: string[]): Promise<string> => {
    const target = ['-t', String(childOf(boot.pid ?? 0)), '-m', '-p', '-u', '-i', '-C', '-r', '-w'];
    return (await run('nsenter', [...target, ...argv], { timeout: COMMAND_MS_MAX })).stdout;
  };
  try {
    await until(`systemd runs: ${problem}`, () => isRunning(boot, inside), BOOT_MS_MAX, 100);
  } catch (error) {
    await stop();
    throw new Error(problem, { cause: error });
  }
  return { run: inside, stop };
}

async function isRunning(boot: ChildProcess, inside: BootedRoot['run']): Promise<boolean> {
  if (boot.exitCode !== null) throw new Error('it ended while it booted');
  // `degraded` is one failed unit of the distribution, which is not what is looked at here.
  const state = await inside('systemctl', 'is-system-running').catch(
    (error: { stdout?: string }) => error.stdout ?? '',
  );
  return /^(running|degraded)$/m.test(state);
}

/** Pid 1 of the namespace, by the number it has outside. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

async function end(boot: ChildProcess): Promise<void> {
  if (boot.exitCode !== null || boot.signalCode !== null) return;
  const gone = once(boot, 'exit');
  boot.kill('SIGKILL');
  await gone;
}

/** Deepest first; false while a process is still leaving. */
function removeGroup(group: string): boolean {
  try {
    for (const entry of readdirSync(group, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeGroup(join(group, entry.name))) return false;
    }
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
