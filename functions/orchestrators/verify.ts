// verify: looks at the proof of one decision until it is settled.
import type { OrchestrationContext } from 'durable-functions';
import type { VerifyResult } from '../activities/names.ts';
import type { VerifyOrchestrationInput } from './names.ts';
import { proveUntilDone, type Steps } from './steps.ts';

export function* verify(context: OrchestrationContext): Steps<VerifyResult> {
  const { group, decisionId } = context.df.getInput<VerifyOrchestrationInput>();
  return yield* proveUntilDone(context, group, decisionId, (result) => {
    if (result.ok) context.df.setCustomStatus({ state: result.state, steps: result.steps });
  });
}
