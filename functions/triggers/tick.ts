// tick: the timer's look at every group, and upkeep beside it.
import { OperatingError } from '../../shared/errors.ts';
import type { Plane } from '../deployment.ts';
import type { Client } from '../http/call.ts';
import { ORCHESTRATIONS, type UpkeepInput } from '../orchestrators/names.ts';
import { startOnce } from '../start-once.ts';
import { evaluateTick } from './start-evaluate.ts';

const HOUR_MS = 3600_000;

/** Six-field NCRONTAB; tickSeconds divides 60 (checked in the topology). */
export const tickSchedule = (tickSeconds: number): string =>
  tickSeconds === 60 ? '0 * * * * *' : `*/${tickSeconds} * * * * *`;

/** One group's trouble does not keep the others from being looked at; returns what went wrong. */
export async function tick(plane: Plane, client: Client): Promise<string[]> {
  const nowMs = plane.clock.nowMs();
  const tickMs = plane.deployment.topology.timing.tickSeconds * 1000;
  const slot = Math.floor(nowMs / tickMs);
  const results = await Promise.allSettled(
    plane.deployment.groups.flatMap((group) => [
      evaluateTick(client, group, nowMs, tickMs),
      startOnce(client, ORCHESTRATIONS.upkeep, `upkeep-${group}-${slot}`, upkeepInput(group, nowMs, tickMs)),
    ]),
  );
  return results.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    if (!(result.reason instanceof OperatingError)) throw result.reason;
    return [result.reason.message];
  });
}

/** Purging belongs to the first tick of each hour. */
const upkeepInput = (group: string, nowMs: number, tickMs: number): UpkeepInput => ({
  group,
  purge: nowMs % HOUR_MS < tickMs,
});
