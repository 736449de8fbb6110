// One sample of throughput: reads a body through the vip over a new connection, and tells how fast it came.
import type { Vip } from '../../shared/topology-schema.ts';
import { httpTarget } from '../plan.ts';
import { converse, type Verdict } from './connection.ts';
import { requestText } from './http.ts';
import { HttpAnswer } from './http-answer.ts';

export type HowToSample = NonNullable<NonNullable<Vip['observe']>['throughput']>;

export type Sample =
  | { readonly type: 'measured'; readonly bytesPerSecond: number; readonly bytes: number }
  /** No answer that could be measured, and why. */
  | { readonly type: 'nothing'; readonly detail: string };

export const SAMPLE_MS_MAX = 5000;
/** Less than this tells about the first round trips and not about the line. */
export const SAMPLE_BYTES_MIN = 64 * 1024;

/**
 * Reads until the body ends, `bytesMax` have come or SAMPLE_MS_MAX is over, whichever is first. The clock runs from the
 * first bytes, which are not counted: neither the connection nor the time the application thinks is throughput.
 */
export async function sampleThroughput({ url, bytesMax }: HowToSample, limitMs = SAMPLE_MS_MAX): Promise<Sample> {
  const target = httpTarget(url);
  if (target === undefined) return { type: 'nothing', detail: `${url} is no http URL` };
  const answer = new HttpAnswer();
  let status: number | undefined;
  let firstMs: number | undefined;
  let lastMs = 0;
  let bytes = 0;
  const tls = url.startsWith('https:') ? { tls: { verify: false } } : {};
  const outcome = await converse({ ...target, ...tls }, limitMs, {
    begin: (socket) => {
      socket.write(requestText(target.path, target.host, {}));
      return undefined;
    },
    data: (chunk): Verdict | undefined => {
      lastMs = performance.now();
      if (firstMs === undefined) firstMs = lastMs;
      else bytes += chunk.length;
      if (status === undefined) {
        const progress = answer.push(chunk);
        if (progress.type === 'broken') return { passed: false, detail: progress.detail };
        if (progress.type === 'head') status = progress.head.status;
        if (status !== undefined && status !== 200) return { passed: false, detail: `HTTP ${status}` };
      }
      return bytes >= bytesMax ? { passed: true } : undefined;
    },
    end: () => ({ passed: true }),
  });
  if (status !== 200) return { type: 'nothing', detail: 'detail' in outcome ? outcome.detail : 'not an HTTP answer' };
  const tookMs = lastMs - (firstMs ?? lastMs);
  if (bytes < SAMPLE_BYTES_MIN || tookMs <= 0) {
    return { type: 'nothing', detail: `${bytes} bytes after the first ones are too few to tell` };
  }
  return { type: 'measured', bytesPerSecond: Math.round((bytes / tookMs) * 1000), bytes };
}
