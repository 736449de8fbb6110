// How often one caller may ask: a token bucket for each caller and kind of call, in the memory of this process.
import type { ApiRole } from '../../shared/api.ts';

export interface Rate {
  readonly perSecond: number;
  /** Calls at once after a silence. */
  readonly burst: number;
}

/** Kinds of call: by the role they need, and open ones. */
export type RateKind = ApiRole | 'open';

/**
 * Far above what dashboards, runbooks and scripts need. An agent sends at most five reports a second and group, and one
 * more for each transition: it never comes near its bound, which keeps one stolen identity from taking the whole core.
 */
export const RATES: Readonly<Record<RateKind, Rate>> = {
  'Failover.Read': { perSecond: 50, burst: 200 },
  'Failover.Operate': { perSecond: 5, burst: 50 },
  'Agent.Report': { perSecond: 1_000, burst: 2_000 },
  open: { perSecond: 100, burst: 500 },
};

/** Callers remembered; beyond that the one silent for longest is forgotten, which gives it a full bucket again. */
export const CALLERS_MAX = 10_000;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export type Buckets = Map<string, Bucket>;

/** Takes one call of this caller. Undefined: it may go on; otherwise in how many seconds it may ask again. */
export function takeCall(buckets: Buckets, kind: RateKind, caller: string, nowMs: number): number | undefined {
  const { perSecond, burst } = RATES[kind];
  const key = `${kind}|${caller}`;
  const known = buckets.get(key);
  // A clock set back neither gives nor takes.
  const elapsedMs = known === undefined ? 0 : Math.max(0, nowMs - known.atMs);
  const tokens = Math.min(burst, (known?.tokens ?? burst) + (elapsedMs * perSecond) / 1000);
  const isAllowed = tokens >= 1;
  buckets.delete(key);
  buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, atMs: nowMs });
  const [oldest] = buckets.keys();
  if (buckets.size > CALLERS_MAX && oldest !== undefined) buckets.delete(oldest);
  return isAllowed ? undefined : Math.max(1, Math.ceil((1 - tokens) / perSecond));
}
