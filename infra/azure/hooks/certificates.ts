// The authority of a deployment and the certificates it signs for its agents; kept in files, so that it outlives a run.
import { webcrypto, X509Certificate } from 'node:crypto';

export interface KeyPair {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3600_000;
export const AUTHORITY_DAYS = 3650;
export const AGENT_DAYS = 397;
/** A certificate is replaced when less than this is left. */
export const RENEW_DAYS = 45;
/** Clocks differ. */
const BACKDATE_MS = 3600_000;

/** @peculiar/x509 wants Reflect's metadata functions before it loads, and import statements do not promise an order. */
async function loadX509() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  return x509;
}

const makeKeys = () =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${der.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

const importKey = (pem: string): Promise<webcrypto.CryptoKey> =>
  webcrypto.subtle.importKey(
    'pkcs8',
    Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
    ALGORITHM,
    true,
    ['sign'],
  );

/** Positive, and long enough never to repeat. */
const serial = () => `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`;

const lifetime = (nowMs: number, days: number) => ({
  notBefore: new Date(nowMs - BACKDATE_MS),
  notAfter: new Date(nowMs + days * DAY_MS),
});

export async function makeAuthority(deployment: string, nowMs: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await makeKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=anycast agents of ${deployment}`,
    ...lifetime(nowMs, AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${root.toString('pem').trim()}\n`, key: await keyPem(keys.privateKey) };
}

/** A server certificate for the address that seats reach the agent at. */
export async function issueAgent(authority: KeyPair, nva: string, host: string, nowMs: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const own = await makeKeys();
  const root = new x509.X509Certificate(authority.cert);
  const isAddress = /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${nva}`,
    issuer: root.subject,
    ...lifetime(nowMs, AGENT_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey: own.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], false),
      new x509.SubjectAlternativeNameExtension([{ type: isAddress ? 'ip' : 'dns', value: host }]),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
    ],
  });
  return { cert: `${leaf.toString('pem').trim()}\n`, key: await keyPem(own.privateKey) };
}

export const expiryMs = (pem: string): number => Date.parse(new X509Certificate(pem).validTo);

/** Whether it is still good: long enough, of this authority, for this address. */
export function isGood(pem: string, authority: string, host: string, nowMs: number): boolean {
  const certificate = new X509Certificate(pem);
  const isFor = certificate.checkIP(host) !== undefined || certificate.checkHost(host) !== undefined;
  return (
    isFor && certificate.verify(new X509Certificate(authority).publicKey) && expiryMs(pem) - nowMs > RENEW_DAYS * DAY_MS
  );
}
