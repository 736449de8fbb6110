// What `doctor` looks for in this machine's network: the NVA's address, a way to Route Server over the same interface,
// and a default route.
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { contains, formatIpv4, type Prefix, parseEndpoint, parseIpv4 } from '../shared/ip.ts';
import { findNva } from '../shared/topology.ts';
import { BGP_PORT } from './bgp/iana.ts';
import type { AgentConfig } from './control/config.ts';
import type { DoctorFinding } from './doctor.ts';

export interface HostAddress {
  readonly interface: string;
  readonly address: string;
}

/** One IPv4 route of the main table. */
export interface HostRoute {
  readonly interface: string;
  readonly to: Prefix;
  /** `0.0.0.0` where no gateway is needed. */
  readonly gateway: string;
}

export interface HostFacts {
  readonly addresses: readonly HostAddress[];
  /** undefined: the kernel could not be asked. */
  readonly routes: readonly HostRoute[] | undefined;
}

const ROUTES_FILE = '/proc/net/route';
const LOOPBACK: Prefix = { first: 0x7f000000, length: 8 };
/** RTF_UP and RTF_REJECT of linux/route.h. */
const ROUTE_UP = 0x1;
const ROUTE_REJECT = 0x200;

const gatherFacts = (): HostFacts => ({
  addresses: Object.entries(networkInterfaces()).flatMap(([name, held = []]) =>
    held.filter(({ family }) => family === 'IPv4').map(({ address }) => ({ interface: name, address })),
  ),
  routes: readRoutes(),
});

function readRoutes(): HostRoute[] | undefined {
  try {
    return parseRoutes(readFileSync(ROUTES_FILE, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The usable routes of /proc/net/route, as proc(5) describes it: addresses in hex, least octet first. */
export function parseRoutes(text: string): HostRoute[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', to = '', gateway = '', flags = '', , , , mask = ''] = line.trim().split(/\s+/);
    if (![to, gateway, mask].every((field) => /^[0-9A-F]{8}$/i.test(field))) return [];
    if ((Number.parseInt(flags, 16) & (ROUTE_UP | ROUTE_REJECT)) !== ROUTE_UP) return [];
    const length = fromLittleEndian(mask).toString(2).replaceAll('0', '').length;
    const prefix = { first: fromLittleEndian(to), length };
    return [{ interface: name, to: prefix, gateway: formatIpv4(fromLittleEndian(gateway)) }];
  });
}

const fromLittleEndian = (hex: string): number => Number.parseInt((hex.match(/../g) ?? []).reverse().join(''), 16);

/** Nothing is said of an NVA whose peers are on this machine itself, as in a laboratory. */
export function checkHost(config: AgentConfig, facts: HostFacts = gatherFacts()): DoctorFinding[] {
  const place = findNva(config.loadedTopology, config.nva);
  if (place === undefined) return [];
  const { nva, region } = place;
  const peers = region.routeServer.peers.map((peer) => parseEndpoint(peer, BGP_PORT)?.address ?? peer);
  if ([nva.address, ...peers].some(isLoopback)) return [];
  const own = facts.addresses.find(({ address }) => address === nva.address)?.interface;
  const address = checkAddress(nva.address, nva.name, own, facts);
  if (facts.routes === undefined) {
    const message = `${ROUTES_FILE} cannot be read`;
    return [address, { check: 'routes', outcome: 'not checked', message }];
  }
  const { routes } = facts;
  const installsRoutes = config.driver.type !== 'native';
  const ways = peers.map((peer) => checkWay(peer, routes, { own, installsRoutes, subnet: region.routeServer.subnet }));
  return [address, ...ways, checkDefault(routes)];
}

function isLoopback(address: string): boolean {
  const value = parseIpv4(address);
  return value !== undefined && contains(LOOPBACK, value);
}

function checkAddress(address: string, name: string, own: string | undefined, { addresses }: HostFacts): DoctorFinding {
  const check = `address ${address}`;
  if (own !== undefined) return { check, outcome: 'ok', message: `on ${own}` };
  const held = addresses
    .filter((each) => !isLoopback(each.address))
    .map((each) => `${each.address} (${each.interface})`);
  return {
    check,
    outcome: 'failed',
    message: `no running interface has it; this machine has ${held.join(', ') || 'none but loopback'}`,
    fix: `run the agent on the VM of ${name}, bring its interface up, or correct the address of ${name} in anycast.yaml; Route Server refuses sessions from any other`,
  };
}

interface WayHome {
  readonly own: string | undefined;
  /** A daemon puts what it learns into the kernel; our own speaker never does. */
  readonly installsRoutes: boolean;
  readonly subnet: string | undefined;
}

function checkWay(peer: string, routes: readonly HostRoute[], { own, installsRoutes, subnet }: WayHome): DoctorFinding {
  const check = `way to ${peer}`;
  const route = longestMatch(peer, routes);
  const to = subnet ?? `${peer}/32`;
  const gateway = gatewayOf(routes, own);
  const add = `ip route add ${to} via ${gateway}${own === undefined ? '' : ` dev ${own}`}`;
  if (route === undefined)
    return { check, outcome: 'failed', message: 'no route of the main table leads there', fix: add };
  if (own !== undefined && route.interface !== own) {
    const message = `leaves by ${route.interface}, but the NVA's address is on ${own}`;
    return { check, outcome: 'warning', message, fix: `${add}; Azure drops what leaves by the wrong interface` };
  }
  if (route.to.length === 0 && installsRoutes) {
    const message = 'only the default route leads there; one learned from Route Server would take its place';
    return { check, outcome: 'warning', message, fix: add };
  }
  return { check, outcome: 'ok', message: `by ${route.interface}` };
}

function longestMatch(address: string, routes: readonly HostRoute[]): HostRoute | undefined {
  const value = parseIpv4(address);
  if (value === undefined) return undefined;
  return routes
    .filter(({ to }) => contains(to, value))
    .reduce<HostRoute | undefined>(
      (best, route) => (best === undefined || route.to.length > best.to.length ? route : best),
      undefined,
    );
}

/** Azure's gateway of a subnet is its first host address. */
function gatewayOf(routes: readonly HostRoute[], own: string | undefined): string {
  const known = routes.find((route) => route.interface === own && route.gateway !== '0.0.0.0')?.gateway;
  const subnet = routes.find((route) => route.interface === own && route.gateway === '0.0.0.0' && route.to.length > 0);
  return known ?? (subnet === undefined ? "<gateway of the NVA's subnet>" : formatIpv4(subnet.to.first + 1));
}

function checkDefault(routes: readonly HostRoute[]): DoctorFinding {
  const check = 'default route';
  const route = routes.find(({ to }) => to.length === 0);
  if (route !== undefined) return { check, outcome: 'ok', message: `by ${route.interface} via ${route.gateway}` };
  return {
    check,
    outcome: 'warning',
    message: 'there is none; seats and clients outside the routes of this machine are not reached',
    fix: "ip route add default via <gateway of the NVA's subnet>, or a route for each of them",
  };
}
