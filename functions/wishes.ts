// Wishes as they meet the ledger: put down once, answered the same however often they are asked. Pure.
import type { AuditDraft } from '../shared/audit.ts';
import type { Wish, WishOutcome } from './activities/names.ts';
import { holdDraft, intentDraft } from './audit-drafts.ts';
import type { Decision, Hold, Intent, Policy } from './engine/types.ts';
import type { Concluded, Ledger } from './ledger.ts';
import { CONCLUDED_KEPT_MS, CONCLUDED_MAX } from './limits.ts';

export interface Wished {
  readonly policy: Policy;
  readonly drafts: readonly AuditDraft[];
  /** Undefined: the engine must say. */
  readonly outcome?: WishOutcome;
  readonly concluded: Ledger['concluded'];
}

type Given = Pick<Ledger, 'policy' | 'concluded' | 'proofs'>;
type Step = Omit<Wished, 'concluded'> & { readonly concluded?: Ledger['concluded'] };
const CARRIED_OUT: WishOutcome = { outcome: 'carried-out', reasons: [] };

/** Holds and cancellations are put down at once; intents go through the engine like everything else. */
export function applyWish(ledger: Given, wish: Wish | undefined, nowMs: number): Wished {
  return { concluded: ledger.concluded, ...step(ledger, wish, nowMs) };
}

function step(ledger: Given, wish: Wish | undefined, nowMs: number): Step {
  const { policy } = ledger;
  switch (wish?.type) {
    case undefined:
      return { policy, drafts: [] };
    case 'intent':
      return applyIntent(ledger, wish, nowMs);
    case 'hold':
      return applyHold(ledger, wish, nowMs);
    case 'release': {
      const hold = policy.holds.find((known) => known.id === wish.id);
      if (hold === undefined) return { policy, drafts: [], outcome: { outcome: 'already-so', reasons: [] } };
      const holds = policy.holds.filter((known) => known.id !== wish.id);
      return { policy: { ...policy, holds }, drafts: [holdDraft(nowMs, hold, 'released', wish)], outcome: CARRIED_OUT };
    }
    case 'cancel':
      return cancel(ledger, wish, nowMs);
  }
}

function applyIntent(ledger: Given, wish: Extract<Wish, { type: 'intent' }>, nowMs: number): Step {
  const { policy } = ledger;
  const { intent } = wish;
  if (policy.intents.some((known) => known.id === intent.id)) return { policy, drafts: [] };
  const outcome = concludedOutcome(ledger, wish);
  if (outcome !== null) return { policy, drafts: [], outcome };
  return {
    policy: { ...policy, intents: [...policy.intents, intent] },
    drafts: [intentDraft(nowMs, intent, 'asked')],
  };
}

/** What the ledger already says of this wish, or null when nothing. Good for a seat that follows, too. */
export function concludedOutcome(ledger: Pick<Ledger, 'concluded'>, wish: Wish | undefined): WishOutcome | null {
  if (wish?.type !== 'intent') return null;
  const { intent } = wish;
  const known = ledger.concluded[intent.id];
  if (known !== undefined) return toOutcome(known);
  const cancelled = ledger.concluded[cancelKey(intent.operation)];
  return cancelled === undefined || wish.evenIfCancelled === true ? null : toOutcome(cancelled);
}

const toOutcome = ({ outcome, reasons, decisionId, generation }: Concluded): WishOutcome => ({
  outcome: outcome as WishOutcome['outcome'],
  reasons,
  decisionId,
  generation,
});

export const cancelKey = (operation: string): string => `cancel:${operation}`;

/** The same hold again is the same hold, also after it was released: its wish is remembered. */
function applyHold(ledger: Given, wish: Extract<Wish, { type: 'hold' }>, nowMs: number): Step {
  const { policy } = ledger;
  const isKnown = policy.holds.some((known) => known.id === wish.id) || ledger.concluded[wish.id] !== undefined;
  if (isKnown) return { policy, drafts: [], outcome: CARRIED_OUT };
  const { id, vip, full, actor, actorType, reason } = wish;
  const by = { actor, actorType, reason, createdAtMs: nowMs };
  const hold: Hold = { id, ...(vip !== null && { vip }), full, ...by, expiresAtMs: nowMs + wish.seconds * 1000 };
  const entry: Concluded = { operation: '', ...CARRIED_OUT, ...blank(nowMs), reasons: [] };
  return {
    policy: { ...policy, holds: [...policy.holds, hold] },
    drafts: [holdDraft(nowMs, hold, 'held', hold)],
    outcome: CARRIED_OUT,
    concluded: { ...ledger.concluded, [id]: entry },
  };
}

const blank = (nowMs: number) => ({ decisionId: '', generation: 0, keptUntilMs: nowMs + CONCLUDED_KEPT_MS });

/**
 * What waits is dropped, and what has not reached the ledger yet will find that it is not wanted. What was committed is
 * on the wire and cannot be taken back by forgetting it: that takes the opposite move. A drill goes back by itself.
 */
function cancel(ledger: Given, wish: Extract<Wish, { type: 'cancel' }>, nowMs: number): Step {
  const { policy } = ledger;
  const { operation } = wish;
  if (ledger.concluded[cancelKey(operation)] !== undefined) {
    return { policy, drafts: [], outcome: { outcome: 'already-so', reasons: [] } };
  }
  const done = Object.values(ledger.concluded).find(
    (known) => known.operation === operation && known.outcome === 'carried-out',
  );
  if (done !== undefined && !wish.isDrill) {
    const detail = `carried out by ${done.decisionId}, generation ${done.generation}`;
    return { policy, drafts: [], outcome: { outcome: 'refused', reasons: [{ code: 'already-committed', detail }] } };
  }
  const dropped = policy.intents.filter((intent) => intent.operation === operation);
  const reasons = [{ code: 'cancelled', detail: `by ${wish.actor}: ${wish.reason}` }];
  const latestMs = Math.max(nowMs, ...dropped.map((intent) => intent.deadlineMs));
  const entry: Concluded = { operation, outcome: 'cancelled', reasons, ...blank(latestMs) };
  const keys = [cancelKey(operation), ...dropped.map((intent) => intent.id)];
  return {
    policy: { ...policy, intents: policy.intents.filter((intent) => intent.operation !== operation) },
    drafts: (dropped.length === 0 ? [unseen(wish, nowMs)] : dropped).map((intent) =>
      intentDraft(nowMs, { ...intent, actor: wish.actor, actorType: wish.actorType }, 'cancelled', {
        why: wish.reason,
      }),
    ),
    outcome: CARRIED_OUT,
    concluded: { ...ledger.concluded, ...Object.fromEntries(keys.map((key) => [key, entry])) },
  };
}

/** For the record of a cancellation that came before its intent, or while a drill stays. */
const unseen = (wish: Extract<Wish, { type: 'cancel' }>, nowMs: number): Intent => ({
  ...{ id: cancelKey(wish.operation), type: 'failover', reason: wish.reason, force: [], operation: wish.operation },
  ...{ actor: wish.actor, actorType: wish.actorType, createdAtMs: nowMs, deadlineMs: nowMs },
});

/** An intent about several vips is as far as its slowest: waiting before refused before done. */
export function intentOutcome(intent: string, decision: Decision): WishOutcome | null {
  const own = decision.intents.filter((outcome) => outcome.intent === intent);
  const all = (name: WishOutcome['outcome']) => own.length > 0 && own.every((outcome) => outcome.outcome === name);
  const reasons = own.flatMap((outcome) => outcome.reasons).slice(0, 20);
  for (const name of ['waiting', 'expired'] as const) {
    if (own.some((outcome) => outcome.outcome === name)) return { outcome: name, reasons };
  }
  if (all('already-so')) return { outcome: 'already-so', reasons };
  if (own.some((outcome) => outcome.outcome === 'carried-out')) return { outcome: 'carried-out', reasons };
  if (own.some((outcome) => outcome.outcome === 'refused')) return { outcome: 'refused', reasons };
  return null;
}

/** The memory of ended wishes after this decision: newest kept, bounded in time and number. */
export function concludeIntents(
  before: Ledger['concluded'],
  asked: readonly Intent[],
  decision: Decision,
  mark: { readonly decisionId: string; readonly generation: number },
  nowMs: number,
): Ledger['concluded'] {
  const ended = asked.flatMap((intent): [string, Concluded][] => {
    const said = intentOutcome(intent.id, decision);
    if (said === null || said.outcome === 'waiting') return [];
    const keptUntilMs = Math.max(nowMs, intent.deadlineMs) + CONCLUDED_KEPT_MS;
    const { outcome } = said;
    return [[intent.id, { operation: intent.operation, outcome, reasons: [...said.reasons], ...mark, keptUntilMs }]];
  });
  const isOver = ([, known]: [string, Concluded]) => known.keptUntilMs <= nowMs;
  const kept = Object.entries(before);
  if (ended.length === 0 && !kept.some(isOver) && kept.length <= CONCLUDED_MAX) return before;
  return Object.fromEntries([...kept.filter((entry) => !isOver(entry)), ...ended].slice(-CONCLUDED_MAX));
}
