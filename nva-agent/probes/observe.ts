// One look at a vip from outside: a new connection, which region answered, how long that took.
import type { Vip } from '../../shared/topology-schema.ts';
import type { Look } from '../observation.ts';
import { httpTarget } from '../plan.ts';
import { converse, type Verdict } from './connection.ts';
import { requestText } from './http.ts';
import { HttpAnswer } from './http-answer.ts';

/** Any answer below 500 counts: what matters is which region gave it. Never rejects. */
export async function askWho(how: NonNullable<Vip['observe']>, timeoutMs: number): Promise<Look> {
  const target = httpTarget(how.url);
  if (target === undefined) return { type: 'nothing' };
  const startedMs = performance.now();
  const answer = new HttpAnswer();
  let connectMs = 0;
  let firstByteMs: number | undefined;
  let region: string | null = null;
  const isTls = how.url.startsWith('https:');
  const outcome = await converse({ ...target, ...(isTls ? { tls: { verify: false } } : {}) }, timeoutMs, {
    begin: (socket) => {
      connectMs = performance.now() - startedMs;
      socket.write(requestText(target.path, target.host, {}));
      return undefined;
    },
    data: (chunk): Verdict | undefined => {
      firstByteMs ??= performance.now() - startedMs;
      const progress = answer.push(chunk);
      if (progress.type === 'more') return undefined;
      if (progress.type === 'broken') return { passed: false, detail: progress.detail };
      region = progress.head.headers.get(how.header.toLowerCase()) ?? null;
      return progress.head.status < 500 ? { passed: true } : { passed: false, detail: `HTTP ${progress.head.status}` };
    },
  });
  if (outcome.type === 'unknown') return { type: 'nothing' };
  return outcome.type === 'fail'
    ? { type: 'failed' }
    : { type: 'answered', region, connectMs, firstByteMs: firstByteMs ?? 0 };
}
