// Confirms the records of the newest commit in the outbox: nothing is delivered before.
import type { Plane } from '../deployment.ts';
import { confirmPending } from '../lead.ts';
import { newestLedger } from '../recent-ledger.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, PlainResult } from './names.ts';

export const auditAhead =
  (plane: Plane) =>
  (input: GroupInput): Promise<PlainResult> =>
    attempt(async () => {
      const newest = await newestLedger(plane, input.group);
      if (newest.type === 'malformed')
        return { ok: false, code: 'ledger-malformed', detail: 'the ledger cannot be read' };
      if (newest.type === 'found') await confirmPending(plane, input.group, newest.ledger);
      return { ok: true };
    });
