// Signing in: authorization code with PKCE (RFC 6749, RFC 7636) in plain fetch and Web Crypto; the token stays in this tab.

/** As GET /api/dashboard/config tells it. */
export interface SignInConfig {
  readonly authority: string;
  readonly clientId: string;
  readonly scope: string;
}

interface Kept {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresAtMs: number;
}

const KEPT = 'anycast.token';
const PENDING = 'anycast.sign-in';
/** A token is renewed this long before it ends. */
const EARLY_MS = 5 * 60_000;
const TIMEOUT_MS = 15_000;

const base64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
const randomText = (): string => base64Url(crypto.getRandomValues(new Uint8Array(32)));
/** Where the browser is sent back to: this page, without anything behind it. */
const redirectUri = (): string => `${location.origin}${location.pathname}`;

interface Endpoints {
  readonly authorize: string;
  readonly token: string;
}

/** Only endpoints of the configured authority's own origin are believed. */
async function discover({ authority }: SignInConfig): Promise<Endpoints> {
  const url = `${authority.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`the sign-in service answered ${response.status}`);
  const found = (await response.json()) as Record<string, unknown>;
  const endpoint = (name: string): string => {
    const value = found[name];
    if (typeof value !== 'string' || new URL(value).origin !== new URL(authority).origin)
      throw new Error(`the sign-in service names no ${name} of its own`);
    return value;
  };
  return { authorize: endpoint('authorization_endpoint'), token: endpoint('token_endpoint') };
}

/** Leaves the page; the browser comes back with a code. */
export async function beginSignIn(config: SignInConfig): Promise<void> {
  const { authorize } = await discover(config);
  const [verifier, state] = [randomText(), randomText()];
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, hash: location.hash }));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const url = new URL(authorize);
  const query = {
    client_id: config.clientId,
    response_type: 'code',
    redirect_uri: redirectUri(),
    scope: config.scope,
    state,
    code_challenge: base64Url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  location.assign(url);
}

/** Finishes a sign-in that the address bar brings back. Throws, in words for people, when it was refused. */
export async function finishSignIn(config: SignInConfig): Promise<void> {
  const query = new URLSearchParams(location.search);
  const [code, state, error] = [query.get('code'), query.get('state'), query.get('error')];
  if (code === null && error === null) return;
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? '{}') as Record<string, string>;
  sessionStorage.removeItem(PENDING);
  // The code must not stay in the history, whatever becomes of it.
  history.replaceState(null, '', `${location.pathname}${pending.hash ?? ''}`);
  if (error !== null) throw new Error(query.get('error_description') ?? error);
  if (state === null || state !== pending.state) throw new Error('this sign-in was not begun in this tab');
  await redeem(config, {
    grant_type: 'authorization_code',
    code: code ?? '',
    redirect_uri: redirectUri(),
    code_verifier: pending.verifier ?? '',
  });
}

async function redeem(config: SignInConfig, grant: Record<string, string>): Promise<Kept> {
  const { token } = await discover(config);
  const body = new URLSearchParams({ client_id: config.clientId, scope: config.scope, ...grant });
  const response = await fetch(token, { method: 'POST', body, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (!response.ok || typeof answer.access_token !== 'string')
    throw new Error(String(answer.error_description ?? answer.error ?? `sign-in answered ${response.status}`));
  const kept: Kept = {
    accessToken: answer.access_token,
    refreshToken: typeof answer.refresh_token === 'string' ? answer.refresh_token : undefined,
    expiresAtMs: Date.now() + Number(answer.expires_in ?? 0) * 1000,
  };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  return kept;
}

const readKept = (): Kept | undefined => {
  const text = sessionStorage.getItem(KEPT);
  return text === null ? undefined : (JSON.parse(text) as Kept);
};

export const signOut = (): void => sessionStorage.removeItem(KEPT);

let renewal: Promise<Kept> | undefined;

/** The token to send, renewed in time; undefined when nobody is signed in any more. */
export async function currentToken(config: SignInConfig | undefined): Promise<string | undefined> {
  const kept = readKept();
  if (kept === undefined || config === undefined) return undefined;
  if (Date.now() < kept.expiresAtMs - EARLY_MS) return kept.accessToken;
  if (kept.refreshToken !== undefined) {
    // One renewal for all who wait: a refresh token is good once.
    renewal ??= redeem(config, { grant_type: 'refresh_token', refresh_token: kept.refreshToken }).finally(() => {
      renewal = undefined;
    });
    try {
      return (await renewal).accessToken;
    } catch {
      // What is left of the old token still serves.
    }
  }
  if (Date.now() < kept.expiresAtMs) return kept.accessToken;
  signOut();
  return undefined;
}
