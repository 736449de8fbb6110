// Who is signed in, as far as the token says. The page only shows it: the control plane verifies it. Pure.

export interface Identity {
  readonly name: string;
  readonly roles: readonly string[];
  readonly expiresAtMs: number;
}

/** What the payload of a JWT (RFC 7519) claims; undefined when it is none. */
export function readIdentity(token: string): Identity | undefined {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
    return {
      name: text(claims.preferred_username) ?? text(claims.upn) ?? text(claims.name) ?? text(claims.sub) ?? 'unknown',
      roles: Array.isArray(claims.roles) ? claims.roles.filter((role) => typeof role === 'string') : [],
      expiresAtMs: typeof claims.exp === 'number' ? claims.exp * 1000 : 0,
    };
  } catch {
    return undefined;
  }
}

export const OPERATE = 'Failover.Operate';
