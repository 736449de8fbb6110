// Configuration for on-premises routers: accept the vips and nothing else, let the AS path decide, communities as local
// preference where a deployment sets them, ECMP only for active-active. Pure: topology in, text out.
import { EXPRESSROUTE_ASN, ROUTE_SERVER_ASN } from '../../shared/asn.ts';
import type { Topology, Vip } from '../../shared/topology-schema.ts';

export const ROUTERS = ['ios-xe', 'junos', 'frr', 'bird'] as const;
export type Router = (typeof ROUTERS)[number];

interface Facts {
  readonly asn: number;
  readonly remote: number;
  readonly prefixes: readonly string[];
  readonly azure: readonly string[];
  readonly onPremises: readonly string[];
  /** Community to local preference; the default is 100. */
  readonly preferences: readonly { readonly community: string; readonly preference: number; readonly name: string }[];
  readonly isShared: boolean;
  readonly neighbours: readonly { readonly name: string; readonly address: string }[];
}

const PREFERENCES = { primary: 200, backup: 150, lastResort: 50 } as const;

/** Addresses of the documentation range stand for the routers' own links. */
function factsOf(topology: Topology, asn: number): Facts {
  const named = (vip: Vip) => (Array.isArray(vip.communities) ? {} : vip.communities);
  const preferences = Object.entries(PREFERENCES).flatMap(([standing, preference]) => {
    const communities = topology.vips.flatMap((vip) => named(vip)[standing as keyof typeof PREFERENCES] ?? []);
    return [...new Set(communities)].map((community) => ({ community, preference, name: standing.toUpperCase() }));
  });
  return {
    asn,
    remote: topology.transport.kind === 'vpn' ? ROUTE_SERVER_ASN : EXPRESSROUTE_ASN,
    prefixes: topology.vips.map((vip) => vip.prefix),
    azure: topology.addressSpaces.azure,
    onPremises: topology.addressSpaces.onPremises,
    preferences,
    isShared: topology.vips.some((vip) => vip.mode === 'active-active'),
    neighbours: topology.regions.map((region, i) => ({ name: region.name, address: `198.51.100.${4 * i + 2}` })),
  };
}

export function snippetOf(router: Router, topology: Topology, asn: number): string {
  const facts = factsOf(topology, asn);
  const make = { 'ios-xe': iosXe, junos, frr, bird }[router];
  return `${make(facts).join('\n')}\n`;
}

const WHY = 'the AS path decides between regions: no local preference by neighbour, no as-path ignore';

function ciscoLike({ asn, remote, prefixes, azure, onPremises, preferences, isShared, neighbours }: Facts): string[] {
  const lists = (name: string, all: readonly string[]) =>
    all.map((prefix, i) => `ip prefix-list ${name} seq ${5 * (i + 1)} permit ${prefix}`);
  const maps = preferences.flatMap(({ community, preference, name }, i) => [
    `ip community-list standard ANYCAST-${name} permit ${community}`,
    `route-map FROM-AZURE permit ${10 * (i + 1)}`,
    ' match ip address prefix-list ANYCAST',
    ` match community ANYCAST-${name}`,
    ` set local-preference ${preference}`,
    '!',
  ]);
  const next = 10 * (preferences.length + 1);
  return [
    `! ${WHY}`,
    ...lists('ANYCAST', prefixes),
    ...lists('AZURE', azure),
    ...lists('ON-PREMISES', onPremises),
    '!',
    ...maps,
    `route-map FROM-AZURE permit ${next}`,
    ' match ip address prefix-list ANYCAST',
    '!',
    `route-map FROM-AZURE permit ${next + 10}`,
    ' match ip address prefix-list AZURE',
    '!',
    'route-map TO-AZURE permit 10',
    ' match ip address prefix-list ON-PREMISES',
    '!',
    `router bgp ${asn}`,
    ...(isShared ? [' bgp bestpath as-path multipath-relax'] : []),
    ...neighbours.flatMap(({ name, address }) => [
      ` neighbor ${address} remote-as ${remote}`,
      ` neighbor ${address} description ${name}`,
    ]),
    ' address-family ipv4 unicast',
    ...(isShared ? [`  maximum-paths ${Math.max(2, neighbours.length)}`] : []),
    ...neighbours.flatMap(({ address }) => [
      `  neighbor ${address} activate`,
      `  neighbor ${address} route-map FROM-AZURE in`,
      `  neighbor ${address} route-map TO-AZURE out`,
    ]),
  ];
}

const iosXe = (facts: Facts): string[] => [
  ...ciscoLike(facts).map((line) => (line === ' address-family ipv4 unicast' ? ' address-family ipv4' : line)),
  ' exit-address-family',
];

const frr = (facts: Facts): string[] => [
  ...ciscoLike(facts).map((line) => line.replace('ip community-list standard', 'bgp community-list standard')),
  ' exit-address-family',
  'exit',
];

function bird({ asn, remote, prefixes, azure, onPremises, preferences, neighbours, isShared }: Facts): string[] {
  const set = (all: readonly string[]) => `[ ${all.join(', ')} ]`;
  return [
    `# ${WHY}`,
    'router id 198.51.100.1;',
    'protocol device {}',
    `protocol kernel { ipv4 { export all; };${isShared ? ' merge paths on;' : ''} }`,
    `define ANYCAST = ${set(prefixes)};`,
    `define AZURE = ${set(azure)};`,
    `define ON_PREMISES = ${set(onPremises.length > 0 ? onPremises : ['198.51.100.0/24'])};`,
    'filter from_azure {',
    '  if net ~ ANYCAST then {',
    ...preferences.map(
      ({ community, preference }) =>
        `    if (${community.replace(':', ', ')}) ~ bgp_community then bgp_local_pref = ${preference};`,
    ),
    '    accept;',
    '  }',
    '  if net ~ AZURE then accept;',
    '  reject;',
    '}',
    'filter to_azure { if net ~ ON_PREMISES then accept; reject; }',
    ...neighbours.flatMap(({ name, address }, i) => [
      `protocol bgp azure_${name.replaceAll('-', '_')} {`,
      `  local 198.51.100.${4 * i + 1} as ${asn};`,
      `  neighbor ${address} as ${remote};`,
      '  ipv4 { import filter from_azure; export filter to_azure; };',
      '}',
    ]),
  ];
}

function junos({ asn, remote, prefixes, azure, onPremises, preferences, neighbours, isShared }: Facts): string[] {
  const list = (name: string, all: readonly string[]) =>
    all.map((prefix) => `set policy-options prefix-list ${name} ${prefix}`);
  return [
    `# ${WHY}`,
    ...list('ANYCAST', prefixes),
    ...list('AZURE', azure),
    ...list('ON-PREMISES', onPremises),
    ...preferences.flatMap(({ community, preference, name }) => [
      `set policy-options community ANYCAST-${name} members ${community}`,
      `set policy-options policy-statement FROM-AZURE term ${name} from prefix-list ANYCAST`,
      `set policy-options policy-statement FROM-AZURE term ${name} from community ANYCAST-${name}`,
      `set policy-options policy-statement FROM-AZURE term ${name} then local-preference ${preference}`,
      `set policy-options policy-statement FROM-AZURE term ${name} then accept`,
    ]),
    'set policy-options policy-statement FROM-AZURE term anycast from prefix-list ANYCAST',
    'set policy-options policy-statement FROM-AZURE term anycast then accept',
    'set policy-options policy-statement FROM-AZURE term azure from prefix-list AZURE',
    'set policy-options policy-statement FROM-AZURE term azure then accept',
    'set policy-options policy-statement FROM-AZURE then reject',
    'set policy-options policy-statement TO-AZURE term own from prefix-list ON-PREMISES',
    'set policy-options policy-statement TO-AZURE term own then accept',
    'set policy-options policy-statement TO-AZURE then reject',
    `set routing-options autonomous-system ${asn}`,
    'set protocols bgp group azure type external',
    ...(isShared ? ['set protocols bgp group azure multipath multiple-as'] : []),
    'set protocols bgp group azure import FROM-AZURE',
    'set protocols bgp group azure export TO-AZURE',
    `set protocols bgp group azure peer-as ${remote}`,
    ...neighbours.map(({ name, address }) => `set protocols bgp group azure neighbor ${address} description ${name}`),
  ];
}
