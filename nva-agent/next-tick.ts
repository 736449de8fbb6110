// When the agent's step wants to be called again although nothing has happened.
// It must never know timers or clocks.
import type { AgentState, VipState } from './agent.ts';
import { nextHealthMs } from './health/vip-health.ts';
import { SplitMap } from './split-map.ts';

const resendMs = ({ pacing }: VipState): number => pacing.resendAtMs ?? Number.POSITIVE_INFINITY;
const dueMs = (vip: VipState): number => Math.min(nextHealthMs(vip.health), resendMs(vip));

/** When the step wants a tick at the latest. */
export function nextTickMs(state: AgentState): number {
  const isStopping = state.phase !== 'running' && state.phase !== 'gone';
  let next = SplitMap.of(state.vips).least(state.phase === 'running' ? dueMs : resendMs);
  if (isStopping) next = Math.min(next, state.phaseEndsMs);
  for (const { resendAtMs = next } of state.gone.values()) next = Math.min(next, resendAtMs);
  if (state.phase === 'running') {
    for (const override of state.overrides.values()) next = Math.min(next, override.expiresAtMs);
  }
  return next;
}
