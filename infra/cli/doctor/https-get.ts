// One HTTPS GET with a CA of one's own, bounded in time and size; also tells when the server's certificate ends.
import { get } from 'node:https';
import type { TLSSocket } from 'node:tls';

const BODY_BYTES_MAX = 8 * 1024 * 1024;

export interface HttpsAnswer {
  readonly status: number;
  readonly body: string;
  readonly certificateEndsAtMs: number | null;
}

export interface HttpsOptions {
  /** PEM; absent: the system's. */
  readonly ca: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Rejects when nothing answered in time or the answer is too large. */
export function httpsGet(url: string, { ca, headers = {}, timeoutMs }: HttpsOptions): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get(url, { ...(ca !== undefined && { ca }), headers, agent: false, signal }, (response) => {
      const endMs = Date.parse((response.socket as TLSSocket).getPeerCertificate().valid_to ?? '');
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
        if (body.length > BODY_BYTES_MAX) request.destroy(new Error('answer too large'));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, certificateEndsAtMs: Number.isNaN(endMs) ? null : endMs }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
