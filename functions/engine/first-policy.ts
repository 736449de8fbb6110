// Policies from nothing: every region on its resting rung, or what the agents themselves say they carry.
import type { Vip } from '../../shared/topology-schema.ts';
import { NO_PENALTY } from './penalty.ts';
import { baseOf, lastResortOf } from './rows.ts';
import type { EngineConfig, NvaEvidence, Policy, RegionPolicy, VipPolicy } from './types.ts';

/** Everything at rest: first-ranked regions act (all members of active-active). For a ledger that never was. */
export function firstPolicy(config: EngineConfig, nowMs: number, generation = 1): Policy {
  return emptyPolicy(config, true, (vip) => firstVipPolicy(config, vip, nowMs, generation, 'first-policy'));
}

function emptyPolicy(config: EngineConfig, trusted: boolean, vipPolicy: (vip: Vip) => VipPolicy): Policy {
  return {
    v: 1,
    vips: Object.fromEntries(config.vips.map((vip) => [vip.name, vipPolicy(vip)])),
    intents: [],
    holds: [],
    moves: [],
    trusted,
  };
}

/** One vip at rest. */
export function firstVipPolicy(
  config: EngineConfig,
  vip: Vip,
  nowMs: number,
  generation: number,
  decision: string,
): VipPolicy {
  const acting = vip.regions[0] ?? '';
  const rows = vip.regions.map((region): [string, RegionPolicy] => [
    region,
    {
      role: region === acting || vip.mode === 'active-active' ? 'primary' : 'backup',
      rung: baseOf(config, vip, region),
      state: 'announced',
      changedAtMs: nowMs,
      generation,
      maybe: [],
    },
  ]);
  return {
    acting,
    actingSinceMs: nowMs,
    regions: Object.fromEntries(rows),
    flapPenalty: NO_PENALTY,
    changedAtMs: nowMs,
    decision,
  };
}

/**
 * The policy of a lost or doubtful ledger, from what the agents last reported to announce. It is untrusted: nothing
 * moves until a person's `trust-ledger`. Regions whose ordered rung nobody tells may still come back on any rung.
 */
export function adoptPolicy(
  nvas: Readonly<Record<string, NvaEvidence>>,
  config: EngineConfig,
  nowMs: number,
  generation: number,
): Policy {
  return emptyPolicy(config, false, (vip) => adoptVip(nvas, config, vip, nowMs, generation));
}

function adoptVip(
  nvas: Readonly<Record<string, NvaEvidence>>,
  config: EngineConfig,
  vip: Vip,
  nowMs: number,
  generation: number,
): VipPolicy {
  const rest = firstVipPolicy(config, vip, nowMs, generation, 'ledger-rebuilt');
  const told = new Map(vip.regions.map((region) => [region, reportedRung(nvas, config, vip, region)]));
  const known = vip.regions.filter((region) => told.get(region) !== undefined);
  const acting = known.reduce<string | undefined>(
    (best, region) => (best === undefined || (told.get(region) ?? 0) < (told.get(best) ?? 0) ? region : best),
    undefined,
  );
  if (acting === undefined) return { ...rest, regions: mapRows(rest, (row) => ({ ...row, maybe: anyRung(nowMs) })) };
  const regions = mapRows(rest, (row, region) => {
    const rung = told.get(region);
    const role = vip.mode === 'active-active' || region === acting ? 'primary' : 'backup';
    if (rung !== undefined) return { ...row, role, rung };
    // Unknown: it must not come back below the acting region, and may be anywhere until it acknowledges.
    return { ...row, role, rung: lastResortOf(config, vip), maybe: anyRung(nowMs) };
  });
  return { ...rest, acting, regions };
}

const anyRung = (nowMs: number) => [{ rung: 0, generation: 0, atMs: nowMs }];

const mapRows = (policy: VipPolicy, change: (row: RegionPolicy, region: string) => RegionPolicy) =>
  Object.fromEntries(Object.entries(policy.regions).map(([region, row]) => [region, change(row, region)]));

/** The rung the region's agents carry on order, or undefined when none tells (silent, or fallen to last resort). */
function reportedRung(
  nvas: Readonly<Record<string, NvaEvidence>>,
  config: EngineConfig,
  vip: Vip,
  region: string,
): number | undefined {
  const names = config.topology.regions.find((candidate) => candidate.name === region)?.nvas ?? [];
  const rungs = names.flatMap(({ name }) => {
    const report = nvas[name]?.report?.report;
    const announced = report?.vips.find((candidate) => candidate.vip === vip.name)?.announced;
    return announced && !announced.lastResort ? [announced.rung] : [];
  });
  return rungs.length === 0 ? undefined : Math.min(...rungs);
}
