// The network of the namespace lab as a value: which namespace has which interface, address, route and setting.
//
//            hq              region switch (one per region)                         management switch
//   client ------ onprem ---+--- edge (AS 12076)                        ctl --+-- client (observer reports)
//                           +--- rs1, rs2 (AS 65515)                          +-- nva of every region
//                           +--- nva (agent, HAProxy, the vip on lo) --- app
//
// Clients' packets go client -> onprem -> nva -> app; the route at onprem is the one BIRD learned through edge and Route Server.

export const CLIENT_ADDRESS = '10.200.0.10';
export const ON_PREMISES_ADDRESS = '10.200.0.1';
export const ON_PREMISES_ASN = 65100;
export const CONTROL_ADDRESS = '10.255.0.1';
export const VIP = { name: 'orders', address: '192.0.2.10', prefix: '192.0.2.10/32', port: 80 } as const;
/** Response header by which an application says where it runs. */
export const REGION_HEADER = 'x-anycast-region';
export const APP_PORT = 8080;
export const AGENT_PORT = 8443;

export interface RegionPlan {
  readonly region: string;
  /** Stands in names of namespaces and interfaces. */
  readonly short: string;
  readonly nva: {
    readonly name: string;
    readonly asn: number;
    readonly address: string;
    readonly management: string;
    readonly namespace: string;
  };
  readonly app: { readonly address: string; readonly namespace: string };
  readonly edge: { readonly address: string; readonly namespace: string };
  readonly routeServers: readonly { readonly address: string; readonly namespace: string }[];
  /** The on-premises router's leg in this region. */
  readonly onPremises: string;
  readonly space: string;
}

export interface PortPlan {
  readonly interface: string;
  readonly switch: string;
  /** With its prefix length. */
  readonly address: string;
}

export interface NamespacePlan {
  /** Full name, prefix of the run included. */
  readonly name: string;
  readonly ports: readonly PortPlan[];
  readonly routes: readonly { readonly to: string; readonly via: string }[];
  /** Further addresses on the loopback interface. */
  readonly loopback: readonly string[];
  readonly sysctls: readonly string[];
}

export interface LabPlan {
  readonly prefix: string;
  /** The agents carry the vip themselves and give connections a second chance; otherwise a proxy stands beside them. */
  readonly secondChance: boolean;
  readonly switches: { readonly namespace: string; readonly bridges: readonly string[] };
  readonly namespaces: readonly NamespacePlan[];
  readonly regions: readonly RegionPlan[];
  readonly client: string;
  readonly onPremises: string;
  readonly control: string;
}

const QUIET = ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
/** Packets of the vip come in by one leg and may leave by another: a strict reverse path filter would drop them. */
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.default.rp_filter=0'];
/** A client that opens a hundred connections a second must not run out of ports. */
const MANY_CONNECTIONS = ['net.ipv4.ip_local_port_range=10000 65000', 'net.ipv4.tcp_tw_reuse=1'];

/** The whole lab for one run; `prefix` makes its names unique on the machine. */
export function planLab(prefix: string, secondChance = false): LabPlan {
  const regions = [planRegion(prefix, 'westeurope', 'we', 1), planRegion(prefix, 'northeurope', 'ne', 2)];
  const client = `${prefix}-client`;
  const onPremises = `${prefix}-onprem`;
  const control = `${prefix}-ctl`;
  return {
    prefix,
    secondChance,
    switches: { namespace: `${prefix}-sw`, bridges: ['hq', 'mgmt', ...regions.map((region) => region.short)] },
    regions,
    client,
    onPremises,
    control,
    namespaces: [
      {
        name: client,
        ports: [port('hq', `${CLIENT_ADDRESS}/24`), port('mgmt', '10.255.0.20/24')],
        routes: [{ to: 'default', via: ON_PREMISES_ADDRESS }],
        loopback: [],
        sysctls: [...QUIET, ...MANY_CONNECTIONS],
      },
      {
        name: onPremises,
        ports: [
          port('hq', `${ON_PREMISES_ADDRESS}/24`),
          ...regions.map((region) => port(region.short, `${region.onPremises}/16`)),
        ],
        routes: [],
        loopback: [],
        sysctls: [...QUIET, ...FORWARDING],
      },
      {
        name: control,
        ports: [port('mgmt', `${CONTROL_ADDRESS}/24`)],
        routes: [],
        loopback: [],
        sysctls: QUIET,
      },
      ...regions.flatMap((region) => planRegionNamespaces(region, secondChance)),
    ],
  };
}

const port = (name: string, address: string): PortPlan => ({ interface: name, switch: name, address });

function planRegion(prefix: string, region: string, short: string, index: number): RegionPlan {
  const net = `10.${index}`;
  const namespace = (role: string) => `${prefix}-${short}-${role}`;
  return {
    region,
    short,
    nva: {
      name: `${short}-nva-1`,
      asn: 65000 + index,
      address: `${net}.1.4`,
      management: `10.255.0.${10 + index}`,
      namespace: namespace('nva'),
    },
    app: { address: `${net}.2.10`, namespace: namespace('app') },
    edge: { address: `${net}.3.4`, namespace: namespace('edge') },
    routeServers: [
      { address: `${net}.0.4`, namespace: namespace('rs1') },
      { address: `${net}.0.5`, namespace: namespace('rs2') },
    ],
    onPremises: `${net}.200.1`,
    space: `${net}.0.0/16`,
  };
}

function planRegionNamespaces(region: RegionPlan, secondChance: boolean): NamespacePlan[] {
  const plain = (name: string, address: string): NamespacePlan => ({
    name,
    ports: [port(region.short, `${address}/16`)],
    routes: [],
    loopback: [],
    sysctls: QUIET,
  });
  return [
    ...region.routeServers.map((instance) => plain(instance.namespace, instance.address)),
    plain(region.edge.namespace, region.edge.address),
    plain(region.app.namespace, region.app.address),
    {
      name: region.nva.namespace,
      ports: [port(region.short, `${region.nva.address}/16`), port('mgmt', `${region.nva.management}/24`)],
      // The NVAs of other regions are reached the way clients are.
      routes: [{ to: secondChance ? '10.0.0.0/8' : '10.200.0.0/24', via: region.onPremises }],
      loopback: secondChance ? [] : [VIP.prefix],
      sysctls: [...QUIET, ...FORWARDING, ...MANY_CONNECTIONS],
    },
  ];
}

/** Name of the switch's side of a link. Interface names end at 15 characters, so the run's prefix is not in it. */
export const switchPort = (plan: LabPlan, namespace: string, bridge: string): string =>
  `${bridge}.${namespace.slice(plan.prefix.length + 1)}`;

/** Commands for `ip -batch` that make the namespaces and the switches with every cable plugged in, in order. */
export function cableCommands(plan: LabPlan): string[] {
  return [
    ...[plan.switches.namespace, ...plan.namespaces.map((namespace) => namespace.name)].map(
      (name) => `netns add ${name}`,
    ),
    ...plan.namespaces.flatMap((namespace) =>
      namespace.ports.map(
        (p) =>
          `link add ${switchPort(plan, namespace.name, p.switch)} netns ${plan.switches.namespace} type veth peer name ${p.interface} netns ${namespace.name}`,
      ),
    ),
  ];
}

/** Commands for `ip -batch` inside the switch namespace. */
export function switchCommands(plan: LabPlan): string[] {
  return [
    ...plan.switches.bridges.flatMap((bridge) => [
      `link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`,
      `link set ${bridge} up`,
    ]),
    ...plan.namespaces.flatMap((namespace) =>
      namespace.ports.flatMap((p) => {
        const end = switchPort(plan, namespace.name, p.switch);
        return [`link set ${end} master ${p.switch}`, `link set ${end} up`];
      }),
    ),
  ];
}

/** Commands for `ip -batch` inside one namespace. */
export function namespaceCommands(namespace: NamespacePlan): string[] {
  return [
    'link set lo up',
    ...namespace.loopback.map((address) => `addr add ${address} dev lo`),
    ...namespace.ports.flatMap((p) => [`addr add ${p.address} dev ${p.interface}`, `link set ${p.interface} up`]),
    ...namespace.routes.map((route) => `route add ${route.to} via ${route.via}`),
  ];
}

export const findPlannedRegion = (plan: LabPlan, name: string): RegionPlan => {
  const found = plan.regions.find((region) => region.region === name);
  if (found === undefined) throw new RangeError(`no region ${name} in this lab`);
  return found;
};
