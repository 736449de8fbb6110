// Where people of the lab sign in: authorization code with PKCE (RFC 6749, RFC 7636) for the dashboard, as Entra gives it to
// single-page applications. Nobody has a password here: a person is chosen by a click.
import { createHash, randomUUID } from 'node:crypto';
import type { LabPrincipal, TokenOptions } from './entra.ts';
import { type Answer, type Endpoint, type Exchange, failed } from './exchange.ts';

/** The only application that signs people in here. */
export const DASHBOARD_CLIENT_ID = 'anycast-dashboard';
/** Only a page of this machine, and only the dashboard, is sent codes. */
const REDIRECT = /^http:\/\/(127\.0\.0\.1|localhost):\d{1,5}\/api\/dashboard$/;
const CODE_MS = 60_000;
/** Codes and refresh tokens remembered; the oldest are forgotten. */
const REMEMBERED_MAX = 1000;
const LIFETIME_SECONDS = 3600;

export const SIGN_IN_PATHS = {
  configuration: '/entra/v2.0/.well-known/openid-configuration',
  authorize: '/entra/oauth2/v2.0/authorize',
  token: '/entra/oauth2/v2.0/token',
} as const;

export interface SignInOptions {
  readonly people: readonly LabPrincipal[];
  /** Plain HTTP origin that browsers reach without the lab's own CA. */
  readonly origin: () => string;
  readonly issuer: () => string;
  readonly token: (person: string, options: TokenOptions) => Promise<string>;
  readonly nowMs: () => number;
}

interface Code {
  readonly person: string;
  readonly challenge: string;
  readonly redirect: string;
  readonly audience: string;
  readonly untilMs: number;
}

/** A page of another origin reads these answers: they hold nothing that a cookie would protect. */
const CORS = { 'access-control-allow-origin': '*', 'cache-control': 'no-store' };

export function createSignIn(options: SignInOptions): Endpoint {
  const codes = new Map<string, Code>();
  const refreshes = new Map<string, Pick<Code, 'person' | 'audience'>>();
  return ({ url, method, body }) => {
    switch (url.pathname) {
      case SIGN_IN_PATHS.configuration:
        return { status: 200, headers: CORS, json: configuration(options) };
      case SIGN_IN_PATHS.authorize:
        return authorize(options, codes, url);
      case SIGN_IN_PATHS.token:
        return method === 'POST' ? redeem(options, codes, refreshes, new URLSearchParams(body.toString())) : undefined;
      default:
        return undefined;
    }
  };
}

const configuration = ({ issuer, origin }: SignInOptions) => ({
  issuer: issuer(),
  authorization_endpoint: `${origin()}${SIGN_IN_PATHS.authorize}`,
  token_endpoint: `${origin()}${SIGN_IN_PATHS.token}`,
  code_challenge_methods_supported: ['S256'],
  response_types_supported: ['code'],
});

/** Without `person`: asks who it is. With it: sends the browser back with a code. */
function authorize(options: SignInOptions, codes: Map<string, Code>, url: Exchange['url']): Answer {
  const ask = (name: string): string => url.searchParams.get(name) ?? '';
  const redirect = ask('redirect_uri');
  if (ask('client_id') !== DASHBOARD_CLIENT_ID) return failed(400, 'unauthorized_client', 'no such application');
  if (!REDIRECT.test(redirect)) return failed(400, 'invalid_request', 'this redirect_uri is not registered');
  if (ask('response_type') !== 'code') return failed(400, 'unsupported_response_type', 'only code');
  if (ask('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(ask('code_challenge')))
    return failed(400, 'invalid_request', 'PKCE with S256 is required');
  const person = options.people.find(({ name }) => name === ask('person'))?.name;
  if (person === undefined) return { status: 200, html: choicePage(options.people, url) };
  const code = randomUUID();
  remember(codes, code, {
    ...{ person, redirect, challenge: ask('code_challenge'), audience: audienceOf(ask('scope')) },
    untilMs: options.nowMs() + CODE_MS,
  });
  const back = new URL(redirect);
  back.searchParams.set('code', code);
  back.searchParams.set('state', ask('state'));
  return { status: 302, headers: { location: back.href, 'cache-control': 'no-store' } };
}

async function redeem(
  options: SignInOptions,
  codes: Map<string, Code>,
  refreshes: Map<string, Pick<Code, 'person' | 'audience'>>,
  form: URLSearchParams,
): Promise<Answer> {
  const granted =
    form.get('grant_type') === 'refresh_token'
      ? take(refreshes, form.get('refresh_token'))
      : redeemCode(take(codes, form.get('code')), form, options.nowMs());
  if (granted === undefined) return { status: 400, headers: CORS, json: { error: 'invalid_grant' } };
  const { person, audience } = granted;
  const refresh_token = randomUUID();
  remember(refreshes, refresh_token, { person, audience });
  const access_token = await options.token(person, { audience, lifetimeSeconds: LIFETIME_SECONDS });
  return {
    status: 200,
    headers: CORS,
    json: { token_type: 'Bearer', expires_in: LIFETIME_SECONDS, access_token, refresh_token },
  };
}

function redeemCode(code: Code | undefined, form: URLSearchParams, nowMs: number): Code | undefined {
  if (code === undefined || code.untilMs < nowMs) return undefined;
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url');
  const isSame = challenge === code.challenge && form.get('redirect_uri') === code.redirect;
  return isSame && form.get('client_id') === DASHBOARD_CLIENT_ID ? code : undefined;
}

function remember<T>(all: Map<string, T>, key: string, value: T): void {
  all.set(key, value);
  const [oldest] = all.keys();
  if (all.size > REMEMBERED_MAX && oldest !== undefined) all.delete(oldest);
}

/** Each is good for one use. */
function take<T>(all: Map<string, T>, key: string | null): T | undefined {
  const found = all.get(key ?? '');
  all.delete(key ?? '');
  return found;
}

/** `openid api://x/.default` asks for `api://x`. */
const audienceOf = (scope: string): string =>
  scope
    .split(' ')
    .find((part) => part.endsWith('/.default'))
    ?.replace(/\/\.default$/, '') ?? '';

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function choicePage(people: readonly LabPrincipal[], url: URL): string {
  const choices = people.map(({ name, roles }) => {
    const link = new URL(url);
    link.searchParams.set('person', name);
    const what = roles.length === 0 ? 'no role' : roles.join(', ');
    return `<p><a href="${escapeHtml(link.pathname + link.search)}">${escapeHtml(name)}</a> ${escapeHtml(what)}</p>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in to the lab</title><style>:root{color-scheme:light dark;font:1.1rem/1.6 system-ui}body{max-width:36rem;margin:10vh auto;padding:0 1rem}</style>
<h1>Sign in to the lab</h1><p>This stands in for Entra ID. Who are you?</p>${choices.join('')}</html>`;
}
