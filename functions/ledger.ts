// The ledger of one group: what is remembered between decisions, and its form as text.
import { z } from 'zod';
import { auditRecordSchema, CHAIN_START } from '../shared/audit.ts';
import { err, ok, type Result } from '../shared/result.ts';
import { pathText } from '../shared/topology.ts';
import { ACTOR_TYPES, ROLES, ROUTE_STATES } from '../shared/vocabulary.ts';
import type { Policy } from './engine/types.ts';

const ms = z.number();
const count = z.int().min(0);
const sequence = z.strictObject({ epoch: count, generation: count });

const regionPolicySchema = z.looseObject({
  role: z.enum(ROLES),
  rung: count,
  state: z.enum(ROUTE_STATES),
  changedAtMs: ms,
  generation: count,
  maybe: z.array(z.looseObject({ rung: count, generation: count, atMs: ms })),
});
const vipPolicySchema = z.looseObject({
  acting: z.string(),
  actingSinceMs: ms,
  regions: z.record(z.string(), regionPolicySchema),
  flapPenalty: z.looseObject({ value: ms, atMs: ms }),
  changedAtMs: ms,
  decision: z.string(),
});
const wish = { id: z.string(), actor: z.string(), actorType: z.enum(ACTOR_TYPES), reason: z.string(), createdAtMs: ms };
/** Loose where the engine may remember more: what matters here is that nothing it relies on is missing. */
const policySchema = z.looseObject({
  v: z.literal(1),
  vips: z.record(z.string(), vipPolicySchema),
  intents: z.array(
    z.looseObject({ ...wish, type: z.string(), force: z.array(z.string()), deadlineMs: ms, operation: z.string() }),
  ),
  holds: z.array(z.looseObject({ ...wish, expiresAtMs: ms, full: z.boolean() })),
  moves: z.array(z.looseObject({ atMs: ms, cause: z.string() })),
  trusted: z.boolean(),
});

const openProofSchema = z.strictObject({
  decisionId: z.string(),
  generation: count,
  sinceMs: ms,
  /** Operation that waits for this proof itself; empty for automation. */
  operation: z.string(),
  /** Regions whose rows the decision changed, and the one that acts. */
  regions: z.array(z.string()),
  /** Region that acted before, for onVerifyFailure. */
  from: z.string(),
});

/** What became of a wish: asked again after a crash, it gets the same answer instead of a second move. */
const concludedSchema = z.looseObject({
  operation: z.string(),
  outcome: z.string(),
  reasons: z.array(z.looseObject({ code: z.string(), detail: z.string() })),
  decisionId: z.string(),
  generation: count,
  keptUntilMs: ms,
});

const scheduleStateSchema = z.looseObject({
  /** The newest time that was dealt with, and how. */
  slotMs: ms,
  outcome: z.enum(['begun', 'asked', 'started', 'missed']),
  operation: z.string(),
});

const driftStateSchema = z.looseObject({
  sinceMs: ms,
  /** When orders were last given anew because of it; null: never. */
  repairedAtMs: ms.nullable(),
});

/** The newest drill of a vip that moved anything. */
const lastDrillSchema = z.looseObject({
  operation: z.string(),
  atMs: ms,
  /** As of an operation: proved, not-proved, cancelled, ... */
  state: z.string(),
  /** Longest time that an observer went without an answer; null: nobody measured. */
  outageMs: ms.nullable(),
});

const shape = {
  v: z.literal(1),
  group: z.string(),
  epoch: count,
  /** Raised by every commit. */
  generation: count,
  /** Newest generation whose orders differ from those before, or that began an epoch: what agents must have. */
  orderGeneration: count,
  seat: z.string(),
  leaderSinceMs: ms,
  followedFresh: z.boolean(),
  decidedAtMs: ms,
  decisionId: z.string(),
  policy: policySchema,
  /** A rebuilt ledger delivers nothing until it is trusted again or somebody forced a move. */
  delivers: z.boolean(),
  /** Records of the newest commit; they are in the outbox before its generation is delivered. */
  pending: z.array(auditRecordSchema),
  chain: z.strictObject({ epoch: count, index: z.int().min(-1), hash: z.string() }),
  /** What was recorded as blocked and alerted last, so that a standing condition is recorded once. */
  blocked: z.array(z.string()),
  alerts: z.array(z.string()),
  /** Newest acknowledgement recorded, by NVA. */
  acknowledged: z.record(z.string(), sequence),
  /** Proofs still open, by vip. */
  proofs: z.record(z.string(), openProofSchema),
  /** Wishes that are over, by intent; `cancel:OPERATION` for an operation that was cancelled. */
  concluded: z.record(z.string(), concludedSchema).default({}),
  /** How far each schedule of anycast.yaml was followed, by name. */
  schedules: z.record(z.string(), scheduleStateSchema).default({}),
  /** Where the wire differs from the policy, and what was done about it. */
  drift: z.record(z.string(), driftStateSchema).default({}),
  /** What the newest drill of each vip showed. */
  lastDrills: z.record(z.string(), lastDrillSchema).default({}),
};
/** Loose: a key of a newer version survives an older one, so that a deployment can be taken back. */
const ledgerSchema = z.looseObject(shape);
const knownSchema = z.strictObject(shape);

type Written = z.infer<typeof knownSchema>;
export type ScheduleState = z.infer<typeof scheduleStateSchema>;
export type Concluded = z.infer<typeof concludedSchema>;
export type Ledger = Readonly<Omit<Written, 'policy'>> & { readonly policy: Policy };
export type OpenProof = z.infer<typeof openProofSchema>;

/** Records of blocked moves and alerts kept as standing; more than that is one condition with many faces. */
export const STANDING_MAX = 500;

/** Texts whose ledger is kept: a process serves few groups, and each is read many times between commits. */
export const PARSED_KEPT_MAX = 4;

interface Parsed {
  readonly text: string;
  readonly group: string;
  readonly result: Result<Ledger>;
}

/** Newest first. Parsing is pure, so this saves work and changes no answer; what is handed out twice is frozen. */
let parsedBefore: readonly Parsed[] = [];

/**
 * The ledger in this text, or everything that is wrong with it. A wrong ledger is never repaired silently.
 * The same text gives the same, deeply frozen ledger while it is among the PARSED_KEPT_MAX newest.
 */
export function parseLedger(text: string, group: string): Result<Ledger> {
  const known = parsedBefore.find((one) => one.group === group && one.text === text);
  const newest = known ?? { text, group, result: freeze(readLedger(text, group)) };
  if (newest !== parsedBefore[0])
    parsedBefore = [newest, ...parsedBefore.filter((one) => one !== newest)].slice(0, PARSED_KEPT_MAX);
  return newest.result;
}

/** Of a value that came from JSON: a tree. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}

function readLedger(text: string, group: string): Result<Ledger> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err([{ path: '', code: 'not-json', message: 'the ledger is not JSON' }]);
  }
  const parsed = ledgerSchema.safeParse(value);
  if (!parsed.success) {
    return err(
      parsed.error.issues.map((issue) => ({ path: pathText(issue.path), code: 'malformed', message: issue.message })),
    );
  }
  if (parsed.data.group !== group) {
    return err([{ path: 'group', code: 'misplaced', message: `belongs to ${parsed.data.group}, not ${group}` }]);
  }
  return ok(parsed.data as unknown as Ledger);
}

export const ledgerText = (ledger: Ledger): string => JSON.stringify(ledger);

/** A ledger nobody has decided on yet. */
export function newLedger(
  group: string,
  seat: string,
  policy: Policy,
  nowMs: number,
  after = { epoch: 0, generation: 0 },
): Ledger {
  const epoch = after.epoch + 1;
  return {
    v: 1,
    group,
    epoch,
    generation: after.generation,
    orderGeneration: after.generation,
    seat,
    leaderSinceMs: nowMs,
    followedFresh: false,
    decidedAtMs: nowMs,
    decisionId: '',
    policy,
    delivers: policy.trusted,
    pending: [],
    chain: { epoch, index: -1, hash: CHAIN_START },
    blocked: [],
    alerts: [],
    acknowledged: {},
    proofs: {},
    concluded: {},
    schedules: {},
    drift: {},
    lastDrills: {},
  };
}
