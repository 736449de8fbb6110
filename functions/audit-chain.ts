// Chains audit records: each carries the SHA-256 of the one before it, so a gap or an edit shows.
import { hash } from 'node:crypto';
import { type AuditDraft, type AuditRecord, chainedText } from '../shared/audit.ts';

export interface ChainHead {
  readonly epoch: number;
  /** Index of the last record; -1 before the first. */
  readonly index: number;
  readonly hash: string;
}

export const sha256 = (text: string): string => hash('sha256', text);

/** The drafts as records behind the given head, and the new head. */
export function chainRecords(
  drafts: readonly AuditDraft[],
  head: ChainHead,
  group: string,
  seat: string,
): { records: AuditRecord[]; head: ChainHead } {
  const records: AuditRecord[] = [];
  let { index, hash } = head;
  for (const draft of drafts) {
    index += 1;
    const unhashed = {
      ...draft,
      // As it will come back from the table: no undefined members, no dates.
      Detail: JSON.parse(JSON.stringify(draft.Detail)) as Record<string, unknown>,
      EventId: `${group}-${head.epoch}-${index}`,
      Seat: seat,
      Epoch: head.epoch,
      ChainIndex: index,
      PrevHash: hash,
    };
    hash = sha256(chainedText(unhashed));
    records.push({ ...unhashed, Hash: hash });
  }
  return { records, head: { epoch: head.epoch, index, hash } };
}
