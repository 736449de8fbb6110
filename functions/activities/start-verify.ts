// Starts a proof of its own for each decision that acted: learned routes take longer than an evaluation may.
import { type DurableClient, OrchestrationRuntimeStatus } from 'durable-functions';
import { ORCHESTRATIONS } from '../orchestrators/names.ts';
import { findStatus, startOnce } from '../start-once.ts';
import { attempt } from './attempt.ts';
import type { PlainResult, StartVerifyInput } from './names.ts';

type Client = Pick<DurableClient, 'startNew' | 'getStatus'>;

export const startVerify = (client: Client, input: StartVerifyInput): Promise<PlainResult> =>
  attempt(async () => {
    for (const decisionId of input.decisionIds) {
      const id = `verify-${decisionId}`;
      const looking = { group: input.group, decisionId };
      const status = await findStatus(client, id);
      if (status === undefined) await startOnce(client, ORCHESTRATIONS.verify, id, looking);
      // The extension lets an id that has ended be used anew.
      else if (hasDied(status.runtimeStatus))
        await client.startNew(ORCHESTRATIONS.verify, { instanceId: id, input: looking });
    }
    return { ok: true };
  });

/** Ended without an end: its code changed under it, or somebody terminated it. */
const hasDied = (status: OrchestrationRuntimeStatus): boolean =>
  status === OrchestrationRuntimeStatus.Failed || status === OrchestrationRuntimeStatus.Terminated;
