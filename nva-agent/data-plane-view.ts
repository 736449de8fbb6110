// The data plane as status and metrics show it. Values in, values out.
import type { VipState } from './agent.ts';
import { isSafeToStop } from './data-plane-moves.ts';
import type { DataPlaneStatus } from './dataplane/data-plane.ts';
import type { DataPlaneConfig } from './dataplane/plan.ts';

export interface DataPlaneVipView {
  readonly vip: string;
  readonly mode: string;
  /** Its address, ports and rules stand. */
  readonly applied: boolean;
  /** Client connections that stand now. */
  readonly established: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Whom connections are shared with after a move, while they are. */
  readonly secondChance?: { readonly peer: string; readonly phase: string; readonly endsInMs: number };
  /** It draws no traffic, and its connections are over or have had their time. */
  readonly safeToStop: boolean;
}

export interface DataPlaneView {
  readonly vips: readonly DataPlaneVipView[];
  /** Why the last attempt to apply it failed; absent while all stands. */
  readonly problem?: string;
  /** When these figures were taken; null when none were yet. */
  readonly atMs: number | null;
  readonly applies: Readonly<Record<'changed' | 'unchanged' | 'failed', number>>;
  /** Packets handed to their connection's owner through the tunnel. */
  readonly tunnelledPackets: number;
  /** NVAs that connections can be shared with, and whether the tunnel to them was proved lately. */
  readonly peers: readonly { readonly nva: string; readonly isProved: boolean }[];
}

export interface DataPlaneMoment {
  readonly config: DataPlaneConfig;
  readonly served: ReadonlySet<string>;
  readonly problem: string | undefined;
  readonly applies: DataPlaneView['applies'];
  readonly sample: { readonly atMs: number; readonly status: DataPlaneStatus } | undefined;
  readonly vip: (name: string) => VipState | undefined;
  readonly nowMs: number;
}

export function viewOf(moment: DataPlaneMoment): DataPlaneView {
  const { config, sample, problem, nowMs } = moment;
  const chance = sample?.status.secondChance;
  return {
    vips: config.vips.map((vip) => {
      const figures = sample?.status.vips.find((candidate) => candidate.vip === vip.vip);
      const held = moment.vip(vip.vip);
      const shared = chance?.vips.find((candidate) => candidate.vip === vip.vip);
      return {
        vip: vip.vip,
        mode: vip.mode,
        applied: moment.served.has(vip.vip),
        established: figures?.established ?? 0,
        connections: figures?.connections ?? 0,
        bytesIn: figures?.bytesIn ?? 0,
        bytesOut: figures?.bytesOut ?? 0,
        ...(shared === undefined
          ? {}
          : { secondChance: { peer: shared.peer, phase: shared.phase, endsInMs: Math.round(shared.endsInMs) } }),
        // Before the first look nothing is known, and unknown is not safe.
        safeToStop:
          figures !== undefined &&
          isSafeToStop({
            vip,
            announced: held?.announced ?? null,
            announcedForMs: held === undefined ? 0 : nowMs - held.announcedSinceMs,
            established: figures.established,
          }),
      };
    }),
    ...(problem === undefined ? {} : { problem }),
    atMs: sample === undefined ? null : Math.round(sample.atMs),
    applies: { ...moment.applies },
    tunnelledPackets: chance?.handedOver ?? 0,
    peers: chance?.peers ?? [],
  };
}
