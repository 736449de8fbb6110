// Turns a client's requests into outages: from the last answer before a failure to the first answer after it. Pure.

/** One finished request, epoch ms. `region` is null when nothing, or no region's answer, came back. */
export interface FinishedRequest {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly region: string | null;
}

export interface Outage {
  /** Completion of the last answered request before the first failed one. */
  readonly startedAtMs: number;
  /** From there to the completion of the first answered request begun after the last failed one. */
  readonly outageMs: number;
  readonly failedRequests: number;
}

export interface OutageWatch {
  readonly lastAnswerAtMs: number | null;
  readonly open: { readonly startedAtMs: number; readonly failedRequests: number } | null;
}

export const OUTAGE_WATCH_START: OutageWatch = { lastAnswerAtMs: null, open: null };

/**
 * Takes one request, in the order requests were begun, and says whether it ended an outage. In that order a timeout of a
 * request begun before the route moved never counts against the answers begun after it.
 */
export function watchOutage(
  watch: OutageWatch,
  request: FinishedRequest,
): { readonly watch: OutageWatch; readonly ended?: Outage } {
  if (request.region === null) {
    // Before the first answer there was no service to lose.
    if (watch.lastAnswerAtMs === null) return { watch };
    const startedAtMs = watch.open?.startedAtMs ?? watch.lastAnswerAtMs;
    const failedRequests = (watch.open?.failedRequests ?? 0) + 1;
    return { watch: { ...watch, open: { startedAtMs, failedRequests } } };
  }
  const next: OutageWatch = { lastAnswerAtMs: request.endedAtMs, open: null };
  if (watch.open === null) return { watch: next };
  const { startedAtMs, failedRequests } = watch.open;
  return {
    watch: next,
    ended: { startedAtMs, outageMs: Math.max(0, request.endedAtMs - startedAtMs), failedRequests },
  };
}
