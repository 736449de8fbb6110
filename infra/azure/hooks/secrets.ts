// Private halves of a deployment: order keys of the seats, authority and certificates of the agents. Made once, kept in a
// folder of the azd environment, written to the vaults by the deployment.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import type { Topology } from '../../../shared/topology-schema.ts';
import { expiryMs, isGood, issueAgent, type KeyPair, makeAuthority } from './certificates.ts';

/** A key that signs orders is changed once a year. */
export const ORDER_KEY_DAYS = 365;
const DAY_MS = 24 * 3600_000;

export interface OrderKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  readonly expiresAtMs: number;
}

export interface Secret {
  readonly value: string;
  readonly expiresAtMs: number;
}

export interface Made {
  /** New values by the name of the secret; empty when nothing is new. */
  readonly secrets: Readonly<Record<string, Secret>>;
  /** The key each seat signs with, new or kept. */
  readonly orderKeys: Readonly<Record<string, OrderKey>>;
}

/** Only the owner may read what lies here. */
function store(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  chmodSync(join(folder, name), 0o600);
}

const load = (folder: string, name: string): string | undefined =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined;

/** Everything the topology needs, made where it is missing; certificates are renewed by their dates alone. */
export async function makeSecrets(topology: Topology, folder: string, nowMs: number): Promise<Made> {
  const secrets: Record<string, Secret> = {};
  const orderKeys: Record<string, OrderKey> = {};
  for (const seat of topology.seats) {
    const kept = readKey(folder, seat.name);
    const key = kept ?? (await makeOrderKey(seat.name, nowMs));
    if (kept === undefined) store(folder, keyFile(seat.name), JSON.stringify(key, null, 2));
    orderKeys[seat.name] = key;
    const value = JSON.stringify({ ...key.privateJwk, kid: key.kid });
    secrets[`order-key-${seat.name}`] = { value, expiresAtMs: key.expiresAtMs };
  }
  const authority = await authorityOf(topology.name, folder, nowMs);
  secrets['agent-ca'] = { value: authority.cert, expiresAtMs: expiryMs(authority.cert) };
  for (const region of topology.regions) {
    for (const nva of region.nvas) {
      const pair = await agentOf(nva.name, new URL(nva.agent).hostname, authority, folder, nowMs);
      secrets[`agent-${nva.name}`] = { value: pair.cert + pair.key, expiresAtMs: expiryMs(pair.cert) };
    }
  }
  return { secrets, orderKeys };
}

/** `<seat>-2026-11-22-04-30`: tells keys that were made here from those of an example. */
export const isOurKid = (seat: string, kid: string): boolean =>
  kid.startsWith(`${seat}-`) && /^\d{4}(-\d{2}){4}$/.test(kid.slice(seat.length + 1));

const keyFile = (seat: string, which: 'current' | 'next' = 'current'): string =>
  `order-key-${seat}${which === 'next' ? '.next' : ''}.json`;

/** The key a seat signs with, or the one that is pinned but not signed with yet. */
export function readKey(folder: string, seat: string, which?: 'current' | 'next'): OrderKey | undefined {
  const text = load(folder, keyFile(seat, which));
  return text === undefined ? undefined : (JSON.parse(text) as OrderKey);
}

export async function makeNextKey(folder: string, seat: string, nowMs: number): Promise<OrderKey> {
  const key = await makeOrderKey(seat, nowMs);
  store(folder, keyFile(seat, 'next'), JSON.stringify(key, null, 2));
  return key;
}

/** The next key becomes the one that is signed with, and is returned. */
export function adoptNextKey(folder: string, seat: string): OrderKey {
  renameSync(join(folder, keyFile(seat, 'next')), join(folder, keyFile(seat)));
  const key = readKey(folder, seat);
  if (key === undefined) throw new Error(`no order key of ${seat}`);
  return key;
}

const DEPLOYED = 'order-keys-deployed.json';

/** Remembers what the seats were started with. */
export function rememberDeployed(topology: Topology, folder: string): void {
  const kids = Object.fromEntries(topology.seats.map(({ name }) => [name, readKey(folder, name)?.kid]));
  store(folder, DEPLOYED, JSON.stringify(kids, null, 2));
}

export const deployedKids = (folder: string): Readonly<Record<string, string | undefined>> =>
  JSON.parse(load(folder, DEPLOYED) ?? '{}') as Record<string, string | undefined>;

async function makeOrderKey(seat: string, nowMs: number): Promise<OrderKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const kid = `${seat}-${new Date(nowMs).toISOString().slice(0, 16).replace(/[:T]/g, '-')}`;
  const [publicJwk, privateJwk] = [await exportJWK(publicKey), await exportJWK(privateKey)];
  return { kid, publicJwk, privateJwk, expiresAtMs: nowMs + ORDER_KEY_DAYS * DAY_MS };
}

async function authorityOf(deployment: string, folder: string, nowMs: number): Promise<KeyPair> {
  const [cert, key] = [load(folder, 'agent-ca.crt'), load(folder, 'agent-ca.key')];
  if (cert !== undefined && key !== undefined) return { cert, key };
  const made = await makeAuthority(deployment, nowMs);
  store(folder, 'agent-ca.crt', made.cert);
  store(folder, 'agent-ca.key', made.key);
  return made;
}

async function agentOf(nva: string, host: string, authority: KeyPair, folder: string, nowMs: number): Promise<KeyPair> {
  const [cert, key] = [load(folder, `agent-${nva}.crt`), load(folder, `agent-${nva}.key`)];
  if (cert !== undefined && key !== undefined && isGood(cert, authority.cert, host, nowMs)) return { cert, key };
  const made = await issueAgent(authority, nva, host, nowMs);
  store(folder, `agent-${nva}.crt`, made.cert);
  store(folder, `agent-${nva}.key`, made.key);
  return made;
}
