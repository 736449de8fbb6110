// Reads agent.yaml and the topology it names, and lists every problem of both at once.
import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { parseIpv4 } from '../../shared/ip.ts';
import { err, type Finding, ok, type Result } from '../../shared/result.ts';
import { findNva, parseTopology, pathText } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { codeOf } from '../probes/own-failure.ts';

const address = z.string().refine((text) => parseIpv4(text) !== undefined, 'an IPv4 address');
const endpoint = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$/, 'address:port')
  .transform((text) => ({
    address: text.slice(0, text.indexOf(':')),
    port: Number(text.slice(text.indexOf(':') + 1)),
  }));
const file = z.string().min(1);
const waitSeconds = z.number().min(0).max(60).default(2);

/** Azure's instance metadata service, the source of the VM's managed identity tokens. */
export const IMDS_TOKEN_ENDPOINT = 'http://169.254.169.254/metadata/identity/oauth2/token';

export const agentFileSchema = z.strictObject({
  /** `observer`: an on-premises prober; `nva` is then an observer's name. */
  mode: z.enum(['agent', 'observer']).default('agent'),
  nva: z.string().min(1),
  /** Path of anycast.yaml; relative paths start at this file's folder. */
  topology: file,
  stateDirectory: file,
  /** Where the agent's HTTPS listens. */
  listen: endpoint,
  tls: z.strictObject({
    cert: file,
    key: file,
    /** When given, callers need a client certificate of this authority. */
    ca: file.optional(),
  }),
  bgp: z
    .strictObject({
      /** Source address of the sessions; the kernel's choice when absent. */
      localAddress: address.optional(),
      /** Also accept sessions here; by default the agent only connects. */
      listen: endpoint.optional(),
    })
    .prefault({}),
  /** Who speaks BGP: the agent itself, or a daemon that this NVA runs already. */
  driver: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('native') }),
      z.strictObject({
        type: z.literal('bird'),
        /** BIRD's control socket. */
        socket: file.default('/run/bird/bird.ctl'),
        /** Our include file, which BIRD's configuration includes by a pattern; best where a reboot empties it. */
        include: file.default('/run/anycast-agent/bird.conf'),
        table: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'name of a BIRD table')
          .default('master4'),
        control: file.default('/usr/sbin/birdc'),
      }),
      z.strictObject({
        type: z.literal('frr'),
        vtysh: file.default('/usr/bin/vtysh'),
        /** Folder of the vty sockets, where it is not FRR's own. */
        vtySockets: file.optional(),
      }),
    ])
    .prefault({ type: 'native' }),
  identity: z
    .strictObject({
      endpoint: z
        .string()
        .regex(/^http:\/\/[^\s]+$/, 'an http URL')
        .default(IMDS_TOKEN_ENDPOINT),
      /** Sent as X-IDENTITY-HEADER, where the endpoint asks for one. */
      header: z.string().min(1).optional(),
    })
    .prefault({}),
  /** Authority of the seats' certificates, when it is not a public one. */
  seatCa: file.optional(),
  /** BGP identifier; the NVA's address when absent. */
  routerId: address.optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
  /** How long a stopping agent rests on last resort, and how long it waits after withdrawing. */
  stop: z
    .strictObject({
      lastResortSeconds: waitSeconds,
      withdrawSeconds: waitSeconds,
      /** Connections through a data plane of ours get this long to finish after that. */
      drainSeconds: z.number().min(0).max(3600).default(30),
    })
    .prefault({}),
});

export type AgentFile = z.infer<typeof agentFileSchema>;

/** agent.yaml with every path absolute, and the topology it names. */
export interface AgentConfig extends AgentFile {
  /** The file itself, absolute. */
  readonly file: string;
  readonly loadedTopology: Topology;
  readonly warnings: readonly Finding[];
}

/** Longest agent.yaml read, in characters. */
const FILE_LENGTH_MAX = 256 * 1024;

/** The configuration in this file, or every problem of it and of its topology. Creates the state directory. */
export async function loadAgentConfig(path: string): Promise<Result<AgentConfig>> {
  const text = await readText(path, '');
  if (!text.ok) return text;
  const parsed = parseAgentFile(text.value);
  if (!parsed.ok) return parsed;
  const config = withAbsolutePaths(parsed.value, dirname(resolve(path)));
  const topology = await loadTopology(config.topology);
  const problems = [
    ...(topology.ok ? checkName(config, topology.value.topology) : topology.error),
    ...checkDriver(config),
    ...(await checkFiles(config)),
  ];
  if (!topology.ok || problems.length > 0) return err(problems);
  const { topology: loadedTopology, warnings } = topology.value;
  return ok({ ...config, file: resolve(path), loadedTopology, warnings });
}

/** The text of an agent.yaml, checked for its form only. */
export function parseAgentFile(text: string): Result<AgentFile> {
  if (text.length > FILE_LENGTH_MAX)
    return err([{ path: '', code: 'too-large', message: `${text.length} characters` }]);
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    return err(document.errors.map((e) => ({ path: '', code: 'not-yaml', message: e.message.split('\n')[0] ?? '' })));
  }
  const parsed = agentFileSchema.safeParse(document.toJS({ maxAliasCount: 10 }));
  if (parsed.success) return ok(parsed.data);
  return err(
    parsed.error.issues.flatMap((issue): Finding[] =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({
            path: pathText([...issue.path, key]),
            code: 'unknown-key',
            message: 'no such key',
          }))
        : [{ path: pathText(issue.path), code: 'malformed', message: issue.message }],
    ),
  );
}

function withAbsolutePaths(config: AgentFile, folder: string): AgentFile {
  const at = (path: string) => resolve(folder, path);
  return {
    ...config,
    topology: at(config.topology),
    stateDirectory: at(config.stateDirectory),
    tls: {
      cert: at(config.tls.cert),
      key: at(config.tls.key),
      ...(config.tls.ca === undefined ? {} : { ca: at(config.tls.ca) }),
    },
    ...(config.seatCa === undefined ? {} : { seatCa: at(config.seatCa) }),
  };
}

async function readText(path: string, where: string): Promise<Result<string>> {
  try {
    return ok(await readFile(path, 'utf8'));
  } catch (error) {
    return err([{ path: where, code: 'unreadable', message: `${path}: ${messageOf(error)}` }]);
  }
}

async function loadTopology(path: string) {
  const text = await readText(path, 'topology');
  if (!text.ok) return text;
  const parsed = parseTopology(text.value);
  if (parsed.ok) return parsed;
  return err(parsed.error.map((f) => ({ ...f, path: f.path === '' ? 'topology' : `topology:${f.path}` })));
}

function checkName(config: AgentFile, topology: Topology): Finding[] {
  if (config.mode === 'observer') {
    if (topology.observers.some((observer) => observer.name === config.nva)) return [];
    return [{ path: 'nva', code: 'unknown-observer', message: `${config.nva} is not among the topology's observers` }];
  }
  if (findNva(topology, config.nva) !== undefined) return [];
  return [{ path: 'nva', code: 'unknown-nva', message: `${config.nva} is not among the topology's nvas` }];
}

/** A daemon has its own addresses and listener; to give them here would promise what nobody keeps. */
function checkDriver({ driver, bgp, routerId }: AgentFile): Finding[] {
  if (driver.type === 'native') return [];
  const message = `the ${driver.type} daemon decides that in its own configuration`;
  return Object.entries({ 'bgp.listen': bgp.listen, 'bgp.localAddress': bgp.localAddress, routerId })
    .filter(([, value]) => value !== undefined)
    .map(([path]) => ({ path, code: 'not-with-driver', message }));
}

async function checkFiles(config: AgentFile): Promise<Finding[]> {
  const named: [string, string | undefined][] = [
    ['tls.cert', config.tls.cert],
    ['tls.key', config.tls.key],
    ['tls.ca', config.tls.ca],
    ['seatCa', config.seatCa],
  ];
  const read = await Promise.all(
    named.map(async ([where, path]) =>
      path === undefined ? [] : await problemOf(where, () => access(path, constants.R_OK)),
    ),
  );
  return [...read.flat(), ...(await checkState(config.stateDirectory))];
}

/**
 * A disk that went read-only keeps nobody from going on with what it holds: the routes matter more than the next order,
 * which is refused with the reason. Any other directory that cannot be written is a mistake of the set-up.
 */
async function checkState(directory: string): Promise<Finding[]> {
  return await problemOf('stateDirectory', async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.W_OK).catch((error: unknown) => {
      if (codeOf(error) !== 'EROFS') throw error;
    });
  });
}

async function problemOf(path: string, attempt: () => Promise<void>): Promise<Finding[]> {
  try {
    await attempt();
    return [];
  } catch (error) {
    return [{ path, code: path === 'stateDirectory' ? 'not-writable' : 'unreadable', message: messageOf(error) }];
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
