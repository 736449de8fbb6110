// Turns a look at the evidence into the ledger that would be committed: wish in, decision made, records written. Pure.
import { type AuditDraft, canonicalJson } from '../shared/audit.ts';
import { compareSequence, type Sequence } from '../shared/vocabulary.ts';
import type { Wish, WishOutcome } from './activities/names.ts';
import {
  ackDraft,
  actionDrafts,
  alertDrafts,
  alertKey,
  blockedDrafts,
  blockedKey,
  type DecisionMark,
  driftDrafts,
  holdDraft,
  intentDraft,
  orderDrafts,
  provedAgainDrafts,
} from './audit-drafts.ts';
import { type Drift, driftKey, followDrift, type Repair } from './drift.ts';
import { decide } from './engine/decide.ts';
import { compileOrders } from './engine/orders.ts';
import type { Decision, EngineConfig, Intent, Policy, Snapshot } from './engine/types.ts';
import { type Ledger, type OpenProof, STANDING_MAX } from './ledger.ts';
import type { StoredEvidence } from './ports.ts';
import { followSchedules, type ScheduledDrill } from './schedules.ts';
import { applyWish, concludeIntents, intentOutcome, type Wished } from './wishes.ts';

export interface Look {
  readonly ledger: Ledger;
  readonly snapshot: Snapshot;
  readonly config: EngineConfig;
  readonly nowMs: number;
  readonly snapshotHash: string;
  readonly correlationId: string;
  readonly wish?: Wish;
  /** Where the wire differs from the policy as it stood before this look. */
  readonly drift?: readonly Drift[];
}

export interface Looked {
  readonly decision: Decision;
  readonly wish: WishOutcome | null;
  /** Drills whose time has come. */
  readonly drills: readonly ScheduledDrill[];
  /** Undefined: nothing is worth a commit. */
  readonly change: { readonly ledger: Ledger; readonly drafts: readonly AuditDraft[] } | undefined;
}

/** Decides on the ledger as it is and says what to commit. The generation of a commit is one above the ledger's. */
export function look(at: Look): Looked {
  const timed = followSchedules(at.ledger, at.config, at.nowMs);
  const intents = [...at.ledger.policy.intents, ...timed.intents];
  const policy = timed.intents.length === 0 ? at.ledger.policy : { ...at.ledger.policy, intents };
  const wished = applyWish({ ...at.ledger, policy }, at.wish, at.nowMs);
  const decision = decide(at.snapshot, wished.policy, at.config, at.nowMs);
  const repair = planRepair(at);
  const next = { ...nextLedger(at, decision, wished, repair), schedules: timed.schedules };
  const drafts = [...timed.drafts, ...wished.drafts, ...decisionDrafts(at, decision, next, timed.intents, repair)];
  const isRemembered = timed.schedules !== at.ledger.schedules || repair.states !== at.ledger.drift;
  const isWorthIt = decision.changed || drafts.length > 0 || isRemembered;
  const outcome = wished.outcome ?? (at.wish?.type === 'intent' ? intentOutcome(at.wish.intent.id, decision) : null);
  const change = isWorthIt ? { ledger: next, drafts } : undefined;
  return { decision, wish: outcome, change, drills: timed.drills };
}

// ---------------------------------------------------------------- the next ledger

/** Shadow mode changes nothing on the wire, and a ledger that is not trusted hands out nothing. */
function planRepair(at: Look): Repair {
  const { ledger, config, nowMs, drift = [] } = at;
  const mayAct = config.guards.mode === 'act' && ledger.policy.trusted;
  return followDrift(ledger.drift, drift, config, nowMs, mayAct);
}

function nextLedger(at: Look, decision: Decision, wished: Wished, repair: Repair): Ledger {
  const { ledger, snapshot, nowMs } = at;
  const generation = snapshot.nextGeneration;
  const mark = { decisionId: snapshot.decisionId, generation };
  const hasNewOrders = repair.drifts.length > 0 || ordersChanged(at, decision, generation);
  const isForced = !decision.policy.trusted && decision.actions.length > 0;
  return {
    ...ledger,
    policy: decision.policy,
    decidedAtMs: nowMs,
    decisionId: snapshot.decisionId,
    orderGeneration: hasNewOrders ? generation : ledger.orderGeneration,
    delivers: decision.policy.trusted || ledger.delivers || isForced,
    blocked: decision.blocked.map(blockedKey).slice(0, STANDING_MAX),
    alerts: [...decision.alerts.map(alertKey), ...(at.drift ?? []).map(driftKey)].slice(0, STANDING_MAX),
    acknowledged: { ...ledger.acknowledged, ...Object.fromEntries(freshAcks(at.ledger, snapshot)) },
    proofs: openProofs(at, decision, generation),
    drift: repair.states,
    concluded: concludeIntents(wished.concluded, wished.policy.intents, decision, mark, nowMs),
  };
}

/** Agents must acknowledge a generation when what they carry out differs, or when the engine waits for that very one. */
export function ordersChanged(
  at: Pick<Look, 'ledger' | 'config' | 'nowMs'>,
  decision: Decision,
  generation: number,
): boolean {
  const isAwaited = Object.values(decision.policy.vips).some((vip) =>
    Object.values(vip.regions).some((row) => row.generation === generation),
  );
  if (isAwaited || decision.policy.trusted !== at.ledger.policy.trusted) return true;
  const compiled = (policy: Policy) =>
    canonicalJson(compileOrders(policy, at.config, { epoch: 0, generation: 0 }, at.nowMs));
  return decision.changed && compiled(decision.policy) !== compiled(at.ledger.policy);
}

/** Each vip whose wire changes is to be proved: its changed regions and the one that acts. */
function openProofs(at: Look, decision: Decision, generation: number): Record<string, OpenProof> {
  const open: Record<string, OpenProof> = { ...at.ledger.proofs };
  for (const action of decision.actions) {
    const policy = decision.policy.vips[action.vip];
    if (policy === undefined) continue;
    const mine = open[action.vip]?.decisionId === at.snapshot.decisionId ? open[action.vip] : undefined;
    open[action.vip] = {
      decisionId: at.snapshot.decisionId,
      generation,
      sinceMs: at.nowMs,
      operation:
        at.wish?.type === 'intent' && action.intent === at.wish.intent.id ? at.correlationId : (mine?.operation ?? ''),
      regions: [...new Set([...(mine?.regions ?? []), policy.acting, action.region])],
      from: at.ledger.policy.vips[action.vip]?.acting ?? policy.acting,
    };
  }
  return Object.fromEntries(Object.entries(open).filter(([vip]) => decision.policy.vips[vip] !== undefined));
}

// ---------------------------------------------------------------- records

function decisionDrafts(
  at: Look,
  decision: Decision,
  next: Ledger,
  timed: readonly Intent[],
  repair: Repair,
): AuditDraft[] {
  const { ledger, snapshot, nowMs } = at;
  const mark: DecisionMark = {
    atMs: nowMs,
    decisionId: snapshot.decisionId,
    correlationId: at.correlationId,
    // Asked for by what goes on record: most looks put nothing there.
    get snapshotHash() {
      return at.snapshotHash;
    },
  };
  const [knownBlocked, knownAlerts] = [new Set(ledger.blocked), new Set(ledger.alerts)];
  const ordered = next.orderGeneration === snapshot.nextGeneration && next.delivers;
  const sequence = { epoch: ledger.epoch, generation: snapshot.nextGeneration };
  return [
    ...actionDrafts(decision, mark),
    ...blockedDrafts(
      decision.blocked.filter((blocked) => !knownBlocked.has(blockedKey(blocked))).slice(0, STANDING_MAX),
      mark,
    ),
    ...alertDrafts(decision.alerts.filter((alert) => !knownAlerts.has(alertKey(alert))).slice(0, STANDING_MAX), mark),
    ...driftDrafts(
      (at.drift ?? [])
        .filter((drift) => !(knownAlerts.has(driftKey(drift)) || driftKey(drift) in ledger.drift))
        .slice(0, STANDING_MAX),
      mark,
    ),
    ...provedAgainDrafts(decision, mark),
    ...driftDrafts(repair.drifts.slice(0, STANDING_MAX), mark, 'drift-repair'),
    ...intentDrafts(at, decision, timed),
    ...holdDrafts(at, decision),
    ...(ordered ? orderDrafts(compileOrders(decision.policy, at.config, sequence, nowMs), mark) : []),
    ...freshAcks(ledger, snapshot).map(([nva, acknowledged]) => ackDraft(nowMs, nva, acknowledged, { by: 'report' })),
  ];
}

/** What became of each intent: said when it is over, and `waiting` never, since `asked` said that. */
function intentDrafts(at: Look, decision: Decision, timed: readonly Intent[]): AuditDraft[] {
  const known = [...at.ledger.policy.intents, ...timed, ...(at.wish?.type === 'intent' ? [at.wish.intent] : [])];
  return decision.intents
    .filter((outcome) => outcome.outcome !== 'waiting')
    .flatMap((outcome) => {
      const intent = known.find((candidate) => candidate.id === outcome.intent);
      if (intent === undefined) return [];
      const own = outcome.vip === undefined ? intent : { ...intent, vip: outcome.vip };
      return [intentDraft(at.nowMs, own, outcome.outcome, { reasons: outcome.reasons })];
    });
}

/** Holds that the engine put down (a person's move) or took away (their time is over); wished ones say it themselves. */
function holdDrafts(at: Look, decision: Decision): AuditDraft[] {
  const { wish, nowMs } = at;
  const wished = wish?.type === 'hold' || wish?.type === 'release' ? wish.id : '';
  const missing = (from: Policy, holds: Policy['holds']) =>
    holds.filter((hold) => hold.id !== wished && !from.holds.some((known) => known.id === hold.id));
  return [
    ...missing(at.ledger.policy, decision.policy.holds).map((hold) => holdDraft(nowMs, hold, 'held', hold)),
    ...missing(decision.policy, at.ledger.policy.holds).map((hold) => holdDraft(nowMs, hold, 'over', AUTOMATION)),
  ];
}

const AUTOMATION = { actor: 'automation', actorType: 'automation' } as const;

/** NVAs whose reports show the newest order, which no record says yet. */
export function freshAcks(ledger: Ledger, snapshot: Pick<Snapshot, 'nvas'>): [string, Sequence][] {
  const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  return Object.entries(snapshot.nvas).flatMap(([nva, evidence]): [string, Sequence][] => {
    const has = evidence.report?.report.order;
    if (has === undefined || compareSequence(has, newest) !== 0 || newest.generation === 0) return [];
    const recorded = ledger.acknowledged[nva];
    return recorded !== undefined && compareSequence(recorded, newest) >= 0 ? [] : [[nva, newest]];
  });
}

/** NVAs that do not have the newest order, without those that are silent anyhow: they get it with their next report. */
export function nvasBehind(ledger: Ledger, evidence: StoredEvidence, nvas: readonly string[]): string[] {
  if (!ledger.delivers) return [];
  const newest = { epoch: ledger.epoch, generation: ledger.orderGeneration };
  return nvas.filter((nva) => {
    const heard = evidence.reports[nva];
    const probe = evidence.probes[nva];
    if (probe?.outcome === 'failed' && probe.atMs > (heard?.receivedAtMs ?? 0)) return false;
    return heard === undefined || compareSequence(heard.report.order, newest) < 0;
  });
}
