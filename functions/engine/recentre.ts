// Recentring: back to the resting rungs when all is calm, one region and one proved step at a time.
// No step of it ever changes the winner.
import { guardChange } from './guards.ts';
import { isMember } from './moves.ts';
import { highestPossible, isSettled, lowestPossible } from './possible.ts';
import { automation, type Cause, lookAt, rowOf, type VipRound, verdictOf } from './round.ts';
import { baseOf, changeRow } from './rows.ts';
import type { IntentOutcome } from './types.ts';

interface Step {
  readonly region: string;
  readonly rung: number;
}

/** The automatic step, if it is calm enough for one. */
export function recentre(vr: VipRound): void {
  const { round } = vr;
  const step = nextStep(vr);
  if (step === undefined || guardChange(vr).length > 0) return;
  const calmMs = calmSince(vr) + round.config.guards.calmSeconds * 1000;
  if (round.nowMs < calmMs) {
    lookAt(round, calmMs);
    return;
  }
  takeStep(vr, step, automation('recentre', 'recentre', 'all is calm'));
}

/** A person's wish to recentre now: waits for proof, not for calm. */
export function recentreNow(vr: VipRound, cause: Cause): Pick<IntentOutcome, 'outcome' | 'reasons'> {
  if (vr.round.config.guards.mode === 'shadow' || !vr.round.trusted) {
    const code = vr.round.trusted ? 'shadow' : 'untrusted-ledger';
    return { outcome: 'refused', reasons: [{ code, detail: 'nothing is changed now' }] };
  }
  if (vr.vip.mode === 'active-active') {
    return {
      outcome: 'refused',
      reasons: [{ code: 'active-active', detail: 'members return to one rung by themselves' }],
    };
  }
  if (isCentred(vr)) return { outcome: 'already-so', reasons: [] };
  const windowMs = vr.policy.changedAtMs + vr.round.config.routeChangeMs;
  if (vr.round.nowMs < windowMs) {
    lookAt(vr.round, windowMs);
    return { outcome: 'waiting', reasons: [{ code: 'pacing', detail: 'the last change is too recent' }] };
  }
  const step = nextStep(vr);
  if (step !== undefined) takeStep(vr, step, cause);
  const detail = step === undefined ? 'the last step is not proved yet' : `${step.region} goes to rung ${step.rung}`;
  return { outcome: isCentred(vr) ? 'carried-out' : 'waiting', reasons: [{ code: 'recentre', detail }] };
}

const takeStep = (vr: VipRound, step: Step, cause: Cause): void =>
  changeRow(vr, step.region, { rung: step.rung }, cause);

/** Since when nothing of this vip has changed, by order or by verdict. */
function calmSince(vr: VipRound): number {
  return Object.values(vr.policy.regions).reduce(
    (latest, row) => Math.max(latest, row.seen?.sinceMs ?? 0),
    vr.policy.changedAtMs,
  );
}

/** Nothing is left to do that recentring could do, now or after further proofs. */
function isCentred(vr: VipRound): boolean {
  const { acting, regions } = vr.policy;
  const others = Object.entries(regions).filter(([region]) => region !== acting);
  const ceiling = Math.min(baseOf(vr.round.config, vr.vip, acting), ...others.map(([, row]) => row.rung - 1));
  const canRest = (region: string) =>
    isOffBase(vr, region) && baseOf(vr.round.config, vr.vip, region) > rowOf(vr, acting).rung;
  return rowOf(vr, acting).rung >= ceiling && !others.some(([region]) => canRest(region));
}

/** The acting region must be well and proved; then resting regions go first, the acting one last. */
function nextStep(vr: VipRound): Step | undefined {
  if (vr.vip.mode !== 'primary-backup') return undefined;
  const { acting } = vr.policy;
  if (!isMember(vr, acting) || verdictOf(vr, acting).verdict !== 'healthy') return undefined;
  const moving = Object.keys(vr.policy.regions).find((region) => isOffBase(vr, region));
  if (moving === undefined || !isProved(vr, acting) || isStepOpen(vr)) return undefined;
  return restStep(vr) ?? riseStep(vr);
}

/** The step before is not proved yet. What cannot answer is not waited for: its rungs are counted as possible instead. */
const isStepOpen = (vr: VipRound): boolean =>
  Object.entries(vr.policy.regions).some(([region, row]) => row.maybe.length > 0 && isReachable(vr, region));

const isReachable = (vr: VipRound, region: string): boolean =>
  ['healthy', 'degraded', 'unhealthy'].includes(verdictOf(vr, region).verdict);

const isOffBase = (vr: VipRound, region: string): boolean =>
  isMember(vr, region) && rowOf(vr, region).rung !== baseOf(vr.round.config, vr.vip, region);

const isProved = (vr: VipRound, region: string): boolean => isSettled(vr.round, vr.vip, region, rowOf(vr, region));

/** A region that does not act goes to its base when that takes nothing from the acting one. */
function restStep(vr: VipRound): Step | undefined {
  const { acting, regions } = vr.policy;
  const floor = highestPossible(rowOf(vr, acting));
  const steps = Object.keys(regions)
    .filter((region) => region !== acting && isOffBase(vr, region))
    .filter((region) => isReachable(vr, region))
    .filter((region) => isProved(vr, region))
    .map((region) => ({ region, rung: baseOf(vr.round.config, vr.vip, region) }))
    .filter(({ rung }) => rung > floor)
    .sort((a, b) => b.rung - a.rung);
  const isFree = ({ region, rung }: Step) =>
    Object.entries(regions).every(
      ([other, row]) => other === region || (row.rung !== rung && row.maybe.every((m) => m.rung !== rung)),
    );
  return steps.find(isFree) ?? steps[0];
}

/** As high as the acting region may rise and still be strictly the lowest. */
function riseOf(vr: VipRound): number {
  const { acting, regions } = vr.policy;
  let rung = baseOf(vr.round.config, vr.vip, acting);
  for (const [region, row] of Object.entries(regions)) {
    if (region !== acting) rung = Math.min(rung, lowestPossible(row, vr.round.config.ladder.step) - 1);
  }
  return rung;
}

function riseStep(vr: VipRound): Step | undefined {
  const { acting } = vr.policy;
  const rung = riseOf(vr);
  return rung > rowOf(vr, acting).rung ? { region: acting, rung } : undefined;
}
