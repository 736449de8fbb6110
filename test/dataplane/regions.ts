// The network most data-plane tests stand on: a client, the on-premises router, regions of one NVA and one application.
//
//   client --- hq --- router --+-- ra --- nva-a, app-a    (10.1.0.0/16)
//                              +-- rb --- nva-b, app-b    (10.2.0.0/16)
import { join } from 'node:path';
import type { DataPlaneConfig, DataPlaneVip } from '../../nva-agent/dataplane/plan.ts';
import { createNetwork, type HostPlan, type Network, NODE, until } from './network.ts';

export const VIP = '192.0.2.10';
export type RegionName = 'a' | 'b' | 'c';
const net = { a: '10.1', b: '10.2', c: '10.3' } as const;
const innerAddress = { a: '169.254.92.1', b: '169.254.92.2', c: '169.254.92.3' } as const;
export const nvaAddress = (region: RegionName): string => `${net[region]}.1.4`;
export const appAddress = (region: RegionName): string => `${net[region]}.2.10`;

/** Route caches and reverse path filters as Azure's own machines have them, and quick timers for neighbours. */
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0'];
/** A router on a machine's only cable must not tell hosts of a shorter way: Azure's network would not either. */
const NO_REDIRECTS = ['net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.default.send_redirects=0'];
const MANY_CONNECTIONS = ['net.ipv4.ip_local_port_range=10000 65000', 'net.ipv4.tcp_tw_reuse=1'];

export interface RegionOptions {
  readonly appsReturnByNva?: boolean;
  /** Two when not said. */
  readonly regions?: readonly RegionName[];
}

export async function createRegions(options: RegionOptions = {}): Promise<Network> {
  const regions = options.regions ?? ['a', 'b'];
  const hosts: HostPlan[] = [
    {
      name: 'client',
      legs: [['hq', '10.200.0.10/24']],
      routes: [['default', '10.200.0.1']],
      sysctls: MANY_CONNECTIONS,
    },
    {
      name: 'router',
      legs: [['hq', '10.200.0.1/24'], ...regions.map((region) => [`r${region}`, `${net[region]}.200.1/16`] as const)],
      sysctls: [...FORWARDING, ...NO_REDIRECTS],
    },
    ...regions.flatMap((region): HostPlan[] => [
      {
        name: `nva-${region}`,
        legs: [[`r${region}`, `${nvaAddress(region)}/16`]],
        routes: [['default', `${net[region]}.200.1`]],
        sysctls: [...NO_REDIRECTS, ...MANY_CONNECTIONS],
      },
      {
        name: `app-${region}`,
        legs: [[`r${region}`, `${appAddress(region)}/16`]],
        routes: [['default', options.appsReturnByNva === true ? nvaAddress(region) : `${net[region]}.200.1`]],
      },
    ]),
  ];
  const network = createNetwork(['hq', ...regions.map((region) => `r${region}`)], hosts);
  try {
    await Promise.all(regions.map((region) => startApp(network, `app-${region}`, region)));
  } catch (error) {
    await network.remove();
    throw error;
  }
  return network;
}

/** Starts the application on a host and waits until it accepts connections. */
export async function startApp(network: Network, host: string, name: string): Promise<void> {
  const child = network.start(host, [...NODE, join(import.meta.dirname, 'app-process.ts'), name]);
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await until(`${host} serves`, () => (output.includes('ready') ? true : undefined));
}

/** On-premises learns the vip from this region. */
export function routeTo(network: Network, region: RegionName): void {
  network.run('router', ['ip', 'route', 'replace', `${VIP}/32`, 'via', nvaAddress(region)]);
}

/** On-premises sends each single packet to a region by chance. */
export function sprayPackets(network: Network): void {
  routeTo(network, 'a');
  network.run('router', ['ip', 'route', 'replace', `${VIP}/32`, 'via', nvaAddress('b'), 'table', '101']);
  network.run('router', ['ip', 'rule', 'add', 'fwmark', '1', 'lookup', '101']);
  network.run(
    'router',
    ['nft', '-f', '-'],
    `table ip spray {
  chain pre {
    type filter hook prerouting priority mangle; policy accept;
    ip daddr ${VIP} meta mark set numgen random mod 2
  }
}
`,
  );
}

export function stopSpraying(network: Network): void {
  network.run('router', ['nft', 'delete', 'table', 'ip', 'spray']);
  network.run('router', ['ip', 'rule', 'del', 'fwmark', '1', 'lookup', '101']);
}

/** The data plane of one region's NVA for the vip; with `owners`, second chances with these regions. */
export function configOf(
  region: RegionName,
  mode: DataPlaneVip['mode'],
  more: Partial<DataPlaneVip> & { readonly owners?: readonly RegionName[] } = {},
): DataPlaneConfig {
  const { owners = [], ...vip } = more;
  const peers = owners.map((other) => ({
    nva: `nva-${other}`,
    address: nvaAddress(other),
    innerAddress: innerAddress[other],
  }));
  const tunnel = {
    port: 4789,
    vni: 92,
    mtu: 1450,
    address: nvaAddress(region),
    innerAddress: innerAddress[region],
    peers,
  };
  return {
    nva: `nva-${region}`,
    address: nvaAddress(region),
    vips: [
      {
        vip: 'orders',
        address: VIP,
        mode,
        appHost: appAddress(region),
        ports: [
          { listen: 80, to: 8080, protocol: 'tcp' },
          { listen: 81, to: 8081, protocol: 'tcp' },
        ],
        idleSeconds: 60,
        drainSeconds: 20,
        ...(peers.length === 0 ? {} : { secondChance: { capSeconds: 60, peers: peers.map((peer) => peer.nva) } }),
        ...vip,
      },
    ],
    ...(peers.length === 0 ? {} : { tunnel }),
  };
}
