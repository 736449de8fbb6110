// Writes what the processes of the lab read: keys, certificates, anycast.yaml. Everything is made anew for each run.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { stringify } from 'yaml';
import { type CertificateFiles, issueCertificates } from './certificates.ts';
import type { LabContext } from './context.ts';
import { CONTROL_ADDRESS } from './plan.ts';
import type { AgentFiles } from './region.ts';
import { labTopology } from './topology.ts';

/** Ports inside namespaces of our own: nobody else can have taken them. */
export const PORTS = { functions: 7071, blob: 10000, queue: 10001, table: 10002, azure: 4430, identity: 4433 } as const;

const ORDER_KEY_ID = 'netns-lab-1';

export interface LabFiles {
  readonly topology: string;
  readonly authority: string;
  readonly agents: AgentFiles;
  readonly endpoints: CertificateFiles;
  /** The seat's private key, with kid. */
  readonly orderKey: JWK;
}

export async function writeLabFiles({ plan, folder }: LabContext, holdSeconds: number): Promise<LabFiles> {
  const at = (name: string) => join(folder, name);
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const topology = labTopology(plan, {
    holdSeconds,
    orderKey: { kid: ORDER_KEY_ID, publicJwk: await exportJWK(publicKey) },
    ports: PORTS,
  });
  const { authority, issued } = await issueCertificates(folder, {
    agent: plan.regions.map((region) => region.nva.management),
    endpoints: ['127.0.0.1', CONTROL_ADDRESS],
  });
  await writeFile(at('anycast.yaml'), stringify(topology));
  return {
    topology: at('anycast.yaml'),
    authority,
    endpoints: issued.endpoints,
    orderKey: { ...(await exportJWK(privateKey)), kid: ORDER_KEY_ID },
    agents: {
      topology: at('anycast.yaml'),
      certificate: issued.agent.certificate,
      key: issued.agent.key,
      identityEndpoint: `http://${CONTROL_ADDRESS}:${PORTS.identity}/metadata/identity/oauth2/token`,
    },
  };
}
