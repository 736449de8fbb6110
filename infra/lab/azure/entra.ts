// Stands in for Entra ID: issues access tokens to named principals, publishes the keys, serves managed identities.
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { ApiRole } from '../../../shared/api.ts';
import { type Answer, type Endpoint, failed } from './exchange.ts';

export interface LabPrincipal {
  readonly name: string;
  /** Object id; made up when absent. */
  readonly id?: string;
  readonly roles: readonly ApiRole[];
  /** A person, otherwise an application or managed identity. */
  readonly isPerson?: boolean;
}

export interface TokenOptions {
  readonly audience: string;
  readonly lifetimeSeconds?: number;
  /** Claims to add or override, to make tokens that are wrong on purpose. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface Entra {
  /** JWKS, below the TLS origin. */
  readonly keys: Endpoint;
  /** Managed identity, in the style of App Service and of IMDS, over plain HTTP. */
  readonly identity: Endpoint;
  readonly keysPath: string;
  /** Path for the IDENTITY_ENDPOINT of App Service; the header's secret says who asks. */
  readonly appServicePath: string;
  secretOf(principal: string): string;
  /** Path for IMDS of one virtual machine: who asks stands in the path, as each machine has its own. */
  imdsPath(principal: string): string;
  token(principal: string, options: TokenOptions): Promise<string>;
}

const LIFETIME_SECONDS = 3600;
const KID = 'lab-entra-1';

/** @param issuer as tokens name it; fixed at start because verifiers pin it. */
export async function createEntra(issuer: () => string, principals: readonly LabPrincipal[]): Promise<Entra> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: KID, alg: 'RS256', use: 'sig' };
  const known = new Map(principals.map((principal) => [principal.name, { id: randomUUID(), ...principal }]));
  const secrets = new Map<string, string>(principals.map(({ name }) => [randomUUID(), name]));

  async function token(name: string, { audience, lifetimeSeconds = LIFETIME_SECONDS, claims = {} }: TokenOptions) {
    const principal = known.get(name);
    if (principal === undefined) throw new Error(`no such principal: ${name}`);
    const nowSeconds = Math.floor(Date.now() / 1000);
    const who = principal.isPerson
      ? { preferred_username: name, scp: 'user_impersonation' }
      : { appid: name, idtyp: 'app' };
    const payload = { oid: principal.id, sub: principal.id, roles: principal.roles, ver: '2.0', ...who };
    return new SignJWT({
      ...payload,
      iss: issuer(),
      aud: audience,
      nbf: nowSeconds - 60,
      iat: nowSeconds,
      exp: nowSeconds + lifetimeSeconds,
      ...claims,
    })
      .setProtectedHeader({ alg: 'RS256', kid: KID, typ: 'JWT' })
      .sign(privateKey);
  }

  async function grant(name: string | undefined, resource: string | null): Promise<Answer> {
    if (name === undefined) return failed(401, 'unauthorized_client', 'nobody has this identity');
    if (resource === null) return failed(400, 'invalid_request', 'resource is required');
    const access_token = await token(name, { audience: resource });
    const expiresOn = String(Math.floor(Date.now() / 1000) + LIFETIME_SECONDS);
    return {
      status: 200,
      json: {
        ...{ access_token, resource, token_type: 'Bearer', client_id: known.get(name)?.id },
        ...{
          expires_in: String(LIFETIME_SECONDS),
          expires_on: expiresOn,
          not_before: String(Math.floor(Date.now() / 1000) - 60),
        },
      },
    };
  }

  const one = (header: string | string[] | undefined): string =>
    Array.isArray(header) ? (header[0] ?? '') : (header ?? '');
  return {
    keysPath: '/entra/keys',
    appServicePath: '/msi/token',
    keys: ({ url }) => (url.pathname === '/entra/keys' ? { status: 200, json: { keys: [jwk] } } : undefined),
    identity: ({ url, headers }) => {
      const resource = url.searchParams.get('resource');
      if (url.pathname === '/msi/token') return grant(secrets.get(one(headers['x-identity-header'])), resource);
      const [, name] = /^\/imds\/([^/]+)\/metadata\/identity\/oauth2\/token$/.exec(url.pathname) ?? [];
      if (name === undefined) return undefined;
      if (one(headers.metadata).toLowerCase() !== 'true')
        return failed(400, 'bad_request', 'Metadata: true is required');
      return grant(known.has(decodeURIComponent(name)) ? decodeURIComponent(name) : undefined, resource);
    },
    secretOf: (principal) => [...secrets].find(([, name]) => name === principal)?.[0] ?? '',
    imdsPath: (principal) => `/imds/${encodeURIComponent(principal)}/metadata/identity/oauth2/token`,
    token,
  };
}
