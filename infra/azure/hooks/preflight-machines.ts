// Whether the machines of the NVAs can be had: size, zones, quota.
import type { AzureRegion } from '../../../shared/azure-schema.ts';
import { type Az, listOf } from './az.ts';
import { type Check, error, type PreflightFinding, warning } from './preflight-finding.ts';

interface Sku {
  readonly name?: string;
  readonly family?: string;
  readonly locationInfo?: readonly { readonly zones?: readonly string[] }[];
  readonly capabilities?: readonly { readonly name: string; readonly value: string }[];
  readonly restrictions?: readonly {
    readonly type?: string;
    readonly reasonCode?: string;
    readonly restrictionInfo?: { zones?: string[] };
  }[];
}

/** Three different words for three different remedies: another size, a quota request, another region. */
export const checkMachines: Check = async (look) => {
  const found: PreflightFinding[] = [];
  for (const entry of look.azure.regions) {
    const region = look.topology.regions.find((candidate) => candidate.name === entry.name);
    if (region !== undefined) found.push(...(await checkMachinesOf(look.az, entry, region.nvas.length)));
  }
  return found;
};

async function checkMachinesOf(az: Az, entry: AzureRegion, count: number): Promise<PreflightFinding[]> {
  const { size, zones } = entry.nvas;
  const at = `${size} in ${entry.name}`;
  const answer = await az(
    'vm',
    'list-skus',
    '--location',
    entry.name,
    '--size',
    size,
    '--resource-type',
    'virtualMachines',
    '--all',
  );
  if (!answer.ok) return [warning('machines-unknown', `${at}: ${answer.detail}`, 'look again')];
  const sku = (listOf(answer) as readonly Sku[]).find((candidate) => candidate.name === size);
  if (sku === undefined) return [error('SKU_UNSUPPORTED', `${at} does not exist`, 'choose another size')];
  const restrictions = sku.restrictions ?? [];
  if (restrictions.some((one) => one.type === 'Location')) {
    const why = restrictions.map((one) => one.reasonCode).join(', ');
    return [
      error(
        'REGIONAL_CAPACITY_UNAVAILABLE',
        `${at} cannot be had by this subscription: ${why}`,
        'choose another size, or ask for access',
      ),
    ];
  }
  const closed = restrictions.flatMap((one) => one.restrictionInfo?.zones ?? []);
  const open = (sku.locationInfo?.[0]?.zones ?? []).filter((zone) => !closed.includes(zone));
  const lacking = zones.filter((zone) => !open.includes(zone));
  const found = lacking.map((zone) =>
    error(
      'SKU_UNSUPPORTED',
      `${at} is not offered in zone ${zone}; zones ${open.join(', ') || 'none'} are`,
      'azure.regions[].nvas.zones',
    ),
  );
  return [...found, ...(await checkQuota(az, entry.name, sku, count))];
}

async function checkQuota(az: Az, region: string, sku: Sku, count: number): Promise<PreflightFinding[]> {
  const cores = Number(sku.capabilities?.find((one) => one.name === 'vCPUs')?.value ?? 0) * count;
  const usages = listOf(await az('vm', 'list-usage', '--location', region));
  return [sku.family, 'cores'].flatMap((family) => {
    const usage = usages.find((one) => (one.name as { value?: string } | undefined)?.value === family);
    const left = Number(usage?.limit ?? Number.POSITIVE_INFINITY) - Number(usage?.currentValue ?? 0);
    return left >= cores
      ? []
      : [
          error(
            'QUOTA_EXCEEDED',
            `${region}: ${cores} vCPUs of ${family} are needed, ${left} are left`,
            'ask for quota in the portal, Usage + quotas',
          ),
        ];
  });
}
