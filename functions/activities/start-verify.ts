// Starts a proof of its own for each decision that acted: learned routes take longer than an evaluation may.
import type { DurableClient } from 'durable-functions';
import { ORCHESTRATIONS } from '../orchestrators/names.ts';
import { startOnce } from '../start-once.ts';
import { attempt } from './attempt.ts';
import type { PlainResult, StartVerifyInput } from './names.ts';

export const startVerify = (client: DurableClient, input: StartVerifyInput): Promise<PlainResult> =>
  attempt(async () => {
    for (const decisionId of input.decisionIds) {
      await startOnce(client, ORCHESTRATIONS.verify, `verify-${decisionId}`, { group: input.group, decisionId });
    }
    return { ok: true };
  });
