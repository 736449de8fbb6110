// Gathers what is stored into the one value the decision engine looks at.
import { canonicalJson } from '../shared/audit.ts';
import { compareSequence, SEQUENCE_ZERO, type Sequence } from '../shared/vocabulary.ts';
import { sha256 } from './audit-chain.ts';
import { nvasOf, type Plane } from './deployment.ts';
import type { NvaEvidence, Snapshot } from './engine/types.ts';
import type { Ledger } from './ledger.ts';
import type { StoredEvidence, StoredProofs, StoredSeatView } from './ports.ts';

/** Everything stored about one group, as read at one moment. */
export interface Sight {
  readonly evidence: StoredEvidence;
  readonly proofs: StoredProofs;
  /** Of every seat; of this one only where it is asked for. */
  readonly views: readonly StoredSeatView[];
}

/** @param whose views: a decision asks the other seats only, for what this one heard is in the evidence. */
export async function readSight(plane: Plane, group: string, whose: 'others' | 'all' = 'others'): Promise<Sight> {
  const [evidence, proofs, views] = await Promise.all([
    plane.reports.read(group),
    plane.proofs.read(group),
    plane.ledger.readViews(group, whose === 'others' ? plane.deployment.seat.name : undefined),
  ]);
  return { evidence, proofs, views };
}

export const decisionIdOf = (group: string, epoch: number, generation: number): string =>
  `d-${group}-${epoch}-${generation}`;

/** The snapshot for the decision that would be committed on top of this ledger. */
export function toSnapshot(plane: Plane, group: string, ledger: Ledger, sight: Sight): Snapshot {
  const { seat } = plane.deployment;
  const nextGeneration = ledger.generation + 1;
  return {
    group,
    decisionId: decisionIdOf(group, ledger.epoch, nextGeneration),
    nextGeneration,
    seat: {
      name: seat.name,
      region: seat.region,
      leaderSinceMs: ledger.leaderSinceMs,
      followedFresh: ledger.followedFresh,
    },
    nvas: toNvaEvidence(plane, group, sight.evidence),
    observers: sight.evidence.observers,
    learned: sight.proofs.learned,
    seatViews: sight.views.filter((view) => view.seat !== seat.name),
    signals: sight.evidence.signals,
    vetoes: sight.evidence.vetoes,
    ...(sight.proofs.apps && { apps: sight.proofs.apps }),
    peerStatus: sight.proofs.peerStatus,
  };
}

/** Reports of NVAs that the topology does not know (any more) are no evidence. */
export function toNvaEvidence(plane: Plane, group: string, evidence: StoredEvidence): Record<string, NvaEvidence> {
  return Object.fromEntries(
    nvasOf(plane.deployment.configOf(group)).map(({ nva }) => {
      const [report, probe] = [evidence.reports[nva.name], evidence.probes[nva.name]];
      return [nva.name, { ...(report && { report }), ...(probe && { probe }) }];
    }),
  );
}

/** Newest order that any agent says it has: a ledger must never be behind it. */
export function newestReported(evidence: StoredEvidence): Sequence {
  return Object.values(evidence.reports).reduce<Sequence>(
    (newest, { report }) => (compareSequence(report.order, newest) > 0 ? report.order : newest),
    SEQUENCE_ZERO,
  );
}

/** Identifies what a decision was based on, without keeping it. */
export const snapshotHash = (snapshot: Snapshot): string => sha256(canonicalJson(snapshot));
