// Every refusal of the azure section: bend the shipped deployment, expect the code and the path.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { formatFindings } from '../../shared/result.ts';
import { parseTopology } from '../../shared/topology.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests bend the plain value of the file into every wrong shape
type Draft = any;

const draftOf = (file: string): Draft => parse(readFileSync(file, 'utf8'));

function codesAt(bend: (draft: Draft) => void, file = 'anycast.yaml'): string[] {
  const draft = draftOf(file);
  bend(draft);
  const result = parseTopology(stringify(draft));
  return result.ok ? [] : result.error.map((found) => `${found.path} ${found.code}`);
}

const REFUSALS: readonly [string, (draft: Draft) => void, string][] = [
  ['an unknown region', (d) => (d.azure.regions[0].name = 'eastus'), 'azure.regions[0].name unknown-region'],
  ['a region left out', (d) => d.azure.regions.pop(), 'azure.regions region-not-deployed'],
  ['a seat in a region left out', (d) => d.azure.regions.pop(), 'seats region-not-deployed'],
  ['a region twice', (d) => d.azure.regions.push(d.azure.regions[0]), 'azure.regions duplicate-name'],
  [
    'overlapping subnets',
    (d) => (d.azure.regions[0].subnets.functions.prefix = '10.1.1.0/26'),
    'azure.regions[0].subnets.functions subnet-overlap',
  ],
  [
    'a subnet outside the hub',
    (d) => (d.azure.regions[0].subnets.endpoints.prefix = '10.9.0.0/26'),
    'azure.regions[0].subnets.endpoints outside-hub',
  ],
  [
    'a small subnet for the seat',
    (d) => (d.azure.regions[0].subnets.functions.prefix = '10.1.1.64/28'),
    'azure.regions[0].subnets.functions subnet-small',
  ],
  [
    'a new hub without a prefix',
    (d) => delete d.azure.regions[0].subnets.endpoints.prefix,
    'azure.regions[0].subnets.endpoints prefix-missing',
  ],
  [
    'a new hub with an existing Route Server',
    (d) => (d.azure.regions[0].routeServer = 'existing'),
    'azure.regions[0].routeServer nothing-there',
  ],
  [
    'a new Route Server without a subnet',
    (d) => delete d.regions[0].routeServer.subnet,
    'azure.regions[0].routeServer prefix-missing',
  ],
  [
    'a Route Server subnet below /26',
    (d) => (d.regions[0].routeServer.subnet = '10.1.0.0/27'),
    'azure.regions[0].routeServer subnet-small',
  ],
  [
    'a Route Server peer outside its subnet',
    (d) => (d.regions[0].routeServer.peers = ['10.1.0.4', '10.1.3.5']),
    'azure.regions[0].routeServer outside-subnet',
  ],
  [
    'an NVA outside its subnet',
    (d) => (d.regions[0].nvas[0].address = '10.1.2.4'),
    'azure.regions[0].subnets.nvas outside-subnet',
  ],
  [
    'a load balancer outside the subnet',
    (d) => (d.azure.regions[0].loadBalancer = { address: '10.1.2.9', persistence: 'SourceIP' }),
    'azure.regions[0].subnets.nvas outside-subnet',
  ],
  [
    'a load balancer without an address',
    (d) => (d.azure.regions[0].loadBalancer = { address: 'balancer', persistence: 'SourceIP' }),
    'azure.regions[0].loadBalancer.address malformed',
  ],
  [
    'a gateway subnet below /26',
    (d) => (d.azure.regions[0].subnets.gateway = '10.1.0.64/27'),
    'azure.regions[0].subnets.gateway subnet-small',
  ],
  [
    'a gateway without its subnet',
    (d) => delete d.azure.regions[0].subnets.gateway,
    'azure.regions[0].expressRouteGateway prefix-missing',
  ],
  [
    'a gateway without a circuit',
    (d) => delete d.regions[0].circuit,
    'azure.regions[0].expressRouteGateway circuit-missing',
  ],
  [
    'a VPN gateway without its subnet',
    (d) => {
      d.azure.regions[0].vpnGateway = { sku: 'VpnGw1AZ' };
      delete d.azure.regions[0].subnets.gateway;
    },
    'azure.regions[0].vpnGateway prefix-missing',
  ],
  [
    'a VPN gateway where ExpressRoute carries the vips',
    (d) => (d.azure.regions[0].vpnGateway = { sku: 'VpnGw1AZ' }),
    'azure.regions[0].vpnGateway wrong-transport',
  ],
  [
    'an application subnet outside its spoke',
    (d) => (d.azure.regions[0].spoke.appSubnet = '10.1.9.0/26'),
    'azure.regions[0].spoke.appSubnet outside-spoke',
  ],
  [
    'a spoke over the hub',
    (d) =>
      (d.azure.regions[0].spoke = { addressSpace: ['10.1.0.0/23'], appSubnet: '10.1.0.0/26', returnThroughNva: false }),
    'azure.regions[0].spoke.addressSpace subnet-overlap',
  ],
  [
    'a return path to nowhere',
    (d) => {
      d.azure.regions[0].spoke.returnThroughNva = true;
      d.addressSpaces.onPremises = [];
    },
    'azure.regions[0].spoke.returnThroughNva nothing-to-route',
  ],
  ['a seat that is no function app', (d) => (d.seats[0].url = 'https://seat.example.com'), 'seats[0].url not-an-app'],
  [
    'a witness that is no storage account',
    (d) => (d.witness.account = 'https://example.com'),
    'witness.account not-an-account',
  ],
  ['a hub both new and existing', (d) => (d.azure.regions[0].hub.resourceId = '/x'), 'azure.regions[0].hub malformed'],
];

describe('the azure section is refused with', () => {
  test.each(REFUSALS)('%s', (_name, bend, expected) => {
    expect(codesAt(bend)).toContain(expected);
  });
});

describe('the azure section is accepted', () => {
  test.each(['anycast.yaml', 'infra/examples/existing-hub.yaml'])('as shipped in %s, without a warning', (file) => {
    const result = parseTopology(readFileSync(file, 'utf8'));
    if (!result.ok) throw new Error(formatFindings(result.error));
    expect(result.value.warnings).toEqual([]);
    expect(result.value.topology.azure?.peerHubs).toBe(file === 'anycast.yaml');
  });

  test('with a VPN gateway instead of circuits', () => {
    const codes = codesAt((d) => {
      d.transport = { kind: 'vpn' };
      for (const [i, place] of d.azure.regions.entries()) {
        place.vpnGateway = { sku: 'VpnGw2AZ' };
        delete place.expressRouteGateway;
        delete d.regions[i].circuit;
      }
    });
    expect(codes).toEqual([]);
  });

  test('when it is absent: the control plane needs none of it', () => {
    expect(codesAt((d) => delete d.azure)).toEqual([]);
  });
});
