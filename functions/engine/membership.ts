// Keeps the policy in step with the topology: new vips and regions get rows, regions that left become `out`.
import { firstVipPolicy } from './first-policy.ts';
import { highestPossible } from './possible.ts';
import { baseOf, lastResortOf } from './rows.ts';
import type { EngineConfig, Policy, RegionPolicy, Snapshot, VipPolicy } from './types.ts';

/** The vips' policies with a row for each region of the topology; the same objects where nothing differs. */
export function keepMembers(
  policy: Policy,
  config: EngineConfig,
  snapshot: Snapshot,
  nowMs: number,
): Readonly<Record<string, VipPolicy>> {
  const vips: Record<string, VipPolicy> = {};
  for (const vip of config.vips) {
    const known = policy.vips[vip.name];
    vips[vip.name] =
      known === undefined
        ? firstVipPolicy(config, vip, nowMs, snapshot.nextGeneration, snapshot.decisionId)
        : keepRegions(known, config, vip, snapshot, nowMs);
  }
  return vips;
}

function keepRegions(
  known: VipPolicy,
  config: EngineConfig,
  vip: EngineConfig['vips'][number],
  snapshot: Snapshot,
  nowMs: number,
): VipPolicy {
  const missing = vip.regions.filter((region) => known.regions[region] === undefined);
  const strangers = Object.keys(known.regions).filter((region) => {
    const isMember = vip.regions.includes(region);
    return isMember ? known.regions[region]?.role === 'out' : known.regions[region]?.role !== 'out';
  });
  if (missing.length === 0 && strangers.length === 0) return known;
  const acting = known.regions[known.acting];
  const lastResort = lastResortOf(config, vip);
  const joining = (region: string): RegionPolicy => ({
    role: vip.mode === 'active-active' ? 'primary' : 'backup',
    // A newcomer takes nothing from the acting region.
    rung:
      vip.mode === 'active-active'
        ? baseOf(config, vip, region)
        : Math.min(
            lastResort,
            Math.max(baseOf(config, vip, region), acting === undefined ? 0 : highestPossible(acting) + 1),
          ),
    state: 'announced',
    changedAtMs: nowMs,
    generation: snapshot.nextGeneration,
    maybe: [],
  });
  const regions: Record<string, RegionPolicy> = { ...known.regions };
  for (const region of missing) regions[region] = joining(region);
  for (const region of strangers) {
    const row = regions[region];
    if (row === undefined) continue;
    const earlier = { rung: row.rung, generation: row.generation, atMs: row.changedAtMs };
    regions[region] = vip.regions.includes(region)
      ? { ...joining(region), maybe: [...row.maybe, earlier] }
      : { ...row, role: 'out' };
  }
  return { ...known, regions, changedAtMs: nowMs };
}
