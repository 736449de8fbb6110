// The lab's sign-in for people: the whole code flow with PKCE, and everything it must refuse.
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Answer, Endpoint } from '../../../../infra/lab/azure/exchange.ts';
import { createSignIn, DASHBOARD_CLIENT_ID, SIGN_IN_PATHS } from '../../../../infra/lab/azure/sign-in.ts';

const ORIGIN = 'http://127.0.0.1:9';
const REDIRECT = 'http://127.0.0.1:7071/api/dashboard';
const VERIFIER = 'v'.repeat(43);
const challenge = createHash('sha256').update(VERIFIER).digest('base64url');

let nowMs: number;
let signIn: Endpoint;
beforeEach(() => {
  nowMs = 1000;
  signIn = createSignIn({
    people: [{ name: 'operator@lab.example', isPerson: true, roles: ['Failover.Read'] }],
    origin: () => ORIGIN,
    issuer: () => 'https://issuer',
    token: async (person, { audience }) => `${person} for ${audience}`,
    nowMs: () => nowMs,
  });
});

const ask = async (
  path: string,
  query: Record<string, string> = {},
  form?: Record<string, string>,
): Promise<Answer> => {
  const url = new URL(path, ORIGIN);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const body = Buffer.from(new URLSearchParams(form ?? {}).toString());
  const answer = await signIn({ method: form === undefined ? 'GET' : 'POST', url, headers: {}, body });
  if (answer === undefined) throw new Error(`nothing at ${path}`);
  return answer;
};
const query = {
  client_id: DASHBOARD_CLIENT_ID,
  redirect_uri: REDIRECT,
  response_type: 'code',
  scope: 'openid api://app/.default',
  state: 's&t',
  code_challenge: challenge,
  code_challenge_method: 'S256',
};
const authorize = (more: Record<string, string> = {}) => ask(SIGN_IN_PATHS.authorize, { ...query, ...more });
const form = {
  grant_type: 'authorization_code',
  client_id: DASHBOARD_CLIENT_ID,
  redirect_uri: REDIRECT,
  code_verifier: VERIFIER,
};
const redeem = (more: Record<string, string>) => ask(SIGN_IN_PATHS.token, {}, { ...form, ...more });
const newCode = async (): Promise<string> =>
  new URL((await authorize({ person: 'operator@lab.example' })).headers?.location ?? '').searchParams.get('code') ?? '';

describe('the sign-in of the lab', () => {
  test('asks who it is, sends a code back, gives a token for it, and another for the refresh token', async () => {
    expect((await authorize()).html).toContain('operator@lab.example');
    const back = new URL((await authorize({ person: 'operator@lab.example' })).headers?.location ?? '');
    expect([back.origin + back.pathname, back.searchParams.get('state')]).toEqual([REDIRECT, 's&t']);
    const first = await redeem({ code: back.searchParams.get('code') ?? '' });
    expect(first.json).toMatchObject({ access_token: 'operator@lab.example for api://app', token_type: 'Bearer' });
    const { refresh_token } = first.json as { refresh_token: string };
    const again = { grant_type: 'refresh_token', refresh_token };
    expect((await redeem(again)).json).toMatchObject({ access_token: 'operator@lab.example for api://app' });
    // Each is good once.
    expect(await redeem(again)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } });
  });

  test('a code is good once, for a minute, and only with its verifier, address and application', async () => {
    const code = await newCode();
    expect((await redeem({ code })).status).toBe(200);
    expect((await redeem({ code })).status).toBe(400);
    for (const wrong of [
      { code_verifier: 'x'.repeat(43) },
      { redirect_uri: 'http://localhost:1/api/dashboard' },
      { client_id: 'other' },
    ])
      expect((await redeem({ code: await newCode(), ...wrong })).status).toBe(400);
    const late = await newCode();
    nowMs += 60_001;
    expect((await redeem({ code: late })).status).toBe(400);
  });

  test.each([
    [{ client_id: 'other' }, 'unauthorized_client'],
    [{ redirect_uri: 'http://evil.example/api/dashboard' }, 'invalid_request'],
    [{ redirect_uri: `${REDIRECT}/../evil` }, 'invalid_request'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
  ])('refuses %j', async (wrong, code) => {
    expect(await authorize({ ...wrong, person: 'operator@lab.example' })).toMatchObject({
      status: 400,
      json: { error: { code } },
    });
  });

  test('what stands in the address is text on its page, and nobody unknown is let in', async () => {
    const { status, html } = await authorize({ state: '"><script>', person: '<script>' });
    expect(status).toBe(200);
    expect(html).not.toContain('<script>');
  });

  test('its configuration names its own endpoints', async () => {
    expect((await ask(SIGN_IN_PATHS.configuration)).json).toMatchObject({
      issuer: 'https://issuer',
      token_endpoint: `${ORIGIN}${SIGN_IN_PATHS.token}`,
    });
  });
});
