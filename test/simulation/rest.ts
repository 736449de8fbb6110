// Where regions rest when all is calm, by the judge's own account rather than the engine's.
import { baseRung } from '../../shared/ladder.ts';
import { ladderOf } from '../../shared/topology.ts';
import type { Topology, Vip } from '../../shared/topology-schema.ts';

const areSeparate = ({ transport }: Topology): boolean =>
  transport.kind === 'expressroute' && transport.circuits === 'separate';

/** The rung a region rests on; members of active-active share one, on separate circuits the only one of equal lengths. */
export function restOf(topology: Topology, vip: Vip, region: string): number {
  const ladder = ladderOf(topology);
  if (vip.mode === 'primary-backup') return baseRung(ladder, vip.regions.indexOf(region));
  return areSeparate(topology) ? 0 : baseRung(ladder, 0);
}

/** Members that rest on rung 0 cannot go below a lost one: its route lives as long as its hold time. */
export const hasRoom = (vip: Vip, topology: Topology): boolean =>
  vip.mode === 'primary-backup' || !areSeparate(topology);
