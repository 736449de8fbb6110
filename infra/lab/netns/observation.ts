// What an observer reports of one vip over a period, folded from the client's samples. No sockets, no clock.
import type { ObserverReport } from '../../../shared/report.ts';
import type { Sample } from './outage.ts';

export interface Observation {
  /** Region that answered the newest request that ended. */
  readonly answeredBy: string | null;
  readonly sinceMs: number | null;
  readonly newestStartMs: number;
  readonly lastAnswerAtMs: number | null;
  /** A request has failed since the last answer. */
  readonly isOut: boolean;
  readonly requests: number;
  readonly failures: number;
  readonly firstByteMs: number | null;
  readonly outageMs: number;
}

export const NOTHING_OBSERVED: Observation = {
  answeredBy: null,
  sinceMs: null,
  newestStartMs: 0,
  lastAnswerAtMs: null,
  isOut: false,
  requests: 0,
  failures: 0,
  firstByteMs: null,
  outageMs: 0,
};

/** The observation with one more finished request. Who answers is the newest request's business, not a late timeout's. */
export function observe(before: Observation, sample: Sample): Observation {
  const isNewest = sample.startMs >= before.newestStartMs;
  const isAnswered = sample.region !== null;
  const gapMs = before.isOut && isAnswered ? sample.endMs - (before.lastAnswerAtMs ?? sample.startMs) : 0;
  const changed = isNewest && sample.region !== before.answeredBy;
  return {
    answeredBy: isNewest ? sample.region : before.answeredBy,
    sinceMs: changed ? (isAnswered ? sample.endMs : null) : before.sinceMs,
    newestStartMs: Math.max(before.newestStartMs, sample.startMs),
    lastAnswerAtMs: isAnswered ? sample.endMs : before.lastAnswerAtMs,
    isOut: !isAnswered,
    requests: before.requests + 1,
    failures: before.failures + (isAnswered ? 0 : 1),
    firstByteMs: isAnswered ? sample.endMs - sample.startMs : before.firstByteMs,
    outageMs: Math.max(before.outageMs, gapMs),
  };
}

/** The period so far as an observer reports it, and the observation with which the next one begins. */
export function takePeriod(
  now: Observation,
  vip: string,
  nowMs: number,
): { readonly period: ObserverReport['vips'][number]; readonly next: Observation } {
  const openMs = now.isOut && now.lastAnswerAtMs !== null ? nowMs - now.lastAnswerAtMs : 0;
  return {
    period: {
      vip,
      answeredBy: now.answeredBy,
      sinceMs: now.sinceMs === null ? null : Math.floor(now.sinceMs),
      requests: now.requests,
      failures: now.failures,
      connectMs: null,
      firstByteMs: now.firstByteMs,
      outageMs: Math.max(now.outageMs, openMs),
    },
    next: { ...now, requests: 0, failures: 0, outageMs: 0, firstByteMs: null },
  };
}
