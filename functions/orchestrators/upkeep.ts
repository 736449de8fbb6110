// upkeep: what must be done now and then and must hold up nothing: shipping audit, reading routes for drift, purging.
import type { OrchestrationContext } from 'durable-functions';
import { ACTIVITIES, type LearnedResult, type PlainResult, type ShipResult } from '../activities/names.ts';
import type { UpkeepInput } from './names.ts';
import { call, type Steps } from './steps.ts';

export function* upkeep(context: OrchestrationContext): Steps<{ shipped: number }> {
  const { group, purge } = context.df.getInput<UpkeepInput>();
  const [shipped] = (yield context.df.Task.all([
    context.df.callActivity(ACTIVITIES.shipAudit, { group }),
    context.df.callActivity(ACTIVITIES.readLearned, { group }),
  ])) as [ShipResult, LearnedResult];
  if (purge) yield* call<PlainResult>(context, ACTIVITIES.purgeHistory, { group });
  return { shipped: shipped.ok ? shipped.shipped : 0 };
}
