// The HTTP API of the control plane as schemas: requests are parsed with them, answers and OpenAPI derive from them.
import { z } from 'zod';
import { auditRecordSchema } from './audit.ts';
import { SESSION_STATES } from './report.ts';
import { ACTOR_TYPES, PROOFS, ROLES, ROUTE_STATES, VERDICTS } from './vocabulary.ts';

export const API_ROLES = ['Failover.Read', 'Failover.Operate', 'Agent.Report'] as const;
export type ApiRole = (typeof API_ROLES)[number];

const reason = z.string().trim().min(3).max(500);
const ms = z.number();
const proof = z.enum(PROOFS);

// ---------------------------------------------------------------- requests

const mutation = {
  reason,
  /** Explain what would happen, change nothing. */
  dryRun: z.boolean().default(false),
  /** Generation the caller's preview was made from; when the ledger has moved on, the answer is 409 with a new preview. */
  seenGeneration: z.int().min(0).optional(),
};

/** Not before this time (epoch ms, at most AT_DAYS_MAX ahead): it waits in the ledger, is shown by GET /status, and can be cancelled. */
const laterMs = z.int().min(0).optional();
/** How far ahead a move may be arranged. */
export const AT_DAYS_MAX = 30;

export const failoverRequestSchema = z.strictObject({
  /** Target region; absent: the best other region, named in the answer. */
  to: z.string().optional(),
  /** Guards overridden, by name. */
  force: z.array(z.string()).max(8).default([]),
  atMs: laterMs,
  ...mutation,
});
export const failbackRequestSchema = z.strictObject({
  force: z.array(z.string()).max(8).default([]),
  atMs: laterMs,
  ...mutation,
});
export const drainRequestSchema = z.strictObject({
  /** One vip only; absent: every vip of the region. */
  vip: z.string().optional(),
  force: z.array(z.string()).max(8).default([]),
  ...mutation,
});
export const holdRequestSchema = z.strictObject({
  /** Absent: every vip. */
  vip: z.string().optional(),
  reason,
  seconds: z.number().min(1).max(604800),
  /** Also keep an unhealthy or lost region acting. */
  full: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});
export const drillRequestSchema = z.strictObject({
  vip: z.string(),
  to: z.string().optional(),
  /** How long traffic stays on the other region before it fails back. */
  seconds: z.number().min(1).max(3600).default(60),
  ...mutation,
});

/** Says that a rebuilt or doubtful ledger is right as it now stands: automation goes on. */
export const trustRequestSchema = z.strictObject({ reason });

// ---------------------------------------------------------------- answers

export const planSchema = z.strictObject({
  dryRun: z.literal(true),
  allowed: z.boolean(),
  alreadySo: z.boolean(),
  generation: z.int(),
  actions: z.array(
    z.strictObject({
      vip: z.string(),
      region: z.string(),
      kind: z.string(),
      before: z.string(),
      after: z.string(),
      prependBefore: z.int(),
      prependAfter: z.int(),
      reason: z.string(),
      detail: z.string(),
    }),
  ),
  blocked: z.array(z.strictObject({ vip: z.string(), guard: z.string(), detail: z.string() })),
  /** The plan in sentences. */
  explanation: z.array(z.string()),
});

export const OPERATION_KINDS = [
  'failover',
  'failback',
  'drain',
  'undrain',
  'drill',
  'hold',
  'trust-ledger',
  'cancel',
] as const;
export const OPERATION_STATES = [
  'running',
  'scheduled',
  'proved',
  'not-proved',
  'refused',
  'expired',
  'failed',
  'already-so',
  'cancelled',
] as const;

export const operationSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(OPERATION_KINDS),
  /**
   * proved: every step proved or not checkable. not-proved: done, but a proof failed or stayed open to the deadline.
   * scheduled: waits for its time. cancelled: dropped before it moved anything (a drill: and traffic is back).
   */
  state: z.enum(OPERATION_STATES),
  vip: z.string().nullable(),
  region: z.string().nullable(),
  actor: z.string(),
  actorType: z.enum(ACTOR_TYPES),
  reason: z.string(),
  createdAtMs: ms,
  deadlineMs: ms,
  finishedAtMs: ms.nullable(),
  decisionId: z.string().nullable(),
  generation: z.int().nullable(),
  steps: z.array(z.strictObject({ name: z.string(), proof, detail: z.string(), atMs: ms })),
  /** Why it was refused or not proved. */
  problems: z.array(z.strictObject({ code: z.string(), detail: z.string() })),
  /** Drill only: what was measured. */
  report: z
    .strictObject({
      outageMs: ms.nullable(),
      phases: z.array(z.strictObject({ name: z.string(), proved: z.boolean(), ms, latencyMs: ms.nullable() })),
    })
    .optional(),
});

const proofStepSchema = z.strictObject({ proof, detail: z.string(), atMs: ms.nullable() });

export const statusNvaSchema = z.strictObject({
  nva: z.string(),
  reportAgeMs: ms.nullable(),
  order: z.strictObject({ epoch: z.int(), generation: z.int() }).nullable(),
  /** It has the newest order. */
  acknowledged: z.boolean(),
  sessions: z.array(
    z.strictObject({
      peer: z.string(),
      state: z.enum(SESSION_STATES),
      /** What this instance was last told. */
      asPath: z.array(z.int()).nullable(),
      /** What this instance was last seen to hold (null: not this prefix); absent when nobody could look. */
      learned: z.strictObject({ asPath: z.array(z.int()).nullable(), atMs: ms }).optional(),
    }),
  ),
  /** Route Server's own metric of its sessions with this NVA, minutes late; absent when nobody reads it. */
  peerStatus: z.array(z.strictObject({ instance: z.string(), isUp: z.boolean(), atMs: ms })).optional(),
  window: z.string(),
  latencyMs: ms.nullable(),
  lastResort: z.boolean(),
});

export const statusRegionSchema = z.strictObject({
  region: z.string(),
  role: z.enum(ROLES),
  rung: z.int(),
  prepend: z.int(),
  state: z.enum(ROUTE_STATES),
  /** Whether an observer was answered by it lately; null: nobody looked. */
  serves: z.boolean().nullable(),
  verdict: z.enum(VERDICTS),
  verdictSinceMs: ms,
  detail: z.string(),
  /** What each source says, and how old that is. */
  sources: z
    .array(
      z.strictObject({
        source: z.string(),
        says: z.enum([...VERDICTS, 'absent']),
        ageMs: ms.nullable(),
        detail: z.string(),
      }),
    )
    .optional(),
  proofs: z.strictObject({
    agent: proofStepSchema,
    routeServer: proofStepSchema,
    circuit: proofStepSchema,
    observer: proofStepSchema,
  }),
  nvas: z.array(statusNvaSchema),
  /** Its last proof failed at this step (empty: not known), and since when that has been seen again; absent: no doubt. */
  unproven: z.strictObject({ sinceMs: ms, step: z.string(), provedSinceMs: ms.nullable() }).optional(),
});

/** What one observer on-premises was answered over its last period. */
export const statusObserverSchema = z.strictObject({
  observer: z.string(),
  ageMs: ms,
  answeredBy: z.string().nullable(),
  requests: z.int(),
  failures: z.int(),
  connectMs: ms.nullable(),
  firstByteMs: ms.nullable(),
  /** Longest time without an answer in the period. */
  outageMs: ms,
  /** Share (0 to 1) of the newest looks that failed, some minutes of them; null: the observer does not tell. */
  loss: z.number().min(0).max(1).nullable().optional(),
  /** The newest body it read through the vip; null: none is sampled, or the newest sample failed. */
  throughput: z
    .strictObject({
      bytesPerSecond: z.number().min(0).describe('how fast the body came'),
      bytes: z.int().min(1).describe('how much of it was read'),
      ageMs: ms.describe('since the sample ended'),
    })
    .nullable()
    .optional(),
});

export const statusVipSchema = z.strictObject({
  vip: z.string(),
  prefix: z.string(),
  mode: z.string(),
  acting: z.string(),
  actingSinceMs: ms,
  servedBy: z.string().nullable(),
  reason: z.string(),
  detail: z.string(),
  decisionId: z.string(),
  regions: z.array(statusRegionSchema),
  observers: z.array(statusObserverSchema).optional(),
  /** The newest drill that moved this vip: ok when it was proved both ways; null: none is known. */
  lastDrill: z
    .strictObject({ atMs: ms, ok: z.boolean(), outageMs: ms.nullable(), state: z.string(), operation: z.string() })
    .nullable()
    .optional(),
  blocked: z.array(z.strictObject({ kind: z.string(), region: z.string(), guard: z.string(), detail: z.string() })),
});

export const holdSchema = z.strictObject({
  id: z.string(),
  vip: z.string().nullable(),
  actor: z.string(),
  reason: z.string(),
  createdAtMs: ms,
  expiresAtMs: ms,
  full: z.boolean(),
});

export const statusSchema = z.strictObject({
  deployment: z.string(),
  nowMs: ms,
  /** The seat that answered, and the one that leads. */
  seat: z.string(),
  leader: z.string().nullable(),
  epoch: z.int(),
  generation: z.int(),
  decidedAtMs: ms.nullable(),
  automation: z.enum(['on', 'held', 'shadow', 'untrusted']),
  /** ExpressRoute removes private AS numbers on the way to on-premises, a VPN gateway does not. */
  transport: z.enum(['expressroute', 'vpn']).optional(),
  timing: z.strictObject({ reportSeconds: z.number(), tickSeconds: z.number() }).optional(),
  seats: z.array(z.strictObject({ seat: z.string(), region: z.string(), url: z.string() })).optional(),
  /** Operations whose wish the engine has not carried out yet. */
  operations: z
    .array(
      z.strictObject({
        id: z.string(),
        kind: z.string(),
        vip: z.string().nullable(),
        region: z.string().nullable(),
        actor: z.string(),
        reason: z.string(),
        /** Waits until then; null: for its turn only. */
        notBeforeMs: ms.nullable().optional(),
        deadlineMs: ms,
      }),
    )
    .optional(),
  ledger: z.enum(['ok', 'unreachable', 'absent']),
  outboxDepth: z.int().nullable(),
  vips: z.array(statusVipSchema),
  holds: z.array(holdSchema),
  alerts: z.array(z.strictObject({ vip: z.string().nullable(), reason: z.string(), detail: z.string() })),
  /** Drills and moves at set times. */
  schedules: z
    .array(
      z.strictObject({
        schedule: z.string(),
        kind: z.string(),
        vip: z.string(),
        cron: z.string(),
        timeZone: z.string(),
        enabled: z.boolean(),
        /** Null: turned off, or never again. */
        nextAtMs: ms.nullable(),
        /** The newest time and what became of it: asked, started, missed; an asked move with its outcome. */
        last: z.strictObject({ slotMs: ms, outcome: z.string(), operation: z.string() }).nullable(),
      }),
    )
    .optional(),
});

export const explainSchema = z.strictObject({ vip: z.string(), lines: z.array(z.string()) });

export const auditPageSchema = z.strictObject({
  records: z.array(auditRecordSchema),
  /** Pass as `after` to read on; null at the end. */
  next: z.string().nullable(),
});

export const healthSchema = z.strictObject({
  ok: z.boolean(),
  seat: z.string(),
  leader: z.string().nullable(),
  ledger: z.enum(['ok', 'unreachable', 'absent']),
  decisionAgeMs: ms.nullable(),
  outboxDepth: z.int().nullable(),
});

export type FailoverRequest = z.infer<typeof failoverRequestSchema>;
export type DrainRequest = z.infer<typeof drainRequestSchema>;
export type HoldRequest = z.infer<typeof holdRequestSchema>;
export type DrillRequest = z.infer<typeof drillRequestSchema>;
export type TrustRequest = z.infer<typeof trustRequestSchema>;
export type Plan = z.infer<typeof planSchema>;
export type Operation = z.infer<typeof operationSchema>;
export type Status = z.infer<typeof statusSchema>;
export type StatusVip = z.infer<typeof statusVipSchema>;
export type StatusNva = z.infer<typeof statusNvaSchema>;
export type StatusObserver = z.infer<typeof statusObserverSchema>;
export type StatusRegion = z.infer<typeof statusRegionSchema>;
export type AuditPage = z.infer<typeof auditPageSchema>;
export type Health = z.infer<typeof healthSchema>;
