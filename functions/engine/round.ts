// One evaluation in progress: what it was given, and what it has collected so far.
// Never knows how a verdict is fused or a move is chosen.
import type { Region, Vip } from '../../shared/topology-schema.ts';
import type { NvaView } from './evidence.ts';
import type { Reason } from './reasons.ts';
import type {
  Action,
  Blocked,
  Decision,
  EngineConfig,
  FusedVerdict,
  Hold,
  IntentOutcome,
  Policy,
  RegionPolicy,
  Snapshot,
  VipPolicy,
} from './types.ts';

/** Look again at the latest after this long, whatever happens. */
export const LOOK_MS_MAX = 5 * 60_000;

export interface Round {
  readonly snapshot: Snapshot;
  readonly config: EngineConfig;
  readonly nowMs: number;
  readonly regions: ReadonlyMap<string, Region>;
  readonly nvas: ReadonlyMap<string, NvaView>;
  holds: readonly Hold[];
  moves: Policy['moves'];
  trusted: boolean;
  readonly actions: Action[];
  readonly blocked: Blocked[];
  readonly outcomes: IntentOutcome[];
  readonly alerts: Decision['alerts'][number][];
  readonly provedAgain: Decision['provedAgain'][number][];
  nextLookMs: number;
}

/** One vip of the round, its policy as it stands after the changes made so far. */
export interface VipRound {
  readonly round: Round;
  readonly vip: Vip;
  readonly verdicts: Readonly<Record<string, FusedVerdict>>;
  policy: VipPolicy;
  /** The intent that moved this vip in this round: its verdicts were fused before, so nothing else moves it now. */
  movedBy?: string;
}

/** Who causes a change, and why: what every action carries. */
export interface Cause {
  readonly kind: Action['kind'];
  readonly reason: Reason;
  readonly detail: string;
  readonly actor: string;
  readonly actorType: Action['actorType'];
  readonly intent?: string;
}

export const automation = (kind: Action['kind'], reason: Reason, detail: string): Cause => ({
  kind,
  reason,
  detail,
  actor: 'engine',
  actorType: 'automation',
});

/** Something could change at that time without any news. */
export function lookAt(round: Round, atMs: number): void {
  if (atMs > round.nowMs && atMs < round.nextLookMs) round.nextLookMs = atMs;
}

/** A row of the vip's policy, which has one for every region by construction (membership.ts). */
export function rowOf(vr: VipRound, region: string): RegionPolicy {
  const row = vr.policy.regions[region];
  if (row === undefined) throw new Error(`vip ${vr.vip.name} has no row for region ${region}`);
  return row;
}

export const verdictOf = (vr: VipRound, region: string): FusedVerdict =>
  vr.verdicts[region] ?? { verdict: 'unknown', sinceMs: vr.round.nowMs, basis: 'agent', sources: [] };

/** Place in the ranking, 0 is best; regions that are no members rank behind all that are. */
export function rankOf(vip: Vip, region: string): number {
  const rank = vip.regions.indexOf(region);
  return rank < 0 ? vip.regions.length : rank;
}

/** All regions the vip's policy knows, members by ranking, former members after them by name. */
export function regionsByRank(vr: VipRound): string[] {
  const members = vr.vip.regions.filter((region) => vr.policy.regions[region] !== undefined);
  const known = Object.keys(vr.policy.regions);
  if (known.length === members.length) return members;
  return [...members, ...known.filter((region) => !vr.vip.regions.includes(region)).sort()];
}
