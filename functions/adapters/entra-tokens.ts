// Verifies Entra ID access tokens (jose): signature, issuer, audience, lifetime, algorithm; then who it is.
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { API_ROLES, type ApiRole } from '../../shared/api.ts';
import type { Principal, TokenOutcome, TokenVerifier } from '../ports.ts';
import { toOperatingError } from './operating-error.ts';

export interface EntraOptions {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly audience: string;
}

/** Entra signs with RS256. Naming it keeps `none` and the symmetric algorithms out. */
const ALGORITHMS = ['RS256'];
const CLOCK_TOLERANCE_SECONDS = 60;
const KEYS_TIMEOUT_MS = 3_000;

/** An audience `api://id` is also written as the bare id (it always is an allowed audience, see Easy Auth). */
const audiencesOf = (audience: string): string[] => [
  audience,
  ...(audience.startsWith('api://') ? [audience.slice(6)] : []),
];

export function createEntraTokens(options: EntraOptions): TokenVerifier {
  const keys = createRemoteJWKSet(new URL(options.jwksUri), {
    timeoutDuration: KEYS_TIMEOUT_MS,
    cooldownDuration: 5_000,
  });
  return {
    async verify(token): Promise<TokenOutcome> {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: options.issuer,
          audience: audiencesOf(options.audience),
          algorithms: ALGORITHMS,
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          requiredClaims: ['exp', 'iss', 'aud'],
        });
        return { type: 'verified', principal: principalOf(payload) };
      } catch (error) {
        return refusalOf(error);
      }
    },
  };
}

/** Errors of jose about the token are refusals; not reaching the keys is an operating error: nobody is guilty. */
function refusalOf(error: unknown): TokenOutcome {
  if (error instanceof errors.JWKSTimeout) throw toOperatingError('token-keys', error);
  if (!(error instanceof errors.JOSEError)) throw toOperatingError('token-keys', error);
  if (error.code === 'ERR_JOSE_GENERIC') throw toOperatingError('token-keys', error);
  const code = error instanceof errors.JWTExpired ? 'token-expired' : 'token-invalid';
  return { type: 'refused', code, detail: error.message.slice(0, 200) };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

/** Application tokens say `idtyp: app`, or carry no scope and no user name (v1 tokens of managed identities). */
function principalOf(payload: JWTPayload): Principal {
  const user = text(payload.preferred_username) ?? text(payload.upn) ?? text(payload.unique_name);
  const roles = Array.isArray(payload.roles) ? payload.roles : [];
  return {
    id: text(payload.oid) ?? text(payload.sub) ?? '',
    name:
      user ??
      text(payload.app_displayname) ??
      text(payload.appid) ??
      text(payload.azp) ??
      text(payload.sub) ??
      'unknown',
    isApplication: payload.idtyp === 'app' || (user === undefined && payload.scp === undefined),
    roles: API_ROLES.filter((role: ApiRole) => roles.includes(role)),
  };
}
