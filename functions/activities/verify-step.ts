// One look at an open proof: reads routes, compares with what was ordered, and puts the end of it on record.
import { findRegion } from '../../shared/topology.ts';
import type { Region } from '../../shared/topology-schema.ts';
import { concludeProofs } from '../conclude-proofs.ts';
import type { Plane } from '../deployment.ts';
import { compileOrders } from '../engine/orders.ts';
import { type Ledger, type OpenProof, parseLedger } from '../ledger.ts';
import { LEARNED_PROOF_MS } from '../limits.ts';
import { type CircuitRoute, PROOF_STEPS, type RegionProof } from '../ports.ts';
import { prove } from '../prove.ts';
import { readSight, type Sight } from '../snapshot.ts';
import { attempt } from './attempt.ts';
import { VERIFIED_STEPS_MAX, type VerifiedStep, type VerifyInput, type VerifyResult } from './names.ts';
import { refreshLearned } from './read-learned.ts';

export const verifyStep =
  (plane: Plane) =>
  (input: VerifyInput): Promise<VerifyResult> =>
    attempt(() => run(plane, input));

interface OpenVip {
  readonly vip: string;
  readonly open: OpenProof;
}

async function run(plane: Plane, input: VerifyInput): Promise<VerifyResult> {
  const { group } = input;
  const stored = await plane.ledger.read(group);
  const parsed = stored.type === 'found' ? parseLedger(stored.text, group) : undefined;
  if (parsed === undefined || !parsed.ok) return { ok: false, code: 'ledger-malformed', detail: 'no ledger to prove' };
  const ledger = parsed.value;
  const vips = Object.entries(ledger.proofs)
    .filter(([, open]) => open.decisionId === input.decisionId)
    .map(([vip, open]): OpenVip => ({ vip, open }));
  if (vips.length === 0) return closed(plane, input);
  const sight = await readSight(plane, group);
  const routes = await readRoutes(plane, group, vips, sight);
  const proofs = vips
    .flatMap((one) => proveVip(plane, ledger, one, sight, routes))
    .map((proof) => (input.isLast ? settle(proof) : proof));
  await Promise.all(proofs.map((proof) => plane.proofs.putProof(group, proof)));
  const state = stateOf(proofs);
  if (state !== 'waiting') await concludeProofs(plane, group, input.correlationId, proofs);
  return { ok: true, isDone: state !== 'waiting', state, steps: stepsOf(proofs), ...measured(vips, sight) };
}

/** Concluded by somebody else, or taken over by a newer decision: what stands is what the proofs say. */
async function closed(plane: Plane, input: VerifyInput): Promise<VerifyResult> {
  const { proofs } = await plane.proofs.read(input.group);
  const own = proofs.filter((proof) => proof.decisionId === input.decisionId);
  const state = own.length === 0 ? 'superseded' : stateOf(own);
  return {
    ok: true,
    isDone: true,
    state: state === 'waiting' ? 'superseded' : state,
    steps: stepsOf(own),
    outageMs: null,
    latencyMs: null,
  };
}

interface Routes {
  readonly learned: Sight['proofs']['learned'];
  readonly circuits: ReadonlyMap<string, readonly CircuitRoute[] | undefined | null>;
}

async function readRoutes(plane: Plane, group: string, vips: readonly OpenVip[], sight: Sight): Promise<Routes> {
  const regions = regionsOf(plane, vips);
  const names = regions.flatMap((region) => region.nvas.map((nva) => nva.name));
  const [fresh, circuits] = await Promise.all([
    refreshLearned(plane, group, names, sight.proofs.learned, LEARNED_PROOF_MS),
    Promise.all(regions.map(async (region) => [region.name, await readCircuit(plane, region)] as const)),
  ]);
  return { learned: { ...sight.proofs.learned, ...fresh.read }, circuits: new Map(circuits) };
}

async function readCircuit(plane: Plane, region: Region): Promise<readonly CircuitRoute[] | undefined | null> {
  const reader = plane.routes;
  if (reader === undefined || region.circuit === undefined) return undefined;
  const answered = await attempt(async () => ({ ok: true as const, rows: await reader.circuit(region) }));
  return answered.ok ? answered.rows : null;
}

const regionsOf = (plane: Plane, vips: readonly OpenVip[]): Region[] =>
  [...new Set(vips.flatMap(({ open }) => open.regions))]
    .map((name) => findRegion(plane.deployment.topology, name))
    .filter((region) => region !== undefined);

function proveVip(plane: Plane, ledger: Ledger, { vip, open }: OpenVip, sight: Sight, routes: Routes): RegionProof[] {
  const config = plane.deployment.configOf(ledger.group);
  const wanted = config.vips.find((candidate) => candidate.name === vip);
  const policy = ledger.policy.vips[vip];
  if (wanted === undefined || policy === undefined) return [];
  const nowMs = plane.clock.nowMs();
  const sequence = { epoch: ledger.epoch, generation: open.generation };
  const actingRegions = wanted.mode === 'active-active' ? wanted.regions : [policy.acting];
  return regionsOf(plane, [{ vip, open }]).map((region) => ({
    vip,
    region: region.name,
    decisionId: open.decisionId,
    steps: prove({
      vip: wanted,
      region,
      isActing: actingRegions.includes(region.name),
      actingRegions,
      orders: compileOrders(ledger.policy, config, sequence, nowMs),
      sequence,
      sinceMs: open.sinceMs,
      evidence: sight.evidence,
      learned: routes.learned,
      circuit: routes.circuits.get(region.name),
      canReadRoutes: plane.routes !== undefined,
      observers: plane.deployment.topology.observers.map((observer) => observer.name),
      reportMs: config.reportMs,
      nowMs,
    }),
  }));
}

/** After the last look what still waits has failed, unless nobody could have seen it. */
function settle(proof: RegionProof): RegionProof {
  const settled = PROOF_STEPS.map((name) => {
    const step = proof.steps[name];
    if (step.proof !== 'waiting') return [name, step];
    const isUnseen = /not read since the move|no observer has reported/.test(step.detail);
    return [name, { ...step, proof: isUnseen ? 'not checked' : 'failed' }];
  });
  return { ...proof, steps: Object.fromEntries(settled) as RegionProof['steps'] };
}

function stateOf(proofs: readonly RegionProof[]): 'proved' | 'failed' | 'waiting' {
  const all = proofs.flatMap((proof) => PROOF_STEPS.map((name) => proof.steps[name].proof));
  if (all.includes('waiting')) return 'waiting';
  return all.includes('failed') ? 'failed' : 'proved';
}

const stepsOf = (proofs: readonly RegionProof[]): VerifiedStep[] =>
  proofs
    .flatMap((proof) =>
      PROOF_STEPS.map((name) => {
        const { proof: outcome, detail } = proof.steps[name];
        return { vip: proof.vip, region: proof.region, step: name, proof: outcome, detail: detail.slice(0, 200) };
      }),
    )
    .slice(0, VERIFIED_STEPS_MAX);

/** What observers measured of these vips in their newest reports. */
function measured(vips: readonly OpenVip[], sight: Sight): { outageMs: number | null; latencyMs: number | null } {
  const names = new Set(vips.map(({ vip }) => vip));
  const seen = Object.values(sight.evidence.observers).flatMap(({ report }) =>
    report.vips.filter((vip) => names.has(vip.vip)),
  );
  const latencies = seen.flatMap((vip) => (vip.connectMs === null ? [] : [vip.connectMs]));
  return {
    outageMs: seen.length === 0 ? null : Math.max(...seen.map((vip) => vip.outageMs)),
    latencyMs: latencies.length === 0 ? null : Math.max(...latencies),
  };
}
