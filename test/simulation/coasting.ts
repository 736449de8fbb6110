// Ticks of an agent that are only counted: their probes can but pass, of applications that work, seen by full windows of passes.
import type { AgentPlan, AgentState } from '../../nva-agent/agent.ts';
import { spanOf } from '../../nva-agent/health/window.ts';

export interface CoastingOwner {
  readonly plan: AgentPlan;
  /** The application of this vip works as it should. */
  readonly isWell: (vip: string) => boolean;
  /** How long a probe that passes takes: chance is asked as for any probe, so that a story stays what it was. */
  readonly drawLatencyMs: () => number;
}

export interface Awake {
  readonly state: AgentState;
  /** Probes that have not ended yet. */
  readonly underWay: readonly { readonly vip: string; readonly delayMs: number }[];
}

export class Coasting {
  readonly #owner: CoastingOwner;
  /** When the probes of the latest counted tick end, by vip. */
  readonly #endsMs = new Map<string, number>();
  /** Where the grid of each vip has come to. */
  readonly #dueMs = new Map<string, number>();

  constructor(owner: CoastingOwner) {
    this.#owner = owner;
  }

  reset(): void {
    this.#endsMs.clear();
    this.#dueMs.clear();
  }

  /** Counts a tick when that is all it needs: then the time of the next; else undefined. */
  count(state: AgentState, nowMs: number): number | undefined {
    const { plan, drawLatencyMs } = this.#owner;
    if (state.phase !== 'running' || state.gone.size > 0 || state.overrides.size > 0) return undefined;
    if (!plan.vips.every(({ vip, health }) => this.#isFree(state, vip, spanOf(health.window), nowMs))) return undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const { vip, health } of plan.vips) {
      const dueMs = this.#dueOf(state, vip);
      const isDue = dueMs <= nowMs;
      const nextMs = isDue ? dueMs + health.intervalMs * (Math.floor((nowMs - dueMs) / health.intervalMs) + 1) : dueMs;
      if (isDue) {
        this.#endsMs.set(vip, nowMs + drawLatencyMs());
        this.#dueMs.set(vip, nextMs);
      }
      // As `nextTickMs`: who has no probe under way asks for no tick.
      if ((this.#endsMs.get(vip) ?? 0) > nowMs) next = Math.min(next, nextMs);
    }
    return Number.isFinite(next) ? next : undefined;
  }

  #dueOf(state: AgentState, vip: string): number {
    return this.#dueMs.get(vip) ?? state.vips.get(vip)?.health.nextProbeMs ?? Number.POSITIVE_INFINITY;
  }

  /** Its next probe can but pass, and the one before is over when it begins. */
  #isFree(state: AgentState, vip: string, span: number, nowMs: number): boolean {
    const held = state.vips.get(vip);
    if (held === undefined || held.pacing.resendAtMs !== undefined || held.health.penalty.isSuppressed) return false;
    const isOver = (this.#endsMs.get(vip) ?? 0) <= nowMs || this.#dueOf(state, vip) > nowMs;
    return isOver && this.#isKnown(state, vip, span);
  }

  /** What the counted ticks would have left behind: the next place on the grid, and probes under way. */
  wake(state: AgentState, nowMs: number): Awake {
    if (this.#dueMs.size === 0) return { state, underWay: [] };
    const vips = new Map(state.vips);
    const underWay: { vip: string; delayMs: number }[] = [];
    for (const [vip, nextProbeMs] of this.#dueMs) {
      const held = vips.get(vip);
      if (held === undefined) continue;
      const delayMs = (this.#endsMs.get(vip) ?? 0) - nowMs;
      if (delayMs > 0) underWay.push({ vip, delayMs });
      vips.set(vip, { ...held, health: { ...held.health, nextProbeMs, inFlight: delayMs > 0 ? 1 : 0 } });
    }
    this.reset();
    return { state: { ...state, vips }, underWay };
  }

  /** When the agent wants its next tick, but for probes whose outcome is known. */
  nextTickMs(state: AgentState): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { vip, health } of this.#owner.plan.vips) {
      const held = state.vips.get(vip);
      if (held === undefined) continue;
      if (!this.#isKnown(state, vip, spanOf(health.window))) next = Math.min(next, held.health.nextProbeMs);
      if (held.pacing.resendAtMs !== undefined) next = Math.min(next, held.pacing.resendAtMs);
    }
    return next;
  }

  #isKnown(state: AgentState, vip: string, span: number): boolean {
    const health = state.vips.get(vip)?.health;
    if (health === undefined || !this.#owner.isWell(vip)) return false;
    const { window } = health;
    return (
      health.verdict === 'healthy' &&
      health.inFlight === 0 &&
      health.doubt === 0 &&
      !health.sentinelIsLost &&
      window.passRun >= span &&
      window.unknownRun === 0 &&
      !window.decided.includes('0')
    );
  }
}
