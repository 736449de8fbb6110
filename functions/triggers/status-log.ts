// The status as log lines, at the timer's pace: what alerts and the workbook on Azure read.
import type { Plane } from '../deployment.ts';
import { statusLines } from '../status-lines.ts';
import { readStatus } from './reading.ts';

/** Reading costs a few storage calls, so not at every tick; alerts look at minutes. */
const SEAT_EVERY_MS = 15_000;
const ALL_EVERY_MS = 60_000;

/** The lines that are due at this tick; none at most ticks. */
export async function statusLog(plane: Plane): Promise<string[]> {
  const tickMs = plane.deployment.topology.timing.tickSeconds * 1000;
  const nowMs = plane.clock.nowMs();
  if (nowMs % SEAT_EVERY_MS >= tickMs) return [];
  return statusLines(await readStatus(plane), nowMs % ALL_EVERY_MS < tickMs);
}
