// When a change of one prefix is said once more: Route Server applies about one change per prefix and window.
// It must never know the time by itself, nor what the change was.

export interface Pacing {
  /** Until then Route Server may overlook a further change; 0 when nothing was ever sent. */
  readonly windowEndsMs: number;
  /** When the same UPDATE goes out once more, if a change was sent within a window. */
  readonly resendAtMs: number | undefined;
}

export const UNPACED: Pacing = { windowEndsMs: 0, resendAtMs: undefined };

/** A change is sent at once, always. Sent within an open window it is repeated when that window closes. */
export function paceChange(pacing: Pacing, windowMs: number, nowMs: number): Pacing {
  if (windowMs === 0) return UNPACED;
  if (nowMs >= pacing.windowEndsMs) return { windowEndsMs: nowMs + windowMs, resendAtMs: undefined };
  return { windowEndsMs: pacing.windowEndsMs, resendAtMs: pacing.windowEndsMs };
}

/** The repetition was sent: it opens a window of its own. */
export const paceResend = (windowMs: number, nowMs: number): Pacing => ({
  windowEndsMs: nowMs + windowMs,
  resendAtMs: undefined,
});
