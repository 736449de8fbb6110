// Confirms the records of the newest commit in the outbox: nothing is delivered before.
import type { Plane } from '../deployment.ts';
import { confirmPending } from '../lead.ts';
import { parseLedger } from '../ledger.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, PlainResult } from './names.ts';

export const auditAhead =
  (plane: Plane) =>
  (input: GroupInput): Promise<PlainResult> =>
    attempt(async () => {
      const stored = await plane.ledger.read(input.group);
      if (stored.type === 'absent') return { ok: true };
      const parsed = parseLedger(stored.text, input.group);
      if (!parsed.ok) return { ok: false, code: 'ledger-malformed', detail: 'the ledger cannot be read' };
      await confirmPending(plane, input.group, parsed.value);
      return { ok: true };
    });
