// Writes what the processes of the lab read: keys, certificates, anycast.yaml. Everything is made anew for each run.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { stringify } from 'yaml';
import { type Authority, createAuthority } from '../azure/certificates.ts';
import type { LabContext } from './context.ts';
import { CONTROL_ADDRESS } from './plan.ts';
import { labTopology } from './topology.ts';

/** Ports inside namespaces of our own: nobody else can have taken them. */
export const PORTS = { functions: 7071, blob: 10000, queue: 10001, table: 10002, azure: 4430, identity: 4433 } as const;

const ORDER_KEY_ID = 'netns-lab-1';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface LabFiles {
  readonly topology: string;
  /** PEM file of the authority that signed every certificate of the run. */
  readonly authority: string;
  readonly agents: CertificateFiles;
  readonly endpoints: CertificateFiles;
  /** The seat's private key, with kid. */
  readonly orderKey: JWK;
}

/** Where an NVA or observer asks for the token of its own managed identity. */
export const identityEndpoint = (principal: string): string =>
  `http://${CONTROL_ADDRESS}:${PORTS.identity}/imds/${principal}/metadata/identity/oauth2/token`;

export async function writeLabFiles({ plan, folder }: LabContext, holdSeconds: number): Promise<LabFiles> {
  const authority = await createAuthority();
  const authorityFile = join(folder, 'authority.pem');
  await writeFile(authorityFile, authority.ca);
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const topology = labTopology(plan, {
    holdSeconds,
    orderKey: { kid: ORDER_KEY_ID, publicJwk: await exportJWK(publicKey) },
    ports: PORTS,
  });
  const topologyFile = join(folder, 'anycast.yaml');
  await writeFile(topologyFile, stringify(topology));
  const agentAddresses = plan.regions.map((region) => region.nva.management);
  return {
    topology: topologyFile,
    authority: authorityFile,
    agents: await issue(authority, folder, 'agent', agentAddresses),
    endpoints: await issue(authority, folder, 'endpoints', [CONTROL_ADDRESS]),
    orderKey: { ...(await exportJWK(privateKey)), kid: ORDER_KEY_ID },
  };
}

async function issue(
  authority: Authority,
  folder: string,
  name: string,
  addresses: readonly string[],
): Promise<CertificateFiles> {
  const { cert, key } = await authority.issue(name, addresses);
  const files = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  await writeFile(files.certificate, cert);
  await writeFile(files.key, key, { mode: 0o600 });
  return files;
}
