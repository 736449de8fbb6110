// Starts evaluations: one per slot and group, so that a burst of transitions is looked at together.
import type { Client } from '../http/call.ts';
import { SLOT_MS } from '../limits.ts';
import { type EvaluateInput, ORCHESTRATIONS } from '../orchestrators/names.ts';
import { startOnce } from '../start-once.ts';

const slotId = (group: string, slot: number): string => `evaluate-${group}-${slot}`;

/**
 * Looks at once when no look of this slot began yet; otherwise at the beginning of the next slot, since the one under
 * way may have read the evidence before this news. Two hundred transitions in one slot start two looks.
 */
export async function evaluateNow(client: Client, group: string, nowMs: number): Promise<void> {
  const slot = Math.floor(nowMs / SLOT_MS);
  const now: EvaluateInput = { group, notBeforeMs: 0 };
  if ((await startOnce(client, ORCHESTRATIONS.evaluate, slotId(group, slot), now)) === 'started') return;
  await evaluateAt(client, group, (slot + 1) * SLOT_MS);
}

/** Looks at the beginning of the slot that holds the given time (epoch ms), unless that look is arranged already. */
export async function evaluateAt(client: Client, group: string, atMs: number): Promise<void> {
  const slot = Math.ceil(atMs / SLOT_MS);
  const input: EvaluateInput = { group, notBeforeMs: slot * SLOT_MS };
  await startOnce(client, ORCHESTRATIONS.evaluate, slotId(group, slot), input);
}

/** Looks once per tick, however often the timer fires for it. */
export async function evaluateTick(client: Client, group: string, nowMs: number, tickMs: number): Promise<void> {
  const id = `evaluate-${group}-tick-${Math.floor(nowMs / tickMs)}`;
  await startOnce(client, ORCHESTRATIONS.evaluate, id, { group, notBeforeMs: 0 } satisfies EvaluateInput);
}
