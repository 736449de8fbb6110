// One BIRD daemon of the lab: writes its configuration, starts it in its namespace, asks it what it knows.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatingError } from '../../../shared/errors.ts';
import { type BirdRoute, isEstablished, parseBirdRoutes } from './bird-routes.ts';
import type { LabContext } from './context.ts';
import type { LabProcess } from './processes.ts';

const run = promisify(execFile);
const QUERY_MS = 5000;

export interface Bird {
  readonly process: LabProcess;
  /** Path of its control socket. */
  readonly socket: string;
  /** Every route it holds for the prefix, best or not. */
  routes(prefix: string): Promise<BirdRoute[]>;
  isEstablished(protocol: string): Promise<boolean>;
  /** Ends one session and lets it come up anew. */
  restart(protocol: string): Promise<void>;
}

/** Starts a daemon; `name` also names its files in the lab's folder. */
export async function startBird(
  { folder, processes }: LabContext,
  name: string,
  namespace: string,
  config: string,
): Promise<Bird> {
  const file = join(folder, `${name}.conf`);
  const socket = join(folder, `${name}.ctl`);
  await writeFile(file, config);
  const process = processes.start({
    name,
    namespace,
    isOwnMachine: true,
    argv: ['bird', '-f', '-c', file, '-s', socket, '-P', join(folder, `${name}.pid`)],
  });
  const ask = (...words: string[]) => query(socket, words);
  return {
    process,
    socket,
    routes: (prefix) => readBirdRoutes(socket, prefix),
    isEstablished: async (protocol) => isEstablished(await ask('show', 'protocols'), protocol),
    restart: async (protocol) => {
      await ask('restart', protocol);
    },
  };
}

/** Every route the daemon behind this control socket holds for the prefix, best or not. */
export const readBirdRoutes = async (socket: string, prefix: string): Promise<BirdRoute[]> =>
  parseBirdRoutes(await query(socket, ['show', 'route', prefix, 'all']));

async function query(socket: string, words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('birdc', ['-s', socket, ...words], {
      timeout: QUERY_MS,
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    });
    return stdout;
  } catch (error) {
    // birdc says "Network not found" with status 1 for a prefix nobody announces: that is an answer.
    const said = (error as { stdout?: string }).stdout ?? '';
    if (said.includes('Network not found')) return '';
    throw new OperatingError('bird-silent', `birdc ${words.join(' ')} on ${socket} failed`, {
      retryable: true,
      cause: error,
    });
  }
}
