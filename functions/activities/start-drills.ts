// Starts scheduled drills whose time has come; each has one id, so however often it is asked it starts once.
import type { DurableClient } from 'durable-functions';
import { sha256 } from '../audit-chain.ts';
import type { Plane } from '../deployment.ts';
import type { Intent } from '../engine/types.ts';
import { type OperationInput, ORCHESTRATIONS } from '../orchestrators/names.ts';
import { type ScheduledDrill, scheduleActor, scheduledIntentId } from '../schedules.ts';
import { startOnce } from '../start-once.ts';
import { attempt } from './attempt.ts';
import type { PlainResult, StartDrillsInput } from './names.ts';

export const startDrills = (
  plane: Plane,
  client: Pick<DurableClient, 'startNew' | 'getStatus'>,
  input: StartDrillsInput,
): Promise<PlainResult> =>
  attempt(async () => {
    for (const scheduled of input.drills) {
      const operation = toOperation(plane, input.group, scheduled);
      if (operation !== undefined) await startOnce(client, ORCHESTRATIONS.drill, operation.id, operation);
    }
    return { ok: true };
  });

function toOperation(plane: Plane, group: string, scheduled: ScheduledDrill): OperationInput | undefined {
  const { topology } = plane.deployment;
  const schedule = topology.schedules.find((candidate) => candidate.name === scheduled.schedule);
  if (schedule === undefined) return undefined;
  const id = `op-${sha256(`${schedule.name}|${scheduled.slotMs}`).slice(0, 18)}`;
  const who = { actor: scheduleActor(schedule.name), actorType: 'automation' as const, reason: schedule.reason };
  const time = {
    createdAtMs: scheduled.slotMs,
    deadlineMs: scheduled.slotMs + topology.guards.intentSeconds * 1000,
  };
  const intent: Intent = {
    ...{ id: scheduledIntentId(schedule.name, scheduled.slotMs), type: 'failover', vip: schedule.vip, force: [] },
    ...{ operation: id, ...who, ...time },
  };
  const what = { id, kind: 'drill' as const, group, vip: schedule.vip, region: schedule.to ?? null };
  const { seconds } = schedule;
  return { ...what, ...who, ...time, bodyHash: '', wish: { type: 'intent', intent }, seconds, scheduled };
}
