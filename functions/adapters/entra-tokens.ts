// Verifies Entra ID access tokens (jose): signature, issuer, audience, lifetime, algorithm; then who it is.
import { hash } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { API_ROLES, type ApiRole } from '../../shared/api.ts';
import type { Principal, TokenOutcome, TokenVerifier } from '../ports.ts';
import { toOperatingError } from './operating-error.ts';

export interface EntraOptions {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly audience: string;
  /** Epoch milliseconds; this machine's clock when absent. */
  readonly nowMs?: () => number;
}

/** Entra signs with RS256. Naming it keeps `none` and the symmetric algorithms out. */
const ALGORITHMS = ['RS256'];
const CLOCK_TOLERANCE_SECONDS = 60;
const KEYS_TIMEOUT_MS = 3_000;
/** An agent shows the same token every second or two; keys taken back by Entra are noticed within this time. */
const REMEMBERED_MS = 5 * 60_000;
/** Far more callers than agents, seats and people; beyond that the oldest are verified anew. */
const REMEMBERED_MAX = 5_000;

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
  const clock = options.nowMs ?? Date.now;
  const verified = async (token: string, nowMs: number): Promise<Remembered> => {
    const { payload } = await jwtVerify(token, keys, {
      currentDate: new Date(nowMs),
      issuer: options.issuer,
      audience: audiencesOf(options.audience),
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'iss', 'aud'],
    });
    const endMs = ((payload.exp ?? 0) + CLOCK_TOLERANCE_SECONDS) * 1000;
    return { principal: principalOf(payload), fromMs: nowMs, untilMs: Math.min(endMs, nowMs + REMEMBERED_MS) };
  };
  const remembered = new Map<string, Remembered>();
  return {
    async verify(token): Promise<TokenOutcome> {
      const key = hash('sha256', token, 'base64');
      const known = remembered.get(key);
      const nowMs = clock();
      if (known !== undefined && nowMs >= known.fromMs && nowMs < known.untilMs)
        return { type: 'verified', principal: known.principal };
      remembered.delete(key);
      try {
        const one = await verified(token, nowMs);
        remember(remembered, key, one);
        return { type: 'verified', principal: one.principal };
      } catch (error) {
        return refusalOf(error);
      }
    },
  };
}

/** What was found good, by hash: no token is kept, and no refusal is. */
interface Remembered {
  readonly principal: Principal;
  /** A clock set back ends it too: nobody can tell how much of its life is over. */
  readonly fromMs: number;
  readonly untilMs: number;
}

function remember(all: Map<string, Remembered>, key: string, one: Remembered): void {
  all.set(key, one);
  const [oldest] = all.keys();
  if (all.size > REMEMBERED_MAX && oldest !== undefined) all.delete(oldest);
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
