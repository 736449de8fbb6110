// The words of the project, one per idea. Everything else imports these; nothing invents synonyms.

/** What the sources together say of one vip in one region. Unknown is not unhealthy. */
export const VERDICTS = ['healthy', 'degraded', 'unhealthy', 'lost', 'unknown'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What an agent can say of its own application: it cannot call itself lost. */
export const LOCAL_VERDICTS = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;
export type LocalVerdict = (typeof LOCAL_VERDICTS)[number];

export const ROLES = ['primary', 'backup', 'drained', 'out'] as const;
export type Role = (typeof ROLES)[number];

/** Whether a region's NVAs put the prefix on the wire at all. */
export const ROUTE_STATES = ['announced', 'withheld'] as const;
export type RouteState = (typeof ROUTE_STATES)[number];

/** What an agent does by itself when its own application fails. */
export const LOCAL_FAILURES = ['last-resort', 'withdraw', 'ignore'] as const;
export type LocalFailure = (typeof LOCAL_FAILURES)[number];

export const ACTOR_TYPES = ['automation', 'human', 'runbook', 'agent'] as const;
export type ActorType = (typeof ACTOR_TYPES)[number];

/** Outcome of one step of a proof: never assumed. */
export const PROOFS = ['proved', 'failed', 'waiting', 'not checked'] as const;
export type Proof = (typeof PROOFS)[number];

/** One face per verdict, the same in terminal, page and workbook. */
export const VERDICT_GLYPHS: Readonly<Record<Verdict, string>> = {
  healthy: '●',
  degraded: '◐',
  unhealthy: '✕',
  lost: '◌',
  unknown: '?',
};

/** (epoch, generation), compared in that order: the age of an order and of a ledger. */
export interface Sequence {
  readonly epoch: number;
  readonly generation: number;
}

export const SEQUENCE_ZERO: Sequence = { epoch: 0, generation: 0 };

/** Below zero when `a` is older than `b`, zero when equal, above zero when newer. */
export function compareSequence(a: Sequence, b: Sequence): number {
  return a.epoch - b.epoch || a.generation - b.generation;
}
