// Reads the little of an HTTP/1.1 answer that a probe needs: its status, a header, whether its body holds a text.

export interface HttpHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Longest head and body a probe reads; more than this is no health page. */
export const HEAD_BYTES_MAX = 16 * 1024;
export const BODY_BYTES_MAX = 256 * 1024;

export type HttpProgress =
  | { readonly type: 'more' }
  | { readonly type: 'head'; readonly head: HttpHead }
  | { readonly type: 'broken'; readonly detail: string };

/** Collects an answer chunk by chunk (RFC 9112). */
export class HttpAnswer {
  #bytes: Buffer = Buffer.alloc(0);
  #head: HttpHead | undefined;

  /** Progress after this chunk: `head` from the moment the whole head is known. */
  push(chunk: Buffer): HttpProgress {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    if (this.#head === undefined) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end === -1) {
        return this.#bytes.length > HEAD_BYTES_MAX ? { type: 'broken', detail: 'head too long' } : { type: 'more' };
      }
      this.#head = parseHead(this.#bytes.toString('latin1', 0, end));
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    if (this.#head === undefined) return { type: 'broken', detail: 'not an HTTP answer' };
    return { type: 'head', head: this.#head };
  }

  /** The body so far, with chunked framing removed (RFC 9112 7.1). */
  body(): string {
    const isChunked = this.#head?.headers.get('transfer-encoding')?.toLowerCase().includes('chunked') ?? false;
    return (isChunked ? withoutChunks(this.#bytes) : this.#bytes).toString('utf8');
  }

  /** The body is longer than a probe reads, or as long as it said it would be. */
  isBodyComplete(): boolean {
    if (this.#bytes.length >= BODY_BYTES_MAX) return true;
    const { headers } = this.#head ?? { headers: new Map<string, string>() };
    if (headers.get('transfer-encoding') !== undefined) return this.#bytes.includes('0\r\n\r\n');
    const length = headers.get('content-length');
    return length !== undefined && this.#bytes.length >= Number(length);
  }
}

function parseHead(text: string): HttpHead | undefined {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return undefined;
  let headers: Map<string, string> | undefined;
  return {
    status: Number(status),
    // Most probes ask for the status only.
    get headers() {
      headers ??= headersOf(lines);
      return headers;
    },
  };
}

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

function withoutChunks(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
