// What the azure section of anycast.yaml must mean together with the rest of it. Each check returns all it found.
import type { AzureRegion } from './azure-schema.ts';
import { overlaps, parseIpv4, parsePrefix } from './ip.ts';
import type { Finding } from './result.ts';
import type { Region, Topology } from './topology-schema.ts';

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

/** Route Server and gateways want this much room (secure-route-server.md); Flex Consumption needs a /27. */
const LONGEST_PREFIX = { routeServer: 26, gateway: 26, functions: 27 } as const;

const contains = (outer: string, inner: string): boolean => {
  const [a, b] = [parsePrefix(outer), parsePrefix(inner)];
  return a !== undefined && b !== undefined && a.length <= b.length && overlaps(a, b);
};
const holds = (prefix: string, address: string): boolean => contains(prefix, `${address}/32`);
const lengthOf = (prefix: string): number => parsePrefix(prefix)?.length ?? 32;

interface Place {
  readonly at: string;
  readonly azure: AzureRegion;
  readonly region: Region;
}

/** Everything wrong with the azure section; nothing when there is none. */
export function findAzureRefusals(topology: Topology): Finding[] {
  const { azure } = topology;
  if (azure === undefined) return [];
  const places: Place[] = [];
  const found: Finding[] = [];
  for (const [i, entry] of azure.regions.entries()) {
    const region = topology.regions.find((candidate) => candidate.name === entry.name);
    if (region === undefined) {
      found.push(finding(`azure.regions[${i}].name`, 'unknown-region', `${entry.name} is no region of this file`));
    } else places.push({ at: `azure.regions[${i}]`, azure: entry, region });
  }
  return [
    ...found,
    ...checkComplete(topology),
    ...places.flatMap((place) => [
      ...checkHub(place),
      ...checkRouteServer(place),
      ...checkNvas(place),
      ...checkGateway(place, topology),
      ...checkSpoke(place, topology),
    ]),
    ...checkHosts(topology),
  ];
}

function checkComplete(topology: Topology): Finding[] {
  const names = topology.azure?.regions.map((entry) => entry.name) ?? [];
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  const absent = topology.regions.filter((region) => !names.includes(region.name));
  const seatless = topology.seats.filter((seat) => !names.includes(seat.region));
  return [
    ...twice.map((name) => finding('azure.regions', 'duplicate-name', `${name} is named twice`)),
    ...absent.map((region) => finding('azure.regions', 'region-not-deployed', `${region.name} is missing here`)),
    ...seatless.map((seat) =>
      finding('seats', 'region-not-deployed', `${seat.name} stands in ${seat.region}, which azure.regions lacks`),
    ),
  ];
}

type NamedPrefix = readonly [key: string, prefix: string | undefined];

const subnetsOf = ({ azure, region }: Place): NamedPrefix[] => [
  ['subnets.nvas', azure.subnets.nvas.prefix],
  ['subnets.functions', azure.subnets.functions.prefix],
  ['subnets.endpoints', azure.subnets.endpoints.prefix],
  ['subnets.gateway', azure.subnets.gateway],
  ...(azure.routeServer === 'create' ? [['routeServer.subnet', region.routeServer.subnet] as const] : []),
];

function checkHub(place: Place): Finding[] {
  const { at, azure } = place;
  const subnets = subnetsOf(place).filter((entry): entry is readonly [string, string] => entry[1] !== undefined);
  const found = subnets.flatMap(([key, prefix], i) =>
    subnets
      .slice(0, i)
      .filter(([, other]) => contains(prefix, other) || contains(other, prefix))
      .map(([other]) => finding(`${at}.${key}`, 'subnet-overlap', `${prefix} overlaps ${other}`)),
  );
  const functions = azure.subnets.functions.prefix;
  if (functions !== undefined && lengthOf(functions) > LONGEST_PREFIX.functions) {
    found.push(finding(`${at}.subnets.functions`, 'subnet-small', `${functions}: a seat needs a /27 or larger`));
  }
  if ('resourceId' in azure.hub) return found;
  const { addressSpace } = azure.hub;
  if (azure.routeServer === 'existing') {
    found.push(finding(`${at}.routeServer`, 'nothing-there', 'a new hub has no Route Server yet: create'));
  }
  for (const key of ['nvas', 'functions', 'endpoints'] as const) {
    if (azure.subnets[key].prefix === undefined) {
      found.push(
        finding(`${at}.subnets.${key}`, 'prefix-missing', 'a new hub has no such subnet yet: give its prefix'),
      );
    }
  }
  const outside = subnets.filter(([, prefix]) => !addressSpace.some((space) => contains(space, prefix)));
  return [
    ...found,
    ...outside.map(([key, prefix]) =>
      finding(`${at}.${key}`, 'outside-hub', `${prefix} is outside ${addressSpace.join(', ')}`),
    ),
  ];
}

function checkRouteServer({ at, azure, region }: Place): Finding[] {
  if (azure.routeServer === 'existing') return [];
  const { subnet, peers } = region.routeServer;
  if (subnet === undefined) {
    return [finding(`${at}.routeServer`, 'prefix-missing', 'to create it, regions[].routeServer.subnet is needed')];
  }
  const found =
    lengthOf(subnet) > LONGEST_PREFIX.routeServer
      ? [finding(`${at}.routeServer`, 'subnet-small', `${subnet}: RouteServerSubnet needs a /26 or larger`)]
      : [];
  const outside = peers.filter((peer) => !holds(subnet, peer.split(':')[0] ?? peer));
  return [
    ...found,
    ...outside.map((peer) =>
      finding(`${at}.routeServer`, 'outside-subnet', `peer ${peer} is outside RouteServerSubnet ${subnet}`),
    ),
  ];
}

function checkNvas({ at, azure, region }: Place): Finding[] {
  const { prefix } = azure.subnets.nvas;
  const balancer = azure.loadBalancer?.address;
  const found: Finding[] =
    balancer !== undefined && parseIpv4(balancer) === undefined
      ? [finding(`${at}.loadBalancer.address`, 'malformed', 'an IPv4 address')]
      : [];
  if (prefix === undefined) return found;
  const addresses = [
    ...region.nvas.map((nva) => [nva.name, nva.address] as const),
    ...(balancer === undefined ? [] : [['the load balancer', balancer] as const]),
  ];
  return [
    ...found,
    ...addresses
      .filter(([, address]) => parseIpv4(address) !== undefined && !holds(prefix, address))
      .map(([who, address]) =>
        finding(`${at}.subnets.nvas`, 'outside-subnet', `${who}: ${address} is outside ${prefix}`),
      ),
  ];
}

function checkGateway({ at, azure, region }: Place, topology: Topology): Finding[] {
  const { gateway } = azure.subnets;
  const found: Finding[] = [];
  if (gateway !== undefined && lengthOf(gateway) > LONGEST_PREFIX.gateway) {
    found.push(finding(`${at}.subnets.gateway`, 'subnet-small', `${gateway}: GatewaySubnet needs a /26 or larger`));
  }
  found.push(...checkVpnGateway(at, azure, topology));
  if (azure.expressRouteGateway === undefined) return found;
  if (gateway === undefined)
    found.push(finding(`${at}.expressRouteGateway`, 'prefix-missing', 'needs subnets.gateway'));
  if (region.circuit === undefined) {
    found.push(finding(`${at}.expressRouteGateway`, 'circuit-missing', 'needs regions[].circuit to connect to'));
  }
  return found;
}

function checkVpnGateway(at: string, azure: AzureRegion, topology: Topology): Finding[] {
  if (azure.vpnGateway === undefined) return [];
  const where = `${at}.vpnGateway`;
  return [
    ...(azure.subnets.gateway === undefined ? [finding(where, 'prefix-missing', 'needs subnets.gateway')] : []),
    ...(topology.transport.kind === 'vpn'
      ? []
      : [
          finding(
            where,
            'wrong-transport',
            `transport is ${topology.transport.kind}: a VPN gateway would not carry it`,
          ),
        ]),
  ];
}

function checkSpoke({ at, azure }: Place, topology: Topology): Finding[] {
  const { spoke } = azure;
  if (spoke === undefined) return [];
  const found: Finding[] = [];
  if (!spoke.addressSpace.some((space) => contains(space, spoke.appSubnet))) {
    found.push(finding(`${at}.spoke.appSubnet`, 'outside-spoke', `${spoke.appSubnet} is outside the spoke`));
  }
  const hub = 'addressSpace' in azure.hub ? azure.hub.addressSpace : [];
  if (hub.some((space) => spoke.addressSpace.some((other) => contains(space, other) || contains(other, space)))) {
    found.push(finding(`${at}.spoke.addressSpace`, 'subnet-overlap', 'overlaps the hub: peering would be refused'));
  }
  if (spoke.returnThroughNva && topology.addressSpaces.onPremises.length === 0) {
    found.push(finding(`${at}.spoke.returnThroughNva`, 'nothing-to-route', 'addressSpaces.onPremises is empty'));
  }
  return found;
}

/** Names of function apps and of the ledger account are taken from these addresses, so they must be such. */
function checkHosts(topology: Topology): Finding[] {
  const seats = topology.seats.flatMap((seat, i) =>
    /^https:\/\/[a-z0-9][a-z0-9-]{1,58}\.azurewebsites\.net$/.test(seat.url)
      ? []
      : [finding(`seats[${i}].url`, 'not-an-app', 'https://NAME.azurewebsites.net, NAME being the function app')],
  );
  const account = /^https:\/\/[a-z0-9]{3,24}\.blob\.core\.windows\.net\/?$/.test(topology.witness.account);
  return account
    ? seats
    : [...seats, finding('witness.account', 'not-an-account', 'https://NAME.blob.core.windows.net')];
}
