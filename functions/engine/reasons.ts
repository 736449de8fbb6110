// Every reason and guard word the engine may use. Each has a row in docs/decision-reference.md.

export const REASONS = [
  'steady',
  'first-policy',
  'app-unhealthy',
  'nva-lost',
  'isolated',
  'brown-out',
  'evidence-unknown',
  'none-healthy',
  'correlated-failure',
  'failback-due',
  'intent',
  'drained',
  'recentre',
  'survivor',
  'headroom-exhausted',
  'waiting-for-failback',
  'manual-failback',
  'member-lost',
  'prefix-withheld',
  'pacing-resend',
  'ledger-rebuilt',
  'route-server-doubt',
] as const;
export type Reason = (typeof REASONS)[number];

export const GUARDS = [
  'last-announcer',
  'stale-target',
  'unproven-target',
  'target-unhealthy',
  'headroom',
  'pacing',
  'shadow',
  'mass-failure',
  'move-budget',
  'dwell',
  'flap-penalty',
  'hold',
  'warm-up',
  'veto',
  'window',
  'calm',
  'untrusted-ledger',
] as const;
export type Guard = (typeof GUARDS)[number];

/** Guards that bind people too; the rest hold automation only. */
export const SAFETY_GUARDS: ReadonlySet<Guard> = new Set<Guard>([
  'last-announcer',
  'stale-target',
  'unproven-target',
  'target-unhealthy',
  'headroom',
  'pacing',
  'shadow',
  'untrusted-ledger',
]);
