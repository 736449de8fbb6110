// The dns probe: one query to one server, judged by its answer.
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { ProbeConfig } from '../../shared/topology-schema.ts';
import type { ProbeOutcome } from '../health/window.ts';
import { codeOf, isOwnFailure } from './own-failure.ts';

export type DnsProbe = Extract<ProbeConfig, { type: 'dns' }>;

/** A name without an answer is the server's answer here, not a failure of our resolver. */
const ANSWERS: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

export async function probeDns(probe: DnsProbe, timeoutMs: number): Promise<ProbeOutcome> {
  if (isIP(probe.server.replace(/:\d+$/, '')) !== 4) {
    return { type: 'unknown', detail: `dns server ${probe.server} is no IPv4 address` };
  }
  const startedMs = performance.now();
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  const timer = setTimeout(() => resolver.cancel(), timeoutMs);
  try {
    resolver.setServers([probe.server]);
    const records: unknown = await resolver.resolve(probe.query, probe.recordType);
    const latencyMs = performance.now() - startedMs;
    if (probe.expect === undefined || textsOf(records).includes(probe.expect)) return { type: 'pass', latencyMs };
    return { type: 'fail', latencyMs, detail: `answer lacks ${probe.expect}` };
  } catch (error) {
    const code = codeOf(error);
    if (isOwnFailure(error) && !ANSWERS.has(code)) return { type: 'unknown', detail: `our own failure: ${code}` };
    const detail = code === 'ECANCELLED' || code === 'ETIMEOUT' ? `no answer within ${timeoutMs} ms` : code;
    return { type: 'fail', latencyMs: performance.now() - startedMs, detail };
  } finally {
    clearTimeout(timer);
  }
}

/** Every text in an answer: addresses and names as they are, the parts of MX, SRV and TXT records each by itself. */
function textsOf(records: unknown): string[] {
  if (typeof records === 'string' || typeof records === 'number') return [String(records)];
  if (Array.isArray(records))
    return [...records.flatMap(textsOf), records.every((r) => typeof r === 'string') ? records.join('') : ''];
  return typeof records === 'object' && records !== null ? Object.values(records).flatMap(textsOf) : [];
}
