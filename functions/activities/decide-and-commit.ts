// The look itself: evidence and ledger in, decision committed, a small answer out.

import { type Look, type Looked, nvasBehind } from '../decision.ts';
import { nvasOf, type Plane } from '../deployment.ts';
import { findDrift } from '../drift.ts';
import { changeLedger, confirmCommitted, type Held } from '../lead.ts';
import type { Ledger } from '../ledger.ts';
import { OWN_PROOF_MS } from '../limits.ts';
import { writeView } from '../seat-view.ts';
import { snapshotHash, toSnapshot } from '../snapshot.ts';
import { lookWithVetoes } from '../vetoes.ts';
import { concludedOutcome } from '../wishes.ts';
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
  const outcome = await changeLedger(plane, group, async (held) => {
    seen.looked = await lookWithVetoes(plane, toLook(plane, held, input));
    return seen.looked.change;
  });
  const leads = outcome.type === 'leads';
  // Both may be done again at any time, so they need not wait for each other.
  await Promise.all([
    writeView(plane, group, outcome.sight.evidence, leads ? plane.clock.nowMs() : null),
    leads && outcome.isCommitted ? confirmEarly(plane, group, outcome.ledger) : undefined,
  ]);
  if (!leads) return following(plane, outcome.ledger, input);
  const { ledger } = outcome;
  const nvas = nvasOf(config).map(({ nva }) => nva.name);
  return {
    ok: true,
    leads: true,
    decisionId: ledger.decisionId,
    sequence: { epoch: ledger.epoch, generation: ledger.generation },
    isCommitted: outcome.isCommitted,
    deliver: nvasBehind(ledger, outcome.sight.evidence, nvas),
    proofs: openProofRefs(ledger, plane.clock.nowMs()),
    nextLookMs: seen.looked?.decision.nextLookMs ?? plane.clock.nowMs(),
    wish: seen.looked?.wish ?? null,
    ...(seen.looked && seen.looked.drills.length > 0 && { drills: seen.looked.drills }),
  };
}

/** The decision stands, whether or not its records are confirmed already; the step that must confirm them comes next. */
async function confirmEarly(plane: Plane, group: string, ledger: Ledger): Promise<void> {
  await attempt(async () => {
    await confirmCommitted(plane, group, ledger);
    return { ok: true };
  });
}

function toLook(plane: Plane, held: Held, input: DecideInput): Look {
  const snapshot = toSnapshot(plane, input.group, held.ledger, held.sight);
  const config = plane.deployment.configOf(input.group);
  let hash: string | undefined;
  return {
    ledger: held.ledger,
    snapshot,
    config,
    nowMs: held.nowMs,
    drift: findDrift(held.ledger, held.sight, config, held.nowMs),
    // Of the looks that put something on record only: most do not.
    get snapshotHash() {
      hash ??= snapshotHash(snapshot);
      return hash;
    },
    correlationId: input.correlationId,
    ...(input.wish && { wish: input.wish }),
  };
}

/** A follower changes nothing, but what the leader made of a wish stands in the ledger for everybody to read. */
const following = (plane: Plane, ledger: Ledger | undefined, input: DecideInput): DecideResult => ({
  ok: true,
  leads: false,
  decisionId: '',
  sequence: { epoch: 0, generation: 0 },
  isCommitted: false,
  deliver: [],
  proofs: [],
  nextLookMs: plane.clock.nowMs() + plane.deployment.topology.timing.tickSeconds * 1000,
  wish: ledger === undefined ? null : concludedOutcome(ledger, input.wish),
});

/** An operation looks at its own proof; one that has long died (by a deployment, say) leaves it to whoever looks next. */
function openProofRefs(ledger: Ledger, nowMs: number): OpenProofRef[] {
  const refs = new Map<string, OpenProofRef>();
  for (const { decisionId, operation, sinceMs } of Object.values(ledger.proofs)) {
    const isLeft = nowMs - sinceMs > OWN_PROOF_MS;
    refs.set(decisionId, { decisionId, operation: isLeft ? '' : operation });
  }
  return [...refs.values()].slice(-50);
}
