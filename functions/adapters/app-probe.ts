// Asks an application over HTTP, HTTPS or TCP from where the seat stands. An answer that is not as expected speaks
// against the application; no answer speaks against nobody, for the way there may be what fails.
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import type { ProbeConfig } from '../../shared/topology-schema.ts';
import type { AppProbe } from '../ports.ts';

/** A body is read only where something is expected in it, and so far. */
const BODY_BYTES_MAX = 64 * 1024;
const DETAIL_LENGTH_MAX = 120;

type Answer = Awaited<ReturnType<AppProbe['ask']>>;
type HttpProbe = Extract<ProbeConfig, { readonly url: string }>;

export const appProbe: AppProbe = {
  async ask(probe, timeoutMs) {
    try {
      if (probe.type === 'tcp') return await askTcp(probe.target, timeoutMs);
      if (probe.type === 'http' || probe.type === 'https') return await askHttp(probe, timeoutMs);
      return { verdict: 'unknown', detail: `seats do not ask by ${probe.type}` };
    } catch (error) {
      return { verdict: 'unknown', detail: whyNot(error, timeoutMs) };
    }
  },
};

function whyNot(error: unknown, timeoutMs: number): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  return `no answer: ${code ?? message}`.slice(0, DETAIL_LENGTH_MAX);
}

/** Redirects are answers like any other: they are expected or they are not. */
function askHttp(probe: HttpProbe, timeoutMs: number): Promise<Answer> {
  const { url, headers, verifyTls, expectStatus, expectBody } = probe;
  const options = { headers, agent: false as const, signal: AbortSignal.timeout(timeoutMs) };
  return new Promise((resolve, reject) => {
    const asking = url.startsWith('https:')
      ? requestHttps(url, { ...options, rejectUnauthorized: verifyTls })
      : requestHttp(url, options);
    const settle = (verdict: Answer['verdict'], detail: string) => {
      resolve({ verdict, detail });
      asking.destroy();
    };
    asking.once('error', reject);
    asking.once('response', (response) => {
      const status = response.statusCode ?? 0;
      if (!expectStatus.includes(status)) return settle('unhealthy', `answered ${status}`);
      if (expectBody === undefined) return settle('healthy', `answered ${status}`);
      let text = '';
      response.setEncoding('utf8');
      response.once('error', reject);
      response.on('data', (part: string) => {
        text += part;
        if (text.includes(expectBody)) settle('healthy', `answered ${status}`);
        else if (text.length > BODY_BYTES_MAX) settle('unhealthy', 'answered without the text expected');
      });
      response.once('end', () => settle('unhealthy', 'answered without the text expected'));
    });
    asking.end();
  });
}

/** A connection is an answer; its refusal may come from anything on the way. */
function askTcp(target: string, timeoutMs: number): Promise<Answer> {
  const { hostname, port } = new URL(`tcp://${target}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), signal: AbortSignal.timeout(timeoutMs) });
    socket.once('error', reject);
    socket.once('connect', () => {
      resolve({ verdict: 'healthy', detail: 'connected' });
      socket.destroy();
    });
  });
}
