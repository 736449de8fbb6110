// What an observer has seen of one vip: who answers, how fast, how long nobody did.
// It must never know sockets or clocks.
import type { ObserverReport } from '../shared/report.ts';

export type Look =
  | {
      readonly type: 'answered';
      readonly region: string | null;
      readonly connectMs: number;
      readonly firstByteMs: number;
    }
  | { readonly type: 'failed' }
  /** Our own failure: no look at all. */
  | { readonly type: 'nothing' };

/** A minute of looks ten times a second. */
export const LOSS_LOOKS_MAX = 600;

export interface Observation {
  /** The newest looks over periods, oldest first: `1` answered, `0` failed. */
  readonly looks: string;
  readonly answeredBy: string | null;
  readonly answeredSinceMs: number | null;
  readonly requests: number;
  readonly failures: number;
  readonly connectMs: number | null;
  readonly firstByteMs: number | null;
  /** When the last answer came, or when observing began. */
  readonly lastAnswerMs: number;
  /** Failures since the last answer. */
  readonly isOut: boolean;
  readonly outageMs: number;
}

export const newObservation = (nowMs: number): Observation => ({
  looks: '',
  answeredBy: null,
  answeredSinceMs: null,
  requests: 0,
  failures: 0,
  connectMs: null,
  firstByteMs: null,
  lastAnswerMs: nowMs,
  isOut: false,
  outageMs: 0,
});

/** The observation after one more look, and whether seats should hear of it at once. */
export function observe(seen: Observation, look: Look, nowMs: number): { seen: Observation; isTransition: boolean } {
  switch (look.type) {
    case 'nothing':
      return { seen, isTransition: false };
    case 'failed':
      return {
        seen: {
          ...seen,
          looks: withLook(seen.looks, '0'),
          requests: seen.requests + 1,
          failures: seen.failures + 1,
          isOut: true,
        },
        isTransition: !seen.isOut,
      };
    case 'answered': {
      const isSame = seen.answeredSinceMs !== null && seen.answeredBy === look.region && !seen.isOut;
      return {
        seen: {
          ...seen,
          looks: withLook(seen.looks, '1'),
          answeredBy: look.region,
          answeredSinceMs: isSame ? seen.answeredSinceMs : nowMs,
          requests: seen.requests + 1,
          connectMs: look.connectMs,
          firstByteMs: look.firstByteMs,
          lastAnswerMs: nowMs,
          isOut: false,
          outageMs: seen.isOut ? Math.max(seen.outageMs, nowMs - seen.lastAnswerMs) : seen.outageMs,
        },
        isTransition: !isSame,
      };
    }
  }
}

const withLook = (looks: string, look: '0' | '1'): string => (looks + look).slice(-LOSS_LOOKS_MAX);

/** Failed of asked over the newest looks; undefined before the first one. */
export function lossOf({ looks }: Observation): { share: number; looks: number } | undefined {
  if (looks === '') return undefined;
  return { share: looks.replaceAll('1', '').length / looks.length, looks: looks.length };
}

/** The row of a report: an outage still going on counts up to now. */
export function reportRow(vip: string, seen: Observation, nowMs: number): ObserverReport['vips'][number] {
  const loss = lossOf(seen);
  return {
    vip,
    answeredBy: seen.answeredBy,
    sinceMs: seen.answeredSinceMs === null ? null : Math.round(seen.answeredSinceMs),
    requests: seen.requests,
    failures: seen.failures,
    connectMs: seen.connectMs,
    firstByteMs: seen.firstByteMs,
    outageMs: Math.round(seen.isOut ? Math.max(seen.outageMs, nowMs - seen.lastAnswerMs) : seen.outageMs),
    ...(loss === undefined ? {} : { loss }),
  };
}

/** The same observation at the beginning of the next period. */
export const nextPeriod = (seen: Observation): Observation => ({ ...seen, requests: 0, failures: 0, outageMs: 0 });
