// The vtysh commands that bring FRR from the networks we have there to the routes wanted.
// It must never know processes or the time.
//
// Each prefix has two names for its route-map and uses them in turn: the new map is complete before the one command
// that makes the network use it, so a change is a single replacing UPDATE and no route-map timer is waited for.
import type { Route } from '../bgp/messages.ts';
import { checkedRoute } from './daemon-text.ts';

/** A `network` of ours in FRR's configuration. */
export interface FrrNetwork {
  readonly prefix: string;
  readonly map: string;
  /** The lines of its route-map as we wrote them; undefined when that was not in this life. */
  readonly set?: readonly string[];
}

/** Everything of ours that FRR holds. */
export interface FrrHoldings {
  readonly networks: readonly FrrNetwork[];
  /** Every route-map with a name of ours, used or not. */
  readonly maps: readonly string[];
}

const MAP_PREFIX = 'anycast-agent-';
const NETWORK = /^ {2}network (\d+\.\d+\.\d+\.\d+\/\d+) route-map (anycast-agent-\S+)$/;

/** Our networks and route-maps in the text of `show running-config`. */
export function readHoldings(config: string): FrrHoldings {
  const lines = config.split('\n');
  return {
    networks: lines.flatMap((line) => {
      const [, prefix, map] = NETWORK.exec(line) ?? [];
      return prefix === undefined || map === undefined ? [] : [{ prefix, map }];
    }),
    maps: lines.flatMap((line) => /^route-map (anycast-agent-\S+) permit 10$/.exec(line)?.[1] ?? []),
  };
}

/** Lines of the route-map of a route, as FRR writes them back. FRR adds its own ASN, the first of the path. */
export function setLines(route: Route): string[] {
  const { asPath, med, communities = [] } = checkedRoute(route);
  return [
    ...(asPath.length > 1 ? [`set as-path prepend ${asPath.slice(1).join(' ')}`] : []),
    ...(communities.length > 0 ? [`set community ${communities.join(' ')}`] : []),
    ...(med === undefined ? [] : [`set metric ${med}`]),
  ];
}

/** Commands for one vtysh, none when nothing differs, and what FRR holds after them. */
export function planChange(
  asn: number,
  routes: readonly Route[],
  present: FrrHoldings,
): { readonly commands: string[]; readonly after: FrrHoldings } {
  const held = new Map(present.networks.map((network) => [network.prefix, network]));
  const networks = routes.map((route) => nextNetwork(route, held.get(route.prefix)));
  const changed = networks.filter((network) => held.get(network.prefix) !== network);
  const wanted = new Set(networks.map(({ prefix }) => prefix));
  const gone = present.networks.filter(({ prefix }) => !wanted.has(prefix));
  const used = networks.map(({ map }) => map);
  const unused = present.maps.filter((map) => !used.includes(map));
  const after = { networks, maps: used };
  if (changed.length + gone.length + unused.length === 0) return { commands: [], after };
  const commands = [
    'configure terminal',
    // For route-maps that others change behind ours: FRR's default of 5 s is 5 s of outage.
    'bgp route-map delay-timer 0',
    ...changed.flatMap(({ map, set = [] }) => [`no route-map ${map}`, `route-map ${map} permit 10`, ...set, 'exit']),
    `router bgp ${asn}`,
    'address-family ipv4 unicast',
    ...changed.map(({ prefix, map }) => `network ${prefix} route-map ${map}`),
    ...gone.map(({ prefix }) => `no network ${prefix}`),
    'exit',
    'exit',
    ...unused.map((map) => `no route-map ${map}`),
  ];
  return { commands, after };
}

/** The same network when it is as wanted already, or one with the other of its two maps. */
function nextNetwork(route: Route, held: FrrNetwork | undefined): FrrNetwork {
  const set = setLines(route);
  if (held?.set !== undefined && held.set.join('\n') === set.join('\n')) return held;
  const name = `${MAP_PREFIX}${route.prefix.replace('/', '-')}`;
  return { prefix: route.prefix, map: held?.map === `${name}-a` ? `${name}-b` : `${name}-a`, set };
}
