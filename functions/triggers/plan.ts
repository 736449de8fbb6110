// A preview: what the engine would do with an intent, told as actions, blocks and sentences. Pure.
import type { Plan } from '../../shared/api.ts';
import { prependCount } from '../../shared/ladder.ts';
import { explainAction, explainBlocked } from '../engine/explain.ts';
import type { Action } from '../engine/types.ts';
import type { Overview } from '../overview.ts';

const rowText = (row: Action['before']): string => `${row.role} on rung ${row.rung}, ${row.state}`;

/** @param intent id of the intent previewed; empty: none, the plan of what would happen anyhow. */
export function toPlan(overview: Overview, intent: string): Plan {
  const { decision, config, nowMs } = overview;
  const outcomes = decision.intents.filter((outcome) => outcome.intent === intent);
  const isRefused = outcomes.some((outcome) => outcome.outcome === 'refused' || outcome.outcome === 'expired');
  const prepend = (row: Action['before']) => (row.state === 'withheld' ? 0 : prependCount(config.ladder, row.rung));
  return {
    dryRun: true,
    allowed: !isRefused,
    alreadySo: outcomes.length > 0 && outcomes.every((outcome) => outcome.outcome === 'already-so'),
    generation: overview.ledger.generation,
    actions: decision.actions.map((action) => ({
      vip: action.vip,
      region: action.region,
      kind: action.kind,
      before: rowText(action.before),
      after: rowText(action.after),
      prependBefore: prepend(action.before),
      prependAfter: prepend(action.after),
      reason: action.reason,
      detail: action.detail,
    })),
    blocked: decision.blocked.map(({ vip, guard, detail }) => ({ vip, guard, detail })),
    explanation: [
      ...decision.actions.map(explainAction),
      ...decision.blocked.map((blocked) => explainBlocked(blocked, nowMs)),
      ...outcomes.flatMap((outcome) => outcome.reasons.map((reason) => `${outcome.outcome}: ${reason.detail}`)),
    ],
  };
}
