// Which control plane a command talks to: flags over environment over file over the lab on this machine.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { formatFindings } from '../../shared/result.ts';
import { findingsOfIssue } from '../../shared/topology.ts';
import { parseYaml } from '../../shared/yaml.ts';
import { CliError, EXIT } from './exit-codes.ts';

const contextSchema = z.strictObject({
  /** Base URLs of all seats, such as https://func-anycast-we.azurewebsites.net. */
  seats: z
    .array(z.string().regex(/^https?:\/\/[^\s]+$/, 'an http or https URL'))
    .min(1)
    .max(8),
  /** Application ID URI of the control plane; tokens are asked for `<audience>/.default`. */
  audience: z.string().optional(),
  /** Where a lab hands out operator tokens; absent on Azure. */
  tokenUrl: z.string().optional(),
});
const fileSchema = z.strictObject({ current: z.string().optional(), contexts: z.record(z.string(), contextSchema) });

export interface Context extends z.infer<typeof contextSchema> {
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
}

type Environment = Readonly<Record<string, string | undefined>>;

export const configFile = (env: Environment): string =>
  env.ANYCAST_CONFIG ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'anycastctl', 'config.yaml');

/** The context to use. Throws CliError (usage) when it is named but unknown, or the file is no good. */
export function resolveContext(flags: ContextFlags, env: Environment): Context {
  const url = flags.url ?? env.ANYCAST_URL;
  const named = flags.context ?? env.ANYCAST_CONTEXT;
  const contexts = readContexts(configFile(env));
  const name = named ?? contexts.current;
  const chosen =
    name === undefined || name === LAB.name ? (contexts.contexts[LAB.name] ?? LAB) : contexts.contexts[name];
  if (chosen === undefined) {
    throw new CliError(EXIT.usage, `There is no context ${name}.`, {
      why: [`${configFile(env)} knows: ${['lab', ...Object.keys(contexts.contexts)].join(', ')}.`],
    });
  }
  if (url === undefined) return { ...chosen, name: name ?? LAB.name };
  const seats = url.split(',').map((seat) => seat.trim());
  const wrong = seats.find((seat) => !URL.canParse(seat));
  if (wrong !== undefined) throw new CliError(EXIT.usage, `${JSON.stringify(wrong)} is no URL of a control plane.`);
  return { ...chosen, name: named ?? new URL(seats[0] ?? '').host, seats };
}

function readContexts(file: string): z.infer<typeof fileSchema> {
  if (!existsSync(file)) return { contexts: {} };
  const yaml = parseYaml(readFileSync(file, 'utf8'));
  if (!yaml.ok)
    throw new CliError(EXIT.usage, `${file} cannot be read.`, { why: formatFindings(yaml.error).split('\n') });
  const parsed = fileSchema.safeParse(yaml.value);
  if (parsed.success) return parsed.data;
  const findings = parsed.error.issues.flatMap(findingsOfIssue);
  throw new CliError(EXIT.usage, `${file} is not right.`, { why: formatFindings(findings).split('\n') });
}
