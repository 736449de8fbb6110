// The look itself: evidence and ledger in, decision committed, a small answer out.

import { type Looked, look, nvasBehind } from '../decision.ts';
import { nvasOf, type Plane } from '../deployment.ts';
import { changeLedger, type Held } from '../lead.ts';
import type { Ledger } from '../ledger.ts';
import { writeView } from '../seat-view.ts';
import { snapshotHash, toSnapshot } from '../snapshot.ts';
import { attempt } from './attempt.ts';
import type { DecideInput, DecideResult, OpenProofRef } from './names.ts';

export const decideAndCommit =
  (plane: Plane) =>
  (input: DecideInput): Promise<DecideResult> =>
    attempt(() => run(plane, input));

async function run(plane: Plane, input: DecideInput): Promise<DecideResult> {
  const { group } = input;
  const config = plane.deployment.configOf(group);
  const seen: { looked?: Looked } = {};
  const outcome = await changeLedger(plane, group, (held) => {
    seen.looked = lookAt(plane, held, input);
    return seen.looked.change;
  });
  await writeView(plane, group, outcome.sight.evidence, outcome.type === 'leads' ? plane.clock.nowMs() : null);
  if (outcome.type === 'follows') return following(plane);
  const { ledger } = outcome;
  const nvas = nvasOf(config).map(({ nva }) => nva.name);
  return {
    ok: true,
    leads: true,
    decisionId: ledger.decisionId,
    sequence: { epoch: ledger.epoch, generation: ledger.generation },
    isCommitted: outcome.isCommitted,
    deliver: nvasBehind(ledger, outcome.sight.evidence, nvas),
    proofs: openProofRefs(ledger),
    nextLookMs: seen.looked?.decision.nextLookMs ?? plane.clock.nowMs(),
    wish: seen.looked?.wish ?? null,
  };
}

function lookAt(plane: Plane, held: Held, input: DecideInput): Looked {
  const snapshot = toSnapshot(plane, input.group, held.ledger, held.sight);
  return look({
    ledger: held.ledger,
    snapshot,
    config: plane.deployment.configOf(input.group),
    nowMs: held.nowMs,
    snapshotHash: snapshotHash(snapshot),
    correlationId: input.correlationId,
    ...(input.wish && { wish: input.wish }),
  });
}

const following = (plane: Plane): DecideResult => ({
  ok: true,
  leads: false,
  decisionId: '',
  sequence: { epoch: 0, generation: 0 },
  isCommitted: false,
  deliver: [],
  proofs: [],
  nextLookMs: plane.clock.nowMs() + plane.deployment.topology.timing.tickSeconds * 1000,
  wish: null,
});

function openProofRefs(ledger: Ledger): OpenProofRef[] {
  const refs = new Map<string, OpenProofRef>();
  for (const { decisionId, operation } of Object.values(ledger.proofs)) refs.set(decisionId, { decisionId, operation });
  return [...refs.values()].slice(-50);
}
