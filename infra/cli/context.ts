// Which control plane a command talks to: flags over environment over file over the lab on this machine.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ContextSettings, Contexts } from './context-file.ts';
import { CliError, EXIT } from './exit-codes.ts';

export interface Context extends ContextSettings {
  readonly name: string;
}

/** The lab that `npm start` runs; used when nothing else was said. */
export const LAB: Context = {
  name: 'lab',
  seats: ['http://127.0.0.1:7071'],
  tokenUrl: 'http://127.0.0.1:7070/token',
};

export interface ContextFlags {
  readonly context?: string | undefined;
  readonly url?: string | undefined;
  readonly audience?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const configFile = (env: Environment): string =>
  env.ANYCAST_CONFIG ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'anycastctl', 'config.yaml');

/** The contexts of the file, read now and complained about only when somebody wants one. */
export async function loadContexts(env: Environment): Promise<() => Contexts> {
  const file = configFile(env);
  if (!existsSync(file)) return () => ({ contexts: {} });
  // Loaded on demand: most commands talk to the lab or to --url, and a YAML reader takes its time.
  const { readContexts } = await import('./context-file.ts');
  const read = readContexts(file);
  return () => {
    if (read.ok) return read.value;
    throw new CliError(EXIT.usage, `${file} is not right.`, { why: read.error });
  };
}

/** The context to use. Throws CliError (usage) when it is named but unknown, or the file is no good. */
export function resolveContext(flags: ContextFlags, env: Environment, contexts: Contexts): Context {
  const url = flags.url ?? env.ANYCAST_URL;
  const named = flags.context ?? env.ANYCAST_CONTEXT;
  const name = named ?? contexts.current;
  const chosen =
    name === undefined || name === LAB.name ? (contexts.contexts[LAB.name] ?? LAB) : contexts.contexts[name];
  if (chosen === undefined) {
    throw new CliError(EXIT.usage, `There is no context ${name}.`, {
      why: [`${configFile(env)} knows: ${['lab', ...Object.keys(contexts.contexts)].join(', ')}.`],
    });
  }
  const audience = flags.audience ?? env.ANYCAST_AUDIENCE;
  // Who names an audience signs in to Azure: a lab's token is not wanted then.
  const { tokenUrl: _lab, ...signedIn } = chosen;
  const wanted = audience === undefined ? chosen : { ...signedIn, audience };
  if (url === undefined) return { ...wanted, name: name ?? LAB.name };
  const seats = url.split(',').map((seat) => seat.trim());
  const wrong = seats.find((seat) => !URL.canParse(seat));
  if (wrong !== undefined) throw new CliError(EXIT.usage, `${JSON.stringify(wrong)} is no URL of a control plane.`);
  return { ...wanted, name: named ?? new URL(seats[0] ?? '').host, seats };
}
