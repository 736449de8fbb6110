// The window of one vip's latest probes: how many failed, in which runs, and what that amounts to.
// It must never know the time, who probes, or what is announced.

/** What one probe told. `unknown` is our own failure (no descriptors, no resolver): it never counts for or against. */
export type ProbeOutcome =
  | { readonly type: 'pass'; readonly latencyMs: number }
  | { readonly type: 'fail'; readonly latencyMs: number; readonly detail: string }
  | { readonly type: 'unknown'; readonly detail: string };

/** `fail` of the latest `of` probes failing is suspicious; `recover` passes in a row are health again. */
export interface WindowRule {
  readonly fail: number;
  readonly of: number;
  readonly recover: number;
  /** Slower than this for most of the window is degraded. */
  readonly degradedLatencyMs?: number;
}

export interface HealthWindow {
  /** Latest probes, oldest first: `1` passed, `0` failed, `?` told nothing. At most MARKS_MAX. */
  readonly marks: string;
  /** The same without `?`, at most the span of the rule. */
  readonly decided: string;
  readonly failRun: number;
  readonly passRun: number;
  readonly unknownRun: number;
  /** Latencies of the latest passes, at most `of`. */
  readonly latenciesMs: readonly number[];
}

export const MARKS_MAX = 64;
/** The character code of a failure's mark. */
const FAILED = 0x30;
/** A brown-out is judged over at least this many probes, so that chance does not look like one. */
export const SPAN_MIN = 24;
/** Of the share `fail / of`, this much over the whole span confirms a brown-out: 3 of 5 gives 12 of 24, which strict alternation reaches and 5 % lost probes hardly ever. */
const SPAN_SHARE = 0.8;
/** This share of failures over the span, not enough for a brown-out, is worth the word degraded. */
const DEGRADED_SHARE = 0.25;
/** So many changes from pass to fail within the span are no crash: the application flaps. */
const FLAPPING_EDGES = 4;

export const EMPTY_WINDOW: HealthWindow = {
  marks: '',
  decided: '',
  failRun: 0,
  passRun: 0,
  unknownRun: 0,
  latenciesMs: [],
};

/** Number of decided probes a brown-out is judged over. */
export const spanOf = (rule: WindowRule): number => Math.min(MARKS_MAX, Math.max(SPAN_MIN, 4 * rule.of));

/**
 * A suspicion in which no pass is seen needs this many failures in a row to stand by itself. Lost probes are heard of
 * late and together, so twice `fail` came by chance once in 700 hours at 5 % loss; the two more cost no time, because
 * confirmations run beside each other.
 */
export const confirmingRun = (rule: WindowRule): number => 2 * rule.fail + 2;

/** This many passes in a row leave too little room in the window for a suspicion. */
export const clearingRun = (rule: WindowRule): number => rule.of - rule.fail + 1;

/** Failures from this place on. By hand, because every probe of every vip is counted several times. */
function failuresIn(marks: string, from = 0): number {
  let failures = 0;
  for (let at = Math.max(0, from); at < marks.length; at += 1) if (marks.charCodeAt(at) === FAILED) failures += 1;
  return failures;
}

/** The window after one more probe. */
export function pushOutcome(window: HealthWindow, rule: WindowRule, outcome: ProbeOutcome): HealthWindow {
  if (outcome.type === 'unknown') {
    return { ...window, marks: `${window.marks}?`.slice(-MARKS_MAX), unknownRun: window.unknownRun + 1 };
  }
  const passed = outcome.type === 'pass';
  const mark = passed ? '1' : '0';
  return {
    marks: (window.marks + mark).slice(-MARKS_MAX),
    decided: (window.decided + mark).slice(-spanOf(rule)),
    failRun: passed ? 0 : window.failRun + 1,
    passRun: passed ? window.passRun + 1 : 0,
    unknownRun: 0,
    latenciesMs: passed ? [...window.latenciesMs, outcome.latencyMs].slice(-rule.of) : window.latenciesMs,
  };
}

/** The window of an application that has recovered: only its last unbroken passes still count. */
export const forgetFailures = (window: HealthWindow): HealthWindow => ({
  ...window,
  decided: window.decided.slice(window.decided.lastIndexOf('0') + 1),
});

/** N of M: the necessary condition of every fall. */
export const isSuspected = (window: HealthWindow, rule: WindowRule): boolean =>
  failuresIn(window.decided, window.decided.length - rule.of) >= rule.fail;

/** Failures spread over a full span: a brown-out, however its failures alternate with passes. */
export const isBrownOut = (window: HealthWindow, rule: WindowRule): boolean =>
  window.decided.length === spanOf(rule) &&
  failuresIn(window.decided) >= Math.ceil(spanOf(rule) * (rule.fail / rule.of) * SPAN_SHARE);

/**
 * A suspicion alone would fall twice an hour at 5 % lost probes (3 of 5 happens by chance), so something must confirm
 * it: a lost sentinel together with `fail` failures in a row; twice as many and two more in a row; or a brown-out over
 * the span.
 */
export function isUnhealthy(window: HealthWindow, rule: WindowRule, sentinelIsLost: boolean): boolean {
  if (!isSuspected(window, rule)) return false;
  const run = sentinelIsLost ? rule.fail : confirmingRun(rule);
  return window.failRun >= run || isBrownOut(window, rule);
}

/** The application failed and passed by turns rather than once. */
export const isFlapping = (window: HealthWindow, rule: WindowRule): boolean =>
  isBrownOut(window, rule) ? window.decided.includes('01') : window.decided.split('10').length - 1 >= FLAPPING_EDGES;

/** Works, but badly: a quarter of the span failed, or most of the latest passes were slow. */
export function isDegraded(window: HealthWindow, rule: WindowRule): boolean {
  if (failuresIn(window.decided) >= spanOf(rule) * DEGRADED_SHARE) return true;
  const limitMs = rule.degradedLatencyMs;
  if (limitMs === undefined || window.latenciesMs.length < rule.of) return false;
  return window.latenciesMs.filter((latencyMs) => latencyMs > limitMs).length > rule.of / 2;
}
