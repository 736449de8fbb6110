// Whether hubs and Route Servers are as anycast.yaml says.
import type { AzureRegion } from '../../../shared/azure-schema.ts';
import type { Region } from '../../../shared/topology-schema.ts';
import { objectOf } from './az.ts';
import { type Check, error, type PreflightFinding } from './preflight-finding.ts';

export const checkRouteServers: Check = async ({ az, topology, azure }) => {
  const found: PreflightFinding[] = [];
  for (const entry of azure.regions) {
    const region = topology.regions.find((candidate) => candidate.name === entry.name);
    if (region === undefined) continue;
    const answer = await az('resource', 'show', '--ids', region.routeServer.resourceId);
    found.push(...judgeRouteServer(entry, region, answer.ok ? objectOf(answer) : undefined));
  }
  return found;
};

function judgeRouteServer(
  entry: AzureRegion,
  region: Region,
  there: Readonly<Record<string, unknown>> | undefined,
): PreflightFinding[] {
  if (there === undefined) {
    return entry.routeServer === 'create'
      ? []
      : [
          error(
            'route-server-missing',
            `${region.routeServer.resourceId} cannot be read`,
            'correct the id, or routeServer: create',
          ),
        ];
  }
  const properties = (there.properties ?? {}) as { virtualRouterIps?: string[]; allowBranchToBranchTraffic?: boolean };
  const ips = properties.virtualRouterIps ?? [];
  const found: PreflightFinding[] = [];
  if (ips.length > 0 && [...ips].sort().join() !== [...region.routeServer.peers].sort().join()) {
    found.push(
      error(
        'route-server-peers',
        `${entry.name}: Route Server answers at ${ips.join(', ')}, anycast.yaml says ${region.routeServer.peers.join(', ')}`,
        'correct regions[].routeServer.peers',
      ),
    );
  }
  if (properties.allowBranchToBranchTraffic === false) {
    found.push(
      error(
        'branch-to-branch-off',
        `${entry.name}: without branch-to-branch nothing of the NVAs reaches the gateways`,
        `az network routeserver update --ids ${region.routeServer.resourceId} --allow-b2b-traffic true`,
      ),
    );
  }
  return found;
}

export const checkHubs: Check = async ({ az, azure }) => {
  const found: PreflightFinding[] = [];
  for (const entry of azure.regions) {
    if (!('resourceId' in entry.hub)) continue;
    const answer = await az('network', 'vnet', 'show', '--ids', entry.hub.resourceId);
    if (!answer.ok) {
      found.push(
        error('hub-missing', `${entry.hub.resourceId} cannot be read`, 'correct azure.regions[].hub.resourceId'),
      );
      continue;
    }
    const subnets = (objectOf(answer).subnets ?? []) as { name: string; delegations?: { serviceName?: string }[] }[];
    for (const key of ['nvas', 'functions', 'endpoints'] as const) {
      const wanted = entry.subnets[key];
      const there = subnets.find((subnet) => subnet.name === wanted.name);
      if (wanted.prefix === undefined && there === undefined) {
        found.push(
          error(
            'subnet-missing',
            `${entry.name}: no subnet ${wanted.name}`,
            `give azure.regions[].subnets.${key} a prefix, and it is created`,
          ),
        );
      }
      const isDelegated = there?.delegations?.some((one) => one.serviceName === 'Microsoft.App/environments');
      if (key === 'functions' && there !== undefined && wanted.prefix === undefined && !isDelegated) {
        found.push(
          error(
            'subnet-not-delegated',
            `${entry.name}: ${wanted.name} is not delegated`,
            'delegate it to Microsoft.App/environments',
          ),
        );
      }
    }
  }
  return found;
};
