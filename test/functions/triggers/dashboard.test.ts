// The dashboard's files over HTTP: open, compressed, validated, under a strict policy; absent when it was not built.
import { gunzipSync } from 'node:zlib';
import { HttpRequest } from '@azure/functions';
import { describe, expect, test } from '@jest/globals';
import { type Dashboard, PAGE_FILES, readAssets, toAsset } from '../../../functions/dashboard/assets.ts';
import type { Plane } from '../../../functions/deployment.ts';
import { answer, type Client } from '../../../functions/http/call.ts';
import { contentSecurityPolicy, dashboardRoutes } from '../../../functions/triggers/dashboard.ts';

const text = '<!doctype html><p>hello hello hello hello hello hello hello hello';
const assets = new Map(Object.keys(PAGE_FILES).map((name) => [name, toAsset(name, new TextEncoder().encode(text))]));
const signIn = { authority: 'https://login.microsoftonline.com/t/v2.0', clientId: 'c', scope: 's' };

async function get(name: string, dashboard: Dashboard | undefined, headers: Record<string, string> = {}, file = '') {
  const route = dashboardRoutes.find((one) => one.name === name);
  if (route === undefined) throw new Error(name);
  const request = new HttpRequest({ method: 'GET', url: 'http://localhost/api/dashboard', headers, params: { file } });
  const plane = { ...(dashboard && { dashboard }) } as unknown as Plane;
  const log = { invocationId: 'invocation-1', warn: () => undefined, error: (said: unknown) => Promise.reject(said) };
  const { status, body, headers: given } = await answer(route, { plane, client: {} as Client, request, log });
  return { status, body, headers: given as Record<string, string> };
}

describe('the page', () => {
  test('is sent compressed to who understands that, plain to who does not', async () => {
    const packed = await get('dashboard', { assets }, { 'accept-encoding': 'gzip, br' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body as Uint8Array).toString()).toBe(text);
    const plain = await get('dashboard-file', { assets }, {}, 'app.js');
    expect(plain.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'x-content-type-options': 'nosniff',
    });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(new TextDecoder().decode(plain.body as Uint8Array)).toBe(text);
  });

  test('is not sent again while it is the same', async () => {
    const { headers } = await get('dashboard', { assets });
    expect(await get('dashboard', { assets }, { 'if-none-match': headers.etag ?? '' })).toMatchObject({ status: 304 });
    expect(await get('dashboard', { assets }, { 'if-none-match': '"other"' })).toMatchObject({ status: 200 });
  });

  test('allows no inline code, no frame, and no origins but sign-in and the lab', () => {
    const policy = contentSecurityPolicy({ signIn, lab: 'http://127.0.0.1:7070' });
    expect(policy).toContain("connect-src 'self' https://login.microsoftonline.com http://127.0.0.1:7070;");
    expect(policy).not.toMatch(/unsafe|\*/);
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    expect(contentSecurityPolicy({})).toContain("connect-src 'self';");
  });

  test.each([['app.ts'], ['../settings.ts'], [''], ['__proto__']])('serves no file %j', async (file) => {
    expect((await get('dashboard-file', { assets }, {}, file)).status).toBe(404);
  });

  test('says how to build it when it was not built', async () => {
    for (const dashboard of [undefined, { assets: readAssets('/nowhere') }]) {
      const missing = await get('dashboard', dashboard);
      expect([missing.status, JSON.parse(String(missing.body)).code]).toEqual([404, 'no-dashboard']);
      expect(String(missing.body)).toContain('npm run build');
    }
  });

  test('its configuration names where to sign in and nothing of the network', async () => {
    const config = JSON.parse(String((await get('dashboard-config', { assets, signIn })).body));
    expect(config).toEqual({ signIn, lab: null });
    expect(JSON.parse(String((await get('dashboard-config', undefined)).body))).toEqual({ signIn: null, lab: null });
  });
});
