// Registers every function of the control plane with the Functions runtime, on the given ports.
import { app, type HttpMethod, type InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { auditAhead } from './activities/audit-ahead.ts';
import { decideAndCommit } from './activities/decide-and-commit.ts';
import { deliverOrder } from './activities/deliver-order.ts';
import { drillCheck, drillRecord, readCancelled } from './activities/drill.ts';
import { gather } from './activities/gather.ts';
import { ACTIVITIES, type GroupInput, type StartDrillsInput, type StartVerifyInput } from './activities/names.ts';
import { purgeHistory } from './activities/purge-history.ts';
import { readLearned } from './activities/read-learned.ts';
import { recordDelivery } from './activities/record-delivery.ts';
import { shipAudit } from './activities/ship-audit.ts';
import { startDrills } from './activities/start-drills.ts';
import { startVerify } from './activities/start-verify.ts';
import { verifyStep } from './activities/verify-step.ts';
import type { Plane } from './deployment.ts';
import { answer, type Client } from './http/call.ts';
import type { Buckets } from './http/rates.ts';
import { drill } from './orchestrators/drill.ts';
import { evaluate } from './orchestrators/evaluate.ts';
import { ORCHESTRATIONS } from './orchestrators/names.ts';
import { operation } from './orchestrators/operation.ts';
import { upkeep } from './orchestrators/upkeep.ts';
import { verify } from './orchestrators/verify.ts';
import { shareLooks } from './shared-looks.ts';
import { createRoutes } from './triggers/routes.ts';
import { statusLog } from './triggers/status-log.ts';
import { tick, tickSchedule } from './triggers/tick.ts';

export function registerControlPlane(plane: Plane): void {
  registerActivities(plane);
  df.app.orchestration(ORCHESTRATIONS.evaluate, evaluate);
  df.app.orchestration(ORCHESTRATIONS.operation, operation);
  df.app.orchestration(ORCHESTRATIONS.verify, verify);
  df.app.orchestration(ORCHESTRATIONS.drill, drill);
  df.app.orchestration(ORCHESTRATIONS.upkeep, upkeep);
  df.app.client.timer('tick', {
    schedule: tickSchedule(plane.deployment.topology.timing.tickSeconds),
    handler: async (_timer, client, context) => {
      for (const problem of await tick(plane, client)) context.warn(problem);
      for (const line of await statusLog(plane)) context.info(line);
    },
  });
  const buckets: Buckets = new Map();
  for (const route of createRoutes()) {
    // Function names are shared with the orchestrations, and `operation` is both.
    app.http(`http-${route.name}`, {
      route: route.path,
      methods: [...route.methods] as HttpMethod[],
      // The token is verified in code, whatever stands in front.
      authLevel: 'anonymous',
      extraInputs: [df.input.durableClient()],
      handler: (request, context) =>
        answer(route, { plane, client: clientOf(context), request, log: context, buckets }),
    });
  }
  app.setup({ enableHttpStream: false });
}

/** Made when something is started: most calls start nothing, and a client costs more than taking a report. */
function clientOf(context: InvocationContext): Client {
  let made: df.DurableClient | undefined;
  const client = (): df.DurableClient => {
    made ??= df.getClient(context);
    return made;
  };
  return {
    startNew: (...given) => client().startNew(...given),
    getStatus: (...given) => client().getStatus(...given),
  };
}

function registerActivities(plane: Plane): void {
  const register = <I, O>(name: string, run: (input: I) => Promise<O>) =>
    df.app.activity(name, { handler: (input: unknown) => run(input as I) });
  register(ACTIVITIES.gather, gather(plane));
  register(ACTIVITIES.decideAndCommit, shareLooks(decideAndCommit(plane)));
  register(ACTIVITIES.auditAhead, auditAhead(plane));
  register(ACTIVITIES.deliverOrder, deliverOrder(plane));
  register(ACTIVITIES.recordDelivery, recordDelivery(plane));
  register(ACTIVITIES.verifyStep, verifyStep(plane));
  register(ACTIVITIES.shipAudit, shipAudit(plane));
  register(ACTIVITIES.readLearned, readLearned(plane));
  register(ACTIVITIES.drillCheck, drillCheck(plane));
  register(ACTIVITIES.drillRecord, drillRecord(plane));
  register(ACTIVITIES.readCancelled, readCancelled(plane));
  df.app.activity(ACTIVITIES.startVerify, {
    extraInputs: [df.input.durableClient()],
    handler: (input, context) => startVerify(df.getClient(context), input as StartVerifyInput),
  });
  df.app.activity(ACTIVITIES.startDrills, {
    extraInputs: [df.input.durableClient()],
    handler: (input, context) => startDrills(plane, df.getClient(context), input as StartDrillsInput),
  });
  df.app.activity(ACTIVITIES.purgeHistory, {
    extraInputs: [df.input.durableClient()],
    handler: (input, context) => purgeHistory(plane, df.getClient(context), input as GroupInput),
  });
}
