// Writes the files of a deployment into the run directory: order keys, anycast.yaml, and agent.yaml of every NVA.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { stringify } from 'yaml';
import type { Topology } from '../../shared/topology-schema.ts';

export interface OrderKeyPair {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK & { readonly kid: string };
}

/** A fresh ES256 key pair for a seat. */
export async function makeOrderKey(seat: string): Promise<OrderKeyPair> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const kid = `${seat}-1`;
  return { kid, publicJwk: await exportJWK(publicKey), privateJwk: { ...(await exportJWK(privateKey)), kid } };
}

/** Where an NVA's agent gets its identity and its certificate. */
export interface NvaPlaces {
  readonly localAddress: string;
  readonly identity: { readonly endpoint: string; readonly header?: string };
  readonly tls: { readonly cert: string; readonly key: string };
}

/** Writes anycast.yaml and returns its path. */
export function writeTopology(directory: string, topology: Topology): string {
  const file = join(directory, 'anycast.yaml');
  writeFileSync(file, stringify(topology));
  return file;
}

/** Writes agent.yaml of one NVA, with the topology as this NVA sees it, and returns its path. */
export function writeAgentFile(directory: string, nva: string, topology: Topology, places: NvaPlaces): string {
  const folder = join(directory, nva);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeTopology(folder, topology);
  const file = join(folder, 'agent.yaml');
  writeFileSync(
    file,
    stringify({
      nva,
      topology: 'anycast.yaml',
      stateDirectory: 'state',
      listen: '127.0.0.1:0',
      tls: places.tls,
      bgp: { localAddress: places.localAddress },
      identity: places.identity,
      // Nobody waits for drained traffic in a lab that is going away.
      stop: { lastResortSeconds: 0, withdrawSeconds: 0 },
    }),
  );
  return file;
}
