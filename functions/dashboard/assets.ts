// The built page of the dashboard, read once and compressed once: what GET /dashboard and its files answer with.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface Asset {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
  /** Strong validator of the uncompressed bytes, in quotes (RFC 9110 section 8.8.3). */
  readonly etag: string;
}

/** Where people sign in, and for what. All of it is public. */
export interface SignIn {
  /** Issuer whose OpenID configuration the page reads. */
  readonly authority: string;
  readonly clientId: string;
  readonly scope: string;
}

export interface Dashboard {
  /** By file name; empty when the page was not built. */
  readonly assets: ReadonlyMap<string, Asset>;
  /** Absent: nobody can sign in here, and the page says so. */
  readonly signIn?: SignIn;
  /** Origin of the lab's control API; only a lab sets it. */
  readonly lab?: string;
}

/** The page itself; what it loads lies beside it. */
export const PAGE = 'index.html';
export const PAGE_FILES: Readonly<Record<string, string>> = {
  [PAGE]: 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
};

/** Reads the built files of a folder; one that was never built is an empty map. */
export function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const names = Object.keys(PAGE_FILES);
  if (!names.every((name) => existsSync(join(folder, name)))) return new Map();
  return new Map(names.map((name) => [name, toAsset(name, readFileSync(join(folder, name)))]));
}

export function toAsset(name: string, bytes: Uint8Array): Asset {
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  let gzipped: Uint8Array | undefined;
  return {
    contentType: PAGE_FILES[name] ?? 'text/plain',
    bytes,
    // When it is first asked for: the start of the function app must not wait for a page that few open.
    get gzipped() {
      gzipped ??= gzipSync(bytes, { level: 9 });
      return gzipped;
    },
    etag: `"${hash}"`,
  };
}
