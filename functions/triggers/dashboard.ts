// dashboard: the operators' page and its files. Open to everybody, for it holds no data: that needs a token.
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { problem } from '../../shared/errors.ts';
import { type Asset, type Dashboard, PAGE } from '../dashboard/assets.ts';
import { type Call, json, type Route, refuse } from '../http/call.ts';

const open = (name: string, path: string, handle: Route['handle']): Route => ({
  name,
  path,
  methods: ['GET'],
  role: null,
  handle,
});

export const dashboardRoutes: readonly Route[] = [
  open('dashboard', 'dashboard', (call) => showFile(call, PAGE)),
  open('dashboard-config', 'dashboard/config', showConfig),
  open('dashboard-file', 'dashboard/files/{file}', (call) => showFile(call, call.request.params.file ?? '')),
];

/** What the page needs before anybody signed in: where to sign in, and the lab's faults if this is a lab. */
async function showConfig({ plane }: Call): Promise<HttpResponseInit> {
  const { signIn, lab } = plane.dashboard ?? {};
  return json(200, { signIn: signIn ?? null, lab: lab ?? null });
}

async function showFile({ plane, request }: Call, name: string): Promise<HttpResponseInit> {
  const asset = plane.dashboard?.assets.get(name);
  if (asset !== undefined && plane.dashboard !== undefined) return toResponse(request, asset, plane.dashboard);
  const next = 'npm run build puts the page beside the function app; every verb of anycastctl works without it';
  return refuse(problem(404, 'no-dashboard', 'No such page here', { detail: name.slice(0, 80), next }));
}

function toResponse(request: HttpRequest, asset: Asset, dashboard: Dashboard): HttpResponseInit {
  const headers: Record<string, string> = {
    'content-type': asset.contentType,
    etag: asset.etag,
    // Asked again every time, answered 304: a new version is seen at once, an old one never mixed with it.
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    'content-security-policy': contentSecurityPolicy(dashboard),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
  if (request.headers.get('if-none-match')?.includes(asset.etag)) return { status: 304, headers };
  if (!/\bgzip\b/.test(request.headers.get('accept-encoding') ?? ''))
    return { status: 200, headers, body: asset.bytes };
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: asset.gzipped };
}

/** No inline code, no other origins but those of sign-in and, in a lab, its faults; never inside a frame. */
export function contentSecurityPolicy({ signIn, lab }: Pick<Dashboard, 'signIn' | 'lab'>): string {
  const origins = [signIn?.authority, lab].flatMap((url) => (url === undefined ? [] : new URL(url).origin));
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src ${["'self'", ...new Set(origins)].join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');
}
