// Puts acknowledgements and refusals of orders on record.

import type { AuditDraft } from '../../shared/audit.ts';
import { compareSequence } from '../../shared/vocabulary.ts';
import { ackDraft, refusalDraft } from '../audit-drafts.ts';
import type { Plane } from '../deployment.ts';
import { changeLedger, confirmCommitted, type Held } from '../lead.ts';
import type { Ledger } from '../ledger.ts';
import { attempt } from './attempt.ts';
import type { PlainResult, RecordDeliveryInput } from './names.ts';

export const recordDelivery =
  (plane: Plane) =>
  (input: RecordDeliveryInput): Promise<PlainResult> =>
    attempt(async () => {
      const outcome = await changeLedger(plane, input.group, (held) => record(held, input));
      if (outcome.type === 'leads' && outcome.isCommitted) await confirmCommitted(plane, input.group, outcome.ledger);
      return { ok: true };
    });

function record(held: Held, input: RecordDeliveryInput): { ledger: Ledger; drafts: AuditDraft[] } | undefined {
  const drafts: AuditDraft[] = [];
  const acknowledged = { ...held.ledger.acknowledged };
  for (const result of input.results) {
    if (!result.ok) continue;
    if ('refused' in result) {
      drafts.push(refusalDraft(held.nowMs, result.nva, result.refused.code, result.refused.detail));
      continue;
    }
    const known = acknowledged[result.nva];
    if (known !== undefined && compareSequence(known, result.sequence) >= 0) continue;
    acknowledged[result.nva] = result.sequence;
    drafts.push(ackDraft(held.nowMs, result.nva, result.sequence, { by: 'delivery' }));
  }
  const marked = drafts.map((draft) => ({
    ...draft,
    DecisionId: held.ledger.decisionId,
    CorrelationId: input.correlationId,
  }));
  return drafts.length === 0 ? undefined : { ledger: { ...held.ledger, acknowledged }, drafts: marked };
}
