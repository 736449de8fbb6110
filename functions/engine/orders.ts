// Compiles the policy into orders: for every NVA the whole desired set of the group, as the ladder counts it.
import { hasSecondChance } from '../../shared/data-plane-checks.ts';
import { lastResortRung, prependCount } from '../../shared/ladder.ts';
import { ORDER_LIFETIME_MS, type Order, type OrderVip } from '../../shared/order.ts';
import { prependAsnOf } from '../../shared/topology.ts';
import type { Nva, Region, Vip } from '../../shared/topology-schema.ts';
import type { LocalFailure, Sequence } from '../../shared/vocabulary.ts';
import { orderedPrepend } from './possible.ts';
import type { EngineConfig, Policy, RegionPolicy, VipPolicy } from './types.ts';

/** One order per NVA whose region has a row of any vip; `issuedAtMs` in epoch ms. */
export function compileOrders(
  policy: Policy,
  config: EngineConfig,
  sequence: Sequence,
  issuedAtMs: number,
): Record<string, Order> {
  const orders: Record<string, Order> = {};
  for (const region of config.topology.regions) {
    const rows = config.vips.flatMap((vip) => {
      const vipPolicy = policy.vips[vip.name];
      const row = vipPolicy?.regions[region.name];
      return vipPolicy === undefined || row === undefined ? [] : [{ vip, vipPolicy, row }];
    });
    if (rows.length === 0) continue;
    for (const nva of region.nvas) {
      orders[nva.name] = {
        v: 1,
        to: nva.name,
        group: config.group,
        epoch: sequence.epoch,
        generation: sequence.generation,
        issuedAtMs,
        notAfterMs: issuedAtMs + ORDER_LIFETIME_MS,
        vips: rows.map(({ vip, vipPolicy, row }) => orderRow(config, vip, vipPolicy, row, region, nva, issuedAtMs)),
      };
    }
  }
  return orders;
}

function orderRow(
  config: EngineConfig,
  vip: Vip,
  vipPolicy: VipPolicy,
  row: RegionPolicy,
  region: Region,
  nva: Nva,
  issuedAtMs: number,
): OrderVip {
  const active = row.active ?? region.nvas[0]?.name;
  const isStandby = vip.nvas === 'one' && nva.name !== active;
  const lastResort = lastResortRung(config.ladder, vip.regions.length);
  const part = row.rung >= lastResort ? 'lastResort' : row.role === 'primary' ? 'primary' : 'backup';
  return {
    vip: vip.name,
    prefix: vip.prefix,
    state: row.state,
    rung: row.rung,
    prepend: orderedPrepend(config, vip, row, region.nvas, nva),
    prependAsn: prependAsnOf(config.topology, nva),
    communities: Array.isArray(vip.communities) ? vip.communities : (vip.communities[part] ?? []),
    med: typeof vip.med === 'number' ? vip.med : (vip.med?.[part] ?? null),
    onLocalFailure: localFailureOf(vip, row, issuedAtMs),
    lastResortPrepend: prependCount(config.ladder, lastResort, isStandby),
    ...owners(config, vip, vipPolicy, region),
    decision: vipPolicy.decision,
  };
}

/** Whom an NVA of this region shares connections of the vip with when traffic moves to it, or away from it. */
function owners(
  config: EngineConfig,
  vip: Vip,
  policy: VipPolicy,
  region: Region,
): Pick<OrderVip, 'previousOwner' | 'nextOwner'> {
  if (!hasSecondChance(vip)) return {};
  const { acting, previous } = policy;
  if (vip.mode === 'active-active') {
    // Every change of the members moves connections between all of them; with two there is only one to name.
    const [other, ...more] = vip.regions.filter((name) => name !== region.name);
    const owner = more.length > 0 ? undefined : ownerOf(config, policy, other);
    return owner === undefined ? {} : { previousOwner: owner, nextOwner: owner };
  }
  if (previous === undefined || previous === acting) return {};
  const named = region.name === acting ? previous : region.name === previous ? acting : undefined;
  const owner = ownerOf(config, policy, named);
  if (owner === undefined) return {};
  return region.name === acting ? { previousOwner: owner } : { nextOwner: owner };
}

/** The NVA that carries the vip in a region: its active one, or the first. */
function ownerOf(config: EngineConfig, policy: VipPolicy, name: string | undefined): string | undefined {
  const region = config.topology.regions.find((candidate) => candidate.name === name);
  return region === undefined ? undefined : (policy.regions[region.name]?.active ?? region.nvas[0]?.name);
}

/** A drained region stays where it is; a forced one carries on whatever its own probes say. */
function localFailureOf(vip: Vip, row: RegionPolicy, issuedAtMs: number): LocalFailure {
  if (row.ignoreUntilMs !== undefined && issuedAtMs < row.ignoreUntilMs) return 'ignore';
  return row.role === 'drained' || row.role === 'out' ? 'last-resort' : vip.onLocalFailure;
}
