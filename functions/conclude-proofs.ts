// Ends proofs: outcome on record, a failed region marked unproven, and what the vip wants done about a failure.
import type { AuditDraft } from '../shared/audit.ts';
import { draft } from './audit-drafts.ts';
import type { Plane } from './deployment.ts';
import { withoutDoubt } from './engine/proved-again.ts';
import type { Intent, Policy } from './engine/types.ts';
import { changeLedger, confirmCommitted, type Held } from './lead.ts';
import type { Ledger } from './ledger.ts';
import { PROOF_STEPS, type RegionProof } from './ports.ts';

/** Does nothing for proofs that somebody else concluded already, so it may run twice. */
export async function concludeProofs(
  plane: Plane,
  group: string,
  correlationId: string,
  proofs: readonly RegionProof[],
): Promise<void> {
  const outcome = await changeLedger(plane, group, (held) => conclude(plane, held, correlationId, proofs));
  if (outcome.type === 'leads' && outcome.isCommitted) await confirmCommitted(plane, group, outcome.ledger);
}

function conclude(
  plane: Plane,
  held: Held,
  correlationId: string,
  proofs: readonly RegionProof[],
): { ledger: Ledger; drafts: AuditDraft[] } | undefined {
  const { ledger, nowMs } = held;
  const open = proofs.filter((proof) => ledger.proofs[proof.vip]?.decisionId === proof.decisionId);
  if (open.length === 0) return undefined;
  const drafts: AuditDraft[] = [];
  let { policy } = ledger;
  for (const proof of open) {
    const hasFailed = PROOF_STEPS.some((name) => proof.steps[name].proof === 'failed');
    drafts.push(verificationDraft(nowMs, correlationId, proof, hasFailed));
    policy = markRegion(policy, proof, nowMs);
    if (hasFailed) policy = answerFailure(plane, held, policy, proof, drafts);
  }
  const closed = new Set(open.map((proof) => proof.vip));
  const left = Object.fromEntries(Object.entries(ledger.proofs).filter(([vip]) => !closed.has(vip)));
  return { ledger: { ...ledger, policy, proofs: left }, drafts };
}

function verificationDraft(nowMs: number, correlationId: string, proof: RegionProof, hasFailed: boolean): AuditDraft {
  return draft(nowMs, 'verification', {
    DecisionId: proof.decisionId,
    CorrelationId: correlationId,
    Vip: proof.vip,
    Region: proof.region,
    Reason: hasFailed ? 'proof-failed' : 'proved',
    Detail: Object.fromEntries(
      PROOF_STEPS.map((name) => [name, `${proof.steps[name].proof}: ${proof.steps[name].detail}`]),
    ),
  });
}

/** Automation does not choose a region whose proof failed until it is proved (again) or a person clears it. */
function markRegion(policy: Policy, proof: RegionProof, nowMs: number): Policy {
  const vip = policy.vips[proof.vip];
  const row = vip?.regions[proof.region];
  if (vip === undefined || row === undefined) return policy;
  const clear = withoutDoubt(row);
  // The first that failed: a route that never left its NVA is missed at the circuit too, and tells nothing of it.
  const unprovenAt = PROOF_STEPS.find((name) => proof.steps[name].proof === 'failed');
  const marked = unprovenAt === undefined ? clear : { ...clear, unprovenSinceMs: nowMs, unprovenAt };
  return {
    ...policy,
    vips: { ...policy.vips, [proof.vip]: { ...vip, regions: { ...vip.regions, [proof.region]: marked } } },
  };
}

/**
 * rollback: the region that acted before is asked to act again; the engine refuses unless it is healthy now.
 * withdraw-old: the old region is drained, but only when an observer was answered by the new one.
 */
function answerFailure(plane: Plane, held: Held, policy: Policy, proof: RegionProof, drafts: AuditDraft[]): Policy {
  const vip = plane.deployment.topology.vips.find((candidate) => candidate.name === proof.vip);
  const open = held.ledger.proofs[proof.vip];
  const acting = policy.vips[proof.vip]?.acting;
  if (vip === undefined || open === undefined || proof.region !== acting || open.from === acting) return policy;
  const isAnswered = proof.steps.observer.proof === 'proved';
  const type = vip.onVerifyFailure === 'rollback' ? 'failover' : 'drain';
  const isWanted = vip.onVerifyFailure === 'rollback' || (vip.onVerifyFailure === 'withdraw-old' && isAnswered);
  if (!isWanted) return policy;
  const intent: Intent = {
    id: `${vip.onVerifyFailure}-${proof.decisionId}-${proof.vip}`,
    type,
    vip: proof.vip,
    region: open.from,
    actor: 'automation',
    actorType: 'automation',
    reason: `proof of ${proof.decisionId} failed`,
    force: [],
    createdAtMs: held.nowMs,
    deadlineMs: held.nowMs + plane.deployment.topology.guards.intentSeconds * 1000,
    operation: '',
  };
  drafts.push(
    draft(held.nowMs, 'intent', {
      DecisionId: proof.decisionId,
      Vip: proof.vip,
      Region: open.from,
      Reason: vip.onVerifyFailure,
    }),
  );
  return { ...policy, intents: [...policy.intents, intent] };
}
