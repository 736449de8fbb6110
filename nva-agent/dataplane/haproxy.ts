// Runs HAProxy as master and worker: validated before it starts or reloads, connections kept, read back afterwards.
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatingError } from '../../shared/errors.ts';
import type { Execute } from './execution.ts';
import {
  type HaproxyWorkers,
  type ProxyFigures,
  parseStamp,
  parseStatistics,
  parseWorkers,
} from './haproxy-answers.ts';
import { needsProxy, proxyNames, renderHaproxy } from './haproxy-config.ts';
import type { Applied } from './nftables.ts';
import type { DataPlaneConfig } from './plan.ts';

const ANSWER_MS = 2000;
/** HAProxy is up, or down, within this long. */
const CHANGE_MS = 5000;
const LOOK_AGAIN_MS = 20;
const ANSWER_CHARACTERS_MAX = 4 * 1024 * 1024;

export interface Haproxy {
  /** Brings HAProxy to the configuration. Throws OperatingError; a refused one leaves the running one as it is. */
  apply(config: DataPlaneConfig): Promise<Applied>;
  /** Lets it finish its connections for at most this long, then ends it. */
  stop(graceMs: number): Promise<void>;
  /** Figures of every living worker, the replaced ones that finish their connections included. */
  figures(): Promise<ReadonlyMap<number, readonly ProxyFigures[]>>;
  isRunning(): Promise<boolean>;
}

export function createHaproxy(execute: Execute, folder: string): Haproxy {
  const files = {
    config: join(folder, 'haproxy.cfg'),
    candidate: join(folder, 'haproxy.cfg.candidate'),
    pid: join(folder, 'haproxy.pid'),
    master: join(folder, 'haproxy-master.sock'),
    stats: join(folder, 'haproxy-stats.sock'),
  };

  const workers = async (): Promise<HaproxyWorkers> => {
    const answer = await askIfThere(files.master, 'show proc');
    return answer === undefined ? { current: [], old: [] } : parseWorkers(answer);
  };
  const stampOf = async (pid: number): Promise<string | undefined> => {
    const answer = await askIfThere(files.master, `@!${pid} show info`);
    return answer === undefined ? undefined : parseStamp(answer);
  };
  /**
   * Our master while it lives. A pid file may outlive its process, whose number may be another's by now. The master's
   * socket is no witness: for a moment of each reload nobody answers there.
   */
  const masterPid = async (): Promise<number | undefined> => {
    let text: string | undefined;
    // A reload writes the file anew: while it does, it is empty.
    await until(async () => {
      text = await readFile(files.pid, 'utf8').catch(() => undefined);
      return text !== '';
    }, CHANGE_MS);
    const pid = Number.parseInt(text ?? '', 10);
    return Number.isSafeInteger(pid) && (await isOurs(pid)) ? pid : undefined;
  };
  const isOurs = async (pid: number): Promise<boolean> =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').includes(files.pid);

  /** The worker that runs exactly this configuration, or undefined. */
  const workerWith = async (stamp: string, config: DataPlaneConfig): Promise<number | undefined> => {
    for (const pid of (await workers()).current) {
      if ((await stampOf(pid)) !== stamp) continue;
      const proxies = parseStatistics((await askIfThere(files.master, `@!${pid} show stat -1 1 -1`)) ?? '');
      if (proxyNames(config).every((name) => proxies.some((row) => row.proxy === name))) return pid;
    }
    return undefined;
  };

  const stop = async (graceMs: number): Promise<void> => {
    const pid = await masterPid();
    if (pid !== undefined) {
      const hasEnded = async () => !(await isOurs(pid));
      signal(pid, 'SIGUSR1');
      if (!(await until(hasEnded, graceMs))) {
        signal(pid, 'SIGTERM');
        if (!(await until(hasEnded, CHANGE_MS))) signal(pid, 'SIGKILL');
      }
    }
    await Promise.all(Object.values(files).map((file) => rm(file, { force: true })));
  };

  const apply = async (config: DataPlaneConfig): Promise<Applied> => {
    const pid = await masterPid();
    if (!needsProxy(config)) {
      if (pid === undefined) return 'unchanged';
      await stop(0);
      return 'changed';
    }
    const place = { statsSocket: files.stats, stamp: '' };
    const stamp = createHash('sha256').update(renderHaproxy(config, place)).digest('hex').slice(0, 16);
    if (pid !== undefined && (await workerWith(stamp, config)) !== undefined) return 'unchanged';
    await writeFile(files.candidate, renderHaproxy(config, { ...place, stamp }), { mode: 0o600 });
    await execute(['haproxy', '-c', '-q', '-f', files.candidate]);
    await rename(files.candidate, files.config);
    if (pid === undefined) await start();
    else signal(pid, 'SIGUSR2');
    if (!(await until(async () => (await workerWith(stamp, config)) !== undefined, CHANGE_MS))) {
      throw new OperatingError('not-applied', 'HAProxy does not run the configuration it was given', {
        retryable: true,
      });
    }
    return 'changed';
  };

  const start = async (): Promise<void> => {
    await rm(files.master, { force: true });
    await execute(['haproxy', '-W', '-D', '-S', `${files.master},mode,600`, '-p', files.pid, '-f', files.config]);
  };

  return {
    apply,
    stop,
    isRunning: async () => (await workers()).current.length > 0,
    figures: async () => {
      const { current, old } = await workers();
      const byWorker = new Map<number, readonly ProxyFigures[]>();
      for (const pid of [...current, ...old]) {
        // A replaced worker may end between the two questions; then it has no connections either.
        const answer = await askIfThere(files.master, `@!${pid} show stat -1 1 -1`);
        if (answer !== undefined) byWorker.set(pid, parseStatistics(answer));
      }
      return byWorker;
    },
  };
}

/** One command to an HAProxy socket, or undefined when nobody listens there. Throws OperatingError on a stuck one. */
function askIfThere(path: string, command: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_MS, () => {
      socket.destroy();
      reject(new OperatingError('haproxy-silent', `no answer to '${command}'`, { retryable: true }));
    });
    socket.on('data', (text: string) => {
      answer += text;
      if (answer.length > ANSWER_CHARACTERS_MAX) socket.destroy();
    });
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(answer));
    socket.end(`${command}\n`);
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // ESRCH: it has ended already; the read-back that follows every signal finds out.
  }
}

async function until(condition: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(LOOK_AGAIN_MS);
  }
}
