// The reports: what an agent saw and did, and what an observer on-premises was answered. One per group and period.
import { z } from 'zod';
import { LOCAL_VERDICTS } from './vocabulary.ts';

/** Size limit of one report on the wire. */
export const REPORT_BYTES_MAX = 512 * 1024;

/** RFC 4271 section 8.2.2 names. */
export const SESSION_STATES = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

const epochMs = z.int().min(0);
const sequence = z.strictObject({ epoch: z.int().min(0), generation: z.int().min(0) });

/** One route of the adj-RIB-out: what this peer was last told. */
export const advertisedRouteSchema = z.strictObject({
  prefix: z.string(),
  asPath: z.array(z.int().min(0).max(4294967295)).max(64),
  communities: z.array(z.string()).max(32).optional(),
  med: z.int().min(0).nullable().optional(),
});

export const reportSessionSchema = z.strictObject({
  /** Route Server instance, as written in the topology. */
  peer: z.string(),
  state: z.enum(SESSION_STATES),
  /** When this state began, on the sender's clock; compare with `atMs` only. */
  sinceMs: epochMs,
  /** Negotiated hold time, or null while not established. */
  holdSeconds: z.int().min(0).nullable(),
  routes: z.array(advertisedRouteSchema).max(4000),
});

export const reportVipSchema = z.strictObject({
  vip: z.string(),
  local: z.strictObject({
    verdict: z.enum(LOCAL_VERDICTS),
    /** When this verdict began, on the sender's clock; compare with `atMs` only. */
    sinceMs: epochMs,
    /** Last probes, oldest first: `1` passed, `0` failed, `?` told nothing. */
    window: z
      .string()
      .regex(/^[01?]*$/)
      .max(64),
    latencyMs: z.number().min(0).nullable(),
    /** Why the last probe failed, for people. */
    detail: z.string().max(500).optional(),
    /** Each probe by itself, where a vip has several. */
    probes: z
      .array(
        z.strictObject({
          name: z.string().max(100),
          verdict: z.enum(LOCAL_VERDICTS),
          window: z
            .string()
            .regex(/^[01?]*$/)
            .max(64),
          latencyMs: z.number().min(0).nullable(),
          detail: z.string().max(500).optional(),
        }),
      )
      .max(8)
      .optional(),
  }),
  /** What the agent wants on the wire now, or null when withdrawn or withheld. */
  announced: z
    .strictObject({
      rung: z.int().min(0),
      prepend: z.int().min(0),
      /** True when the agent fell to last resort by itself. */
      lastResort: z.boolean(),
      sinceMs: epochMs,
    })
    .nullable(),
  flapPenalty: z.number().min(0),
});

export const reportSchema = z.strictObject({
  v: z.literal(1),
  nva: z.string().min(1),
  group: z.string().min(1),
  /** Changes at every start of the agent. */
  bootId: z.string().min(1).max(64),
  /** Rises by one with every report of a boot. */
  seq: z.int().min(0),
  atMs: epochMs,
  /** Newest order of this group that was accepted; zeros when none ever was. */
  order: sequence,
  sessions: z.array(reportSessionSchema).max(8),
  vips: z.array(reportVipSchema).max(4000),
  /** This report was sent because something changed, not because a period ended. */
  transition: z.boolean(),
  /** The agent is going away in an orderly manner. */
  stopping: z.boolean(),
});

export type Report = z.infer<typeof reportSchema>;
export type ReportSession = z.infer<typeof reportSessionSchema>;
export type ReportVip = z.infer<typeof reportVipSchema>;

/** What an on-premises observer saw of one vip over its last period. */
export const observerReportSchema = z.strictObject({
  v: z.literal(1),
  observer: z.string().min(1),
  group: z.string().min(1),
  bootId: z.string().min(1).max(64),
  seq: z.int().min(0),
  atMs: epochMs,
  transition: z.boolean(),
  vips: z
    .array(
      z.strictObject({
        vip: z.string(),
        /** Region that answered the newest successful request, or null when none succeeded. */
        answeredBy: z.string().nullable(),
        /** When that region began to answer without interruption, on the sender's clock. */
        sinceMs: epochMs.nullable(),
        requests: z.int().min(0),
        failures: z.int().min(0),
        connectMs: z.number().min(0).nullable(),
        firstByteMs: z.number().min(0).nullable(),
        /** Longest time without an answer in the period. */
        outageMs: z.number().min(0),
        /** Share of the newest looks that failed, and how many those are: longer than a period, so that a little loss shows. */
        loss: z.strictObject({ share: z.number().min(0).max(1), looks: z.int().min(1) }).optional(),
        /** The newest sample of a body read through the vip: how fast it came, of how many bytes, and when it ended. */
        throughput: z
          .strictObject({ bytesPerSecond: z.number().min(0), bytes: z.int().min(1), atMs: epochMs })
          .optional(),
      }),
    )
    .max(4000),
});

export type ObserverReport = z.infer<typeof observerReportSchema>;

/** What a seat answers to a report. `order` is a compact JWS when that NVA is behind; push and pull carry the same. */
export interface ReportAnswer {
  readonly accepted: true;
  readonly order?: string;
}
