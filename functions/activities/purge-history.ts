// Purges orchestrations that finished long ago, and audit rows that arrived long ago.
import { type DurableClient, OrchestrationRuntimeStatus } from 'durable-functions';
import type { Plane } from '../deployment.ts';
import { HISTORY_KEPT_MS } from '../limits.ts';
import { attempt } from './attempt.ts';
import type { GroupInput, PlainResult } from './names.ts';
import { purgeOutbox } from './ship-audit.ts';

/** The first day that can have a history; the API wants a beginning. */
const BEGINNING = new Date(0);

export const purgeHistory = (plane: Plane, client: Pick<DurableClient, 'purgeInstanceHistoryBy'>, input: GroupInput) =>
  attempt(async (): Promise<PlainResult> => {
    await purgeOutbox(plane, input.group);
    await client.purgeInstanceHistoryBy({
      createdTimeFrom: BEGINNING,
      createdTimeTo: new Date(plane.clock.nowMs() - HISTORY_KEPT_MS),
      runtimeStatus: [
        OrchestrationRuntimeStatus.Completed,
        OrchestrationRuntimeStatus.Failed,
        OrchestrationRuntimeStatus.Terminated,
      ],
    });
    return { ok: true };
  });
