// Puts into words what happened: audit records before they are chained. Pure.
import type { AuditDraft, AuditKind } from '../shared/audit.ts';
import type { Order } from '../shared/order.ts';
import type { Sequence } from '../shared/vocabulary.ts';
import type { Drift } from './drift.ts';
import type { Action, Blocked, Decision, Hold, Intent } from './engine/types.ts';

/** A record with everything that was not given left empty. `atMs`: epoch ms. */
export function draft(atMs: number, kind: AuditKind, given: Partial<AuditDraft>): AuditDraft {
  return {
    TimeGenerated: isoTime(atMs),
    Kind: kind,
    DecisionId: '',
    CorrelationId: '',
    Vip: '',
    Region: '',
    Nva: '',
    Actor: 'automation',
    ActorType: 'automation',
    Reason: '',
    Detail: {},
    Before: '',
    After: '',
    SnapshotHash: '',
    Generation: 0,
    ...given,
  };
}

export const isoTime = (atMs: number): string => new Date(atMs).toISOString();

const rowText = (row: Action['before']): string => `${row.role} r${row.rung} ${row.state}`;

/** What every record of one decision shares. */
export interface DecisionMark {
  readonly atMs: number;
  readonly decisionId: string;
  readonly correlationId: string;
  readonly snapshotHash: string;
}

const marked = (mark: DecisionMark): Partial<AuditDraft> => ({
  DecisionId: mark.decisionId,
  CorrelationId: mark.correlationId,
  SnapshotHash: mark.snapshotHash,
});

/** A failed proof was made good. */
export const provedAgainDrafts = (decision: Decision, mark: DecisionMark): AuditDraft[] =>
  decision.provedAgain.map(({ vip, region, detail }) =>
    draft(mark.atMs, 'verification', {
      ...marked(mark),
      Vip: vip,
      Region: region,
      Reason: 'proved-again',
      Detail: { detail },
    }),
  );

export function actionDrafts(decision: Decision, mark: DecisionMark): AuditDraft[] {
  return decision.actions.map((action) =>
    draft(mark.atMs, 'decision', {
      ...marked(mark),
      Vip: action.vip,
      Region: action.region,
      Actor: action.actor,
      ActorType: action.actorType,
      Reason: action.reason,
      Before: rowText(action.before),
      After: rowText(action.after),
      Detail: { kind: action.kind, detail: action.detail, ...(action.intent && { intent: action.intent }) },
    }),
  );
}

/** One key per standing condition: recorded when it begins, not at every look. */
export const blockedKey = (blocked: Blocked): string =>
  `${blocked.vip}|${blocked.wanted.kind}|${blocked.wanted.region}|${blocked.guard}`;

export function blockedDrafts(fresh: readonly Blocked[], mark: DecisionMark): AuditDraft[] {
  return fresh.map((blocked) =>
    draft(mark.atMs, 'blocked', {
      ...marked(mark),
      Vip: blocked.vip,
      Region: blocked.wanted.region,
      Reason: blocked.guard,
      Detail: {
        wanted: blocked.wanted,
        detail: blocked.detail,
        ...(blocked.untilMs !== undefined && { untilMs: blocked.untilMs }),
      },
    }),
  );
}

export type Alert = Decision['alerts'][number];
export const alertKey = (alert: Alert): string => `${alert.vip ?? ''}|${alert.region ?? ''}|${alert.reason}`;

export function alertDrafts(fresh: readonly Alert[], mark: DecisionMark): AuditDraft[] {
  return fresh.map((alert) =>
    draft(mark.atMs, 'decision', {
      ...marked(mark),
      Vip: alert.vip ?? '',
      Region: alert.region ?? '',
      Reason: alert.reason,
      Detail: { alert: true, detail: alert.detail },
    }),
  );
}

/** One record when a difference begins, and one when orders are given anew because of it. */
export function driftDrafts(
  fresh: readonly Drift[],
  mark: DecisionMark,
  reason: 'drift' | 'drift-repair' = 'drift',
): AuditDraft[] {
  return fresh.map(({ vip, region, nva, where, detail }) =>
    draft(mark.atMs, 'verification', {
      ...marked(mark),
      ...{ Vip: vip, Region: region, Nva: nva, Reason: reason, Detail: { where, detail } },
    }),
  );
}

export function orderDrafts(orders: Readonly<Record<string, Order>>, mark: DecisionMark): AuditDraft[] {
  return Object.values(orders).map((order) =>
    draft(mark.atMs, 'order', {
      ...marked(mark),
      Nva: order.to,
      Reason: 'ordered',
      Detail: {
        generation: order.generation,
        vips: Object.fromEntries(order.vips.map((row) => [row.vip, `${row.state} r${row.rung} x${row.prepend}`])),
      },
    }),
  );
}

export function ackDraft(atMs: number, nva: string, sequence: Sequence, detail: Record<string, unknown>): AuditDraft {
  return draft(atMs, 'ack', {
    Nva: nva,
    Actor: nva,
    ActorType: 'agent',
    Reason: 'acknowledged',
    Detail: { epoch: sequence.epoch, generation: sequence.generation, ...detail },
  });
}

export function refusalDraft(atMs: number, nva: string, code: string, detail: string): AuditDraft {
  return draft(atMs, 'ack', {
    Nva: nva,
    Actor: nva,
    ActorType: 'agent',
    Reason: code,
    Detail: { refused: true, detail },
  });
}

export function intentDraft(
  atMs: number,
  intent: Intent,
  reason: string,
  detail: Record<string, unknown> = {},
): AuditDraft {
  return draft(atMs, 'intent', {
    CorrelationId: intent.operation,
    Vip: intent.vip ?? '',
    Region: intent.region ?? '',
    Actor: intent.actor,
    ActorType: intent.actorType,
    Reason: reason,
    Detail: { type: intent.type, reason: intent.reason, force: intent.force, intent: intent.id, ...detail },
  });
}

export function holdDraft(
  atMs: number,
  hold: Hold,
  reason: 'held' | 'released' | 'over',
  by: Pick<Hold, 'actor' | 'actorType'>,
): AuditDraft {
  return draft(atMs, 'hold', {
    CorrelationId: hold.id,
    Vip: hold.vip ?? '',
    Actor: by.actor,
    ActorType: by.actorType,
    Reason: reason,
    Detail: { id: hold.id, reason: hold.reason, expiresAtMs: hold.expiresAtMs, full: hold.full },
  });
}
