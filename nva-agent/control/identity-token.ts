// Access tokens of the VM's managed identity: one plain GET to the metadata service, kept until near expiry.
import { request } from 'node:http';
import { OperatingError } from '../../shared/errors.ts';

export interface TokenSource {
  /** A token for this audience. Throws OperatingError `no-token`. */
  readonly token: (audience: string) => Promise<string>;
  /** Drops what is kept for this audience: a seat refused it. */
  readonly forget: (audience: string) => void;
}

export interface IdentityEndpoint {
  readonly endpoint: string;
  readonly header?: string | undefined;
}

/** A token is asked for anew this long before it expires, or after half its life if that is shorter. */
export const EARLY_MS = 5 * 60_000;
const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 64 * 1024;
const API_VERSION = '2018-02-01';

interface KeptToken {
  readonly text: string;
  readonly freshUntilMs: number;
}

/** `nowMs` is any clock that does not jump. */
export function createTokenSource(identity: IdentityEndpoint, nowMs: () => number): TokenSource {
  const kept = new Map<string, KeptToken>();
  const asked = new Map<string, Promise<KeptToken>>();
  return {
    forget: (audience) => kept.delete(audience),
    token: async (audience) => {
      const known = kept.get(audience);
      if (known !== undefined && nowMs() < known.freshUntilMs) return known.text;
      // Several seats of one audience share a question.
      const pending = asked.get(audience) ?? ask(identity, audience, nowMs);
      asked.set(audience, pending);
      try {
        const token = await pending;
        kept.set(audience, token);
        return token.text;
      } finally {
        asked.delete(audience);
      }
    },
  };
}

async function ask(identity: IdentityEndpoint, audience: string, nowMs: () => number): Promise<KeptToken> {
  const url = new URL(identity.endpoint);
  url.searchParams.set('api-version', API_VERSION);
  url.searchParams.set('resource', audience);
  const headers = {
    metadata: 'true',
    ...(identity.header === undefined ? {} : { 'x-identity-header': identity.header }),
  };
  const { status, body } = await get(url, headers);
  const parsed = parseToken(body);
  if (status !== 200 || parsed === undefined) throw noToken(`${url.host} answered ${status}`);
  const lifeMs = parsed.lifeSeconds * 1000;
  return { text: parsed.text, freshUntilMs: nowMs() + Math.max(lifeMs - EARLY_MS, lifeMs / 2) };
}

function parseToken(body: string): { text: string; lifeSeconds: number } | undefined {
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json !== 'object' || json === null || !('access_token' in json)) return undefined;
    // The metadata service writes numbers as strings.
    const lifeSeconds = 'expires_in' in json ? Number(json.expires_in) : Number.NaN;
    if (typeof json.access_token !== 'string') return undefined;
    return { text: json.access_token, lifeSeconds: Number.isFinite(lifeSeconds) ? lifeSeconds : 600 };
  } catch {
    return undefined;
  }
}

function get(url: URL, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { headers, timeout: TIMEOUT_MS }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > ANSWER_BYTES_MAX) asking.destroy(new Error('answer too long'));
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', (error) => reject(noToken(error.message, error)));
    });
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    asking.on('error', (error) => reject(noToken(error.message, error)));
    asking.end();
  });
}

const noToken = (detail: string, cause?: unknown): OperatingError =>
  new OperatingError('no-token', `managed identity: ${detail}`, { retryable: true, cause });
