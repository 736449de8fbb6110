// Times of the week, in UTC, at which failback is allowed. Arithmetic on epoch milliseconds only.
import type { Guards } from '../../shared/topology-schema.ts';

type Windows = Guards['failbackWindows'];

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
/** 1970-01-01 was a Thursday. */
const EPOCH_MINUTE_OF_WEEK = 3 * DAY_MINUTES;

const minuteOfWeek = (nowMs: number): number => (Math.floor(nowMs / MINUTE_MS) + EPOCH_MINUTE_OF_WEEK) % WEEK_MINUTES;

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/** Start and length of every window, in minutes of the week; one that ends before it begins passes midnight. */
function spans(windows: Windows): { readonly start: number; readonly length: number }[] {
  return windows.flatMap((window) => {
    const from = minutesOf(window.from);
    const length = (minutesOf(window.to) - from + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
    return (window.days ?? DAYS).map((day) => ({ start: DAYS.indexOf(day) * DAY_MINUTES + from, length }));
  });
}

/** True inside any window, and always when there is none. */
export function isInWindow(windows: Windows, nowMs: number): boolean {
  if (windows.length === 0) return true;
  const minute = minuteOfWeek(nowMs);
  return spans(windows).some(({ start, length }) => (minute - start + WEEK_MINUTES) % WEEK_MINUTES < length);
}

/** When the next window opens; `nowMs` must be outside all of them. */
export function nextWindowMs(windows: Windows, nowMs: number): number {
  const minute = minuteOfWeek(nowMs);
  const waits = spans(windows).map(({ start }) => (start - minute + WEEK_MINUTES) % WEEK_MINUTES);
  return (Math.floor(nowMs / MINUTE_MS) + Math.min(...waits)) * MINUTE_MS;
}
