// Checks the chain of audit records: every epoch from its beginning, no gap, every hash right.
import { sha256 } from '../../functions/audit-chain.ts';
import { type AuditRecord, CHAIN_START, chainedText } from '../../shared/audit.ts';

/** Everything wrong with these records (in chain order), at most a few. */
export function verifyChain(records: readonly AuditRecord[]): string[] {
  const found: string[] = [];
  let before: AuditRecord | undefined;
  for (const record of records) {
    const isFirst = before === undefined || before.Epoch !== record.Epoch;
    const expectedIndex = isFirst ? 0 : (before?.ChainIndex ?? 0) + 1;
    const expectedHash = isFirst ? CHAIN_START : before?.Hash;
    if (record.ChainIndex !== expectedIndex) found.push(`${record.EventId} follows ${before?.EventId ?? 'nothing'}`);
    else if (record.PrevHash !== expectedHash)
      found.push(`${record.EventId} does not build on ${before?.EventId ?? 'the start'}`);
    if (sha256(chainedText(record)) !== record.Hash) found.push(`${record.EventId} was changed`);
    before = record;
    if (found.length >= 5) break;
  }
  return found;
}
