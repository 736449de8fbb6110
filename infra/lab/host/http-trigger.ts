// HTTP triggers: route, authorise, invoke, and turn the function's response into HTTP.
import type { IncomingMessage } from 'node:http';
import { messageOf } from './durable-engine.ts';
import type { ServedRequest, ServedResponse } from './http-server.ts';
import { type FunctionApp, triggerOf } from './invocation.ts';
import { matchRoute, parseRoute, type Route, sortRoutes } from './route.ts';
import type { Log, RpcHttp, RpcHttpCookie, RpcTypedData } from './wire.ts';

/** Methods of a trigger that names none: @azure/functions sets GET and POST, a generic trigger may leave them out. */
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

export interface HttpTriggersOptions {
  readonly app: FunctionApp;
  readonly log: Log;
  readonly routePrefix: string;
  /** Keys that functions of authLevel 'function' or 'admin' accept, as x-functions-key or ?code=. */
  readonly functionKeys: readonly string[];
  /** The durable client binding. */
  readonly durableClient: RpcTypedData | undefined;
}

interface HttpFunction {
  readonly name: string;
  readonly isAnonymous: boolean;
}

/** Makes the handler of all requests below the route prefix. Throws when a route cannot be read. */
export function createHttpTriggers(options: HttpTriggersOptions): (request: ServedRequest) => Promise<ServedResponse> {
  const routes = sortRoutes(parseRoutes(options.app));
  const prefix = options.routePrefix === '' ? '/' : `/${options.routePrefix}/`;
  return async (request) => {
    const { pathname } = request.url;
    if (!pathname.startsWith(prefix)) return { status: 404 };
    const match = matchRoute(routes, request.method, pathname.slice(prefix.length));
    switch (match.type) {
      case 'not-found':
        return { status: 404 };
      case 'method-not-allowed':
        return { status: 405, headers: { allow: match.allowed.join(', ') } };
      case 'found':
        if (!match.target.isAnonymous && !hasKey(request, options.functionKeys)) return { status: 401 };
        return invokeHttp(options, match.target.name, toRpcRequest(request, match.params));
    }
  };
}

function parseRoutes(app: FunctionApp): Route<HttpFunction>[] {
  const routes: Route<HttpFunction>[] = [];
  for (const registered of app.functions.values()) {
    const { type, route, methods = ALL_METHODS, authLevel = 'anonymous' } = triggerOf(registered);
    if (type !== 'httpTrigger') continue;
    const { name } = registered.metadata;
    const target = { name, isAnonymous: authLevel.toLowerCase() === 'anonymous' };
    routes.push(parseRoute(route ?? name, methods, target));
  }
  return routes;
}

function hasKey({ message, url }: ServedRequest, keys: readonly string[]): boolean {
  const given = message.headers['x-functions-key'] ?? url.searchParams.get('code');
  return typeof given === 'string' && keys.includes(given);
}

function toRpcRequest(
  { message, method, url, body }: ServedRequest,
  params: Readonly<Record<string, string>>,
): RpcHttp {
  return {
    method,
    url: url.href,
    headers: requestHeaders(message),
    params,
    ...(body.length > 0 && { body: { bytes: body } }),
  };
}

/** Names in lower case; what is sent several times is one value (RFC 9110 section 5.3). */
function requestHeaders({ rawHeaders }: IncomingMessage): Record<string, string> {
  // Without a prototype, so that a header may be called `constructor`.
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const value = rawHeaders[i + 1] ?? '';
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}

/** A function that fails is answered with an empty 500, as the host does: its error goes to the log only. */
async function invokeHttp(options: HttpTriggersOptions, name: string, http: RpcHttp): Promise<ServedResponse> {
  try {
    const response = await options.app.invoke(name, { httpTrigger: { http }, durableClient: options.durableClient });
    const answer = response.returnValue?.http;
    return answer ? toServedResponse(answer) : { status: 204 };
  } catch (error) {
    const message = `HTTP function '${name}' failed: ${messageOf(error)}`;
    options.log({ level: 'error', category: `Function.${name}`, message, functionName: name });
    return { status: 500 };
  }
}

function toServedResponse(http: RpcHttp): ServedResponse {
  const headers: Record<string, string | string[]> = { ...http.headers };
  const cookies = (http.cookies ?? []).map(formatCookie);
  if (cookies.length > 0) headers['set-cookie'] = cookies;
  const body = http.body?.bytes ?? http.body?.string;
  return { status: Number(http.statusCode ?? 200), headers, ...(body !== undefined && { body }) };
}

const SAME_SITE: Readonly<Record<string, string>> = { lax: 'Lax', strict: 'Strict', explicitNone: 'None' };

/** Set-Cookie of RFC 6265 4.1.1. */
export function formatCookie(cookie: RpcHttpCookie): string {
  const seconds = cookie.expires?.value?.seconds;
  const sameSite = SAME_SITE[cookie.sameSite ?? ''];
  const parts = [
    `${cookie.name}=${encodeURIComponent(cookie.value)}`,
    cookie.domain?.value && `Domain=${cookie.domain.value}`,
    cookie.path?.value && `Path=${cookie.path.value}`,
    seconds !== undefined && `Expires=${new Date(Number(seconds) * 1000).toUTCString()}`,
    cookie.maxAge?.value !== undefined && `Max-Age=${cookie.maxAge.value}`,
    cookie.secure?.value && 'Secure',
    cookie.httpOnly?.value && 'HttpOnly',
    sameSite && `SameSite=${sameSite}`,
  ];
  return parts.filter(Boolean).join('; ');
}
