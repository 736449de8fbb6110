// After provisioning: roles of identities, packages of the NVAs, runbooks. Each step looks first and may run again.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Topology } from '../../../shared/topology-schema.ts';
import { type Az, answerOf } from './az.ts';
import { assignRole, type Registration } from './entra.ts';

/** What the templates put out, as azd hands it on. */
export interface Outputs {
  readonly sharedGroup: string;
  readonly nvas: readonly { readonly name: string; readonly region: string; readonly principalId: string }[];
  readonly packages: readonly { readonly region: string; readonly url: string }[];
  readonly routeServers: readonly { readonly region: string; readonly peers: readonly string[] }[];
  readonly automation: { readonly name?: string; readonly principalId?: string };
}

export function readOutputs(environment: Readonly<Record<string, string | undefined>>): Outputs {
  const json = (name: string): unknown => {
    const text = environment[name];
    if (text === undefined || text === '') throw new Error(`${name} is not set: run azd provision first`);
    return JSON.parse(text);
  };
  return {
    sharedGroup: environment.ANYCAST_SHARED_GROUP ?? '',
    nvas: json('ANYCAST_NVAS') as Outputs['nvas'],
    packages: json('ANYCAST_PACKAGES') as Outputs['packages'],
    routeServers: json('ANYCAST_ROUTE_SERVERS') as Outputs['routeServers'],
    automation: json('ANYCAST_AUTOMATION') as Outputs['automation'],
  };
}

/** Route Server chooses its two addresses itself; agents must know them. */
export function comparePeers(topology: Topology, outputs: Outputs): string[] {
  return outputs.routeServers.flatMap(({ region, peers }) => {
    const written = topology.regions.find((one) => one.name === region)?.routeServer.peers ?? [];
    const isSame = [...peers].sort().join() === [...written].sort().join();
    return isSame || peers.length === 0
      ? []
      : [
          `${region}: Route Server answers at ${peers.join(', ')}; write them into regions[].routeServer.peers and run azd up again`,
        ];
  });
}

/** Who may do what at the seats. Returns what was given now, in words. */
export async function giveRoles(
  az: Az,
  registration: Registration,
  outputs: Outputs,
  person: string,
): Promise<string[]> {
  const wanted = [
    ...outputs.nvas.map(({ name, principalId }) => [name, principalId, 'Agent.Report'] as const),
    ...(outputs.automation.principalId
      ? [['runbooks', outputs.automation.principalId, 'Failover.Operate'] as const]
      : []),
    ...(person === '' ? [] : [['you', person, 'Failover.Operate'] as const]),
  ];
  const given: string[] = [];
  for (const [who, principal, role] of wanted) {
    if (await assignRole(az, registration, principal, role)) given.push(`${role} to ${who}`);
  }
  return given;
}

/** agent.yaml of one NVA: what is local to it; everything else stands in anycast.yaml. */
export function agentYaml(topology: Topology, name: string): string {
  const nva = topology.regions.flatMap((region) => region.nvas).find((one) => one.name === name);
  if (nva === undefined) throw new Error(`no NVA ${name} in anycast.yaml`);
  const port = new URL(nva.agent).port || '443';
  return stringify({
    nva: name,
    topology: '/etc/anycast-agent/anycast.yaml',
    stateDirectory: '/var/lib/anycast-agent',
    listen: `${nva.address}:${port}`,
    tls: { cert: '/etc/anycast-agent/agent.crt', key: '/etc/anycast-agent/agent.key' },
    bgp: { localAddress: nva.address },
  });
}

/** The newest package in the folder. */
export function findPackage(folder: string): string | undefined {
  const found = existsSync(folder) ? readdirSync(folder).filter((file) => /_amd64\.deb$/.test(file)) : [];
  const newest = found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  return newest === undefined ? undefined : join(folder, newest);
}

/** Uploads what anycast-setup on each NVA of a region fetches. */
export async function uploadPackages(
  az: Az,
  topology: Topology,
  outputs: Outputs,
  paths: { readonly topology: string; readonly deb: string; readonly work: string },
): Promise<void> {
  mkdirSync(paths.work, { recursive: true });
  const file = (name: string, text: string) => {
    const path = join(paths.work, name.replaceAll('/', '-'));
    writeFileSync(path, text);
    return [name, path] as const;
  };
  const checksum = createHash('sha256').update(readFileSync(paths.deb)).digest('hex');
  for (const { region, url } of outputs.packages) {
    const own = outputs.nvas.filter((nva) => nva.region === region);
    const files: (readonly [string, string])[] = [
      ['setup.sh', 'infra/azure/nva/setup.sh'],
      ['anycast.yaml', paths.topology],
      ['anycast-agent.deb', paths.deb],
      ...own.map((nva) => file(`${nva.name}/agent.yaml`, agentYaml(topology, nva.name))),
      // Last: an NVA that sees a new checksum must find the package it belongs to.
      file('anycast-agent.deb.sha256', `${checksum}\n`),
    ];
    for (const [name, path] of files) await upload(az, url, name, path);
  }
}

async function upload(az: Az, container: string, name: string, path: string): Promise<void> {
  const { hostname, pathname } = new URL(container);
  const place = ['--account-name', hostname.split('.')[0] ?? '', '--container-name', pathname.slice(1), '--name', name];
  answerOf(
    await az('storage', 'blob', 'upload', ...place, '--file', path, '--overwrite', '--auth-mode', 'login'),
    `upload of ${name}`,
  );
}

const AUTOMATION_VERSION = '2024-10-23';

/** Puts the text of every runbook into the account and publishes it. */
export async function publishRunbooks(az: Az, subscription: string, outputs: Outputs): Promise<string[]> {
  const { name: account } = outputs.automation;
  if (account === undefined) return [];
  const base = `https://management.azure.com/subscriptions/${subscription}/resourceGroups/${outputs.sharedGroup}/providers/Microsoft.Automation/automationAccounts/${account}/runbooks`;
  const published: string[] = [];
  for (const [folder, end, type] of [
    ['powershell', '.ps1', 'text/powershell'],
    ['python', '.py', 'text/plain'],
  ] as const) {
    for (const file of readdirSync(join('infra/automation', folder)).filter((one) => one.endsWith(end))) {
      const book = file.slice(0, -end.length);
      const at = (path: string) => `${base}/${book}/${path}?api-version=${AUTOMATION_VERSION}`;
      const body = ['--headers', `Content-Type=${type}`, '--body', `@${join('infra/automation', folder, file)}`];
      answerOf(await az('rest', '--method', 'put', '--url', at('draft/content'), ...body), `runbook ${book}`);
      answerOf(await az('rest', '--method', 'post', '--url', at('publish')), `runbook ${book}`);
      published.push(book);
    }
  }
  return published;
}
