// One BIRD daemon of the lab: writes its configuration, starts it in its namespace, asks it what it knows.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatingError } from '../../../shared/errors.ts';
import { type BirdRoute, isEstablished, parseBirdRoutes } from './bird-routes.ts';
import { type LabProcess, startProcess } from './processes.ts';

const run = promisify(execFile);
const QUERY_MS = 5000;

export interface Bird {
  readonly process: LabProcess;
  /** Every route it holds for the prefix, best or not. */
  routes(prefix: string): Promise<BirdRoute[]>;
  isEstablished(protocol: string): Promise<boolean>;
  /** Ends one session and lets it come up anew. */
  restart(protocol: string): Promise<void>;
}

/** Starts a daemon; `name` also names its files in the folder. */
export async function startBird(name: string, namespace: string, config: string, folder: string): Promise<Bird> {
  const file = join(folder, `${name}.conf`);
  const socket = join(folder, `${name}.ctl`);
  await writeFile(file, config);
  const process = startProcess({
    name,
    namespace,
    argv: ['bird', '-f', '-c', file, '-s', socket, '-P', join(folder, `${name}.pid`)],
    logFolder: folder,
  });
  const ask = (...words: string[]) => query(socket, words);
  return {
    process,
    routes: async (prefix) => parseBirdRoutes(await ask('show', 'route', prefix, 'all')),
    isEstablished: async (protocol) => isEstablished(await ask('show', 'protocols'), protocol),
    restart: async (protocol) => {
      await ask('restart', protocol);
    },
  };
}

async function query(socket: string, words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run('birdc', ['-s', socket, ...words], {
      timeout: QUERY_MS,
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
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
