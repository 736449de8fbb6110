// Makes and removes the network namespaces of a plan with ip(8). Nothing of a lab appears in the machine's own namespace.
import { execFile, spawn } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatingError } from '../../../shared/errors.ts';
import { findLeftovers } from './leftovers.ts';
import {
  cableCommands,
  type LabPlan,
  type NamespacePlan,
  namespaceCommands,
  switchCommands,
  switchPort,
} from './plan.ts';

const run = promisify(execFile);
/** No ip(8) command takes this long unless the machine is stuck. */
const COMMAND_MS = 20_000;
const NETNS_FOLDER = '/run/netns';

/** Makes every namespace, cable, address, route and kernel setting of the plan. */
export async function createNamespaces(plan: LabPlan): Promise<void> {
  await ipBatch([], cableCommands(plan));
  await ipBatch(['-n', plan.switches.namespace], switchCommands(plan));
  for (const namespace of plan.namespaces) await configureNamespace(namespace);
}

async function configureNamespace(namespace: NamespacePlan): Promise<void> {
  if (namespace.sysctls.length > 0) {
    await run('nsenter', [...inNamespace(namespace.name), 'sysctl', '-q', '-w', ...namespace.sysctls], {
      timeout: COMMAND_MS,
    });
  }
  await ipBatch(['-n', namespace.name], namespaceCommands(namespace));
}

/** Arguments of nsenter(1) that put a command into a namespace; the process id stays the command's own. */
export const inNamespace = (name: string): string[] => [`--net=${join(NETNS_FOLDER, name)}`, '--'];

/** Plugs the cables of a namespace out or in at the switch: no FIN, no RST and no carrier loss reaches the others. */
export async function setCables(plan: LabPlan, namespace: string, state: 'up' | 'down'): Promise<void> {
  const ports = plan.namespaces.find((candidate) => candidate.name === namespace)?.ports ?? [];
  await ipBatch(
    ['-n', plan.switches.namespace],
    ports.map((p) => `link set ${switchPort(plan, namespace, p.switch)} ${state}`),
  );
}

/** Removes the plan's namespaces, whichever of them exist. Processes inside must be gone already. */
export async function removeNamespaces(plan: LabPlan): Promise<void> {
  const existing = new Set(await listFolder(NETNS_FOLDER));
  const own = [plan.switches.namespace, ...plan.namespaces.map((namespace) => namespace.name)];
  await ipBatch(
    ['-force'],
    own.filter((name) => existing.has(name)).map((name) => `netns del ${name}`),
  );
}

/** Ends what the processes of a run have left behind in its NVAs: an agent's proxy is a daemon of its own. */
export async function endProcessesInside(plan: LabPlan): Promise<void> {
  const existing = new Set(await listFolder(NETNS_FOLDER));
  for (const { nva } of plan.regions) {
    if (!existing.has(nva.namespace)) continue;
    for (const pid of await pidsIn(nva.namespace)) endPid(pid);
  }
}

/** Ends the processes inside namespaces of dead runs, removes those namespaces and run directories; returns names. */
export async function removeLeftovers(): Promise<string[]> {
  const namespaces = findLeftovers(await listFolder(NETNS_FOLDER), isAlive);
  for (const name of namespaces) {
    for (const pid of await pidsIn(name)) endPid(pid);
  }
  await ipBatch(
    ['-force'],
    namespaces.map((name) => `netns del ${name}`),
  );
  const folders = findLeftovers(await listFolder(tmpdir()), isAlive);
  await Promise.all(folders.map((folder) => rm(join(tmpdir(), folder), { recursive: true, force: true })));
  return [...namespaces, ...folders];
}

async function pidsIn(namespace: string): Promise<number[]> {
  const { stdout } = await run('ip', ['netns', 'pids', namespace], { timeout: COMMAND_MS });
  return stdout.split('\n').filter(Boolean).map(Number);
}

function endPid(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself between listing and killing: that is what was wanted.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function ipBatch(options: readonly string[], commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const child = spawn('ip', [...options, '-batch', '-'], { stdio: ['pipe', 'ignore', 'pipe'], timeout: COMMAND_MS });
  let problem = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem += text;
  });
  child.stdin.end(`${commands.join('\n')}\n`);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0 && !options.includes('-force')) {
    throw new OperatingError('ip-failed', `ip ${options.join(' ')} -batch: ${problem.trim()}`, { retryable: false });
  }
}
