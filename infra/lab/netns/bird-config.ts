// Configuration files of the lab's BIRD daemons: Route Server instance, circuit edge, on-premises router. Text only.
import { EXPRESSROUTE_ASN, ROUTE_SERVER_ASN } from '../../../shared/asn.ts';
import { type LabPlan, ON_PREMISES_ADDRESS, ON_PREMISES_ASN, type RegionPlan } from './plan.ts';

/** Hold time Route Server offers (Route Server FAQ: keepalive 60, hold 180); the lower of both sides counts. */
const ROUTE_SERVER_HOLD_SECONDS = 180;

/** Name of the BGP protocol of an NVA inside a Route Server instance; BIRD allows no dash in a bare symbol. */
export const protocolOfNva = (nva: string): string => `nva_${nva.replaceAll('-', '_')}`;

/**
 * What every daemon of the lab shares. Waits are as short as BIRD takes them, because they are waits of the lab, not
 * of what it measures: they only matter while sessions come up.
 */
const common = (routerId: string): string => `router id ${routerId};
timeformat protocol iso long ms;
protocol device { scan time 5; }

template bgp lab {
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 1;
  error forget time 1;
  graceful restart off;
  long lived graceful restart off;
}
`;

/** One of the two instances of a region's Route Server: eBGP with the NVA, path and next hop passed on unchanged. */
export function routeServerConfig(region: RegionPlan, instance: number): string {
  const own = region.routeServers[instance];
  if (own === undefined) throw new RangeError(`a Route Server has no instance ${instance}`);
  return `${common(own.address)}
protocol bgp ${protocolOfNva(region.nva.name)} from lab {
  local ${own.address} as ${ROUTE_SERVER_ASN};
  neighbor ${region.nva.address} as ${region.nva.asn};
  hold time ${ROUTE_SERVER_HOLD_SECONDS};
  passive on;
  ipv4 { import all; export none; };
}

protocol bgp edge from lab {
  local ${own.address} as ${ROUTE_SERVER_ASN};
  neighbor ${region.edge.address} as ${EXPRESSROUTE_ASN};
  ipv4 { import none; export all; next hop keep; };
}
`;
}

/** The Microsoft edge of a region's circuit: takes both instances, removes private ASNs, keeps the NVA as next hop. */
export function edgeConfig(region: RegionPlan): string {
  const routeServers = region.routeServers
    .map(
      (instance, i) => `protocol bgp rs${i + 1} from lab {
  local ${region.edge.address} as ${EXPRESSROUTE_ASN};
  neighbor ${instance.address} as ${ROUTE_SERVER_ASN};
  ipv4 { import all; export none; };
}
`,
    )
    .join('\n');
  return `${common(region.edge.address)}
filter as_expressroute_does {
  bgp_path.delete([64512..65534]);
  accept;
}

${routeServers}
protocol bgp onprem from lab {
  local ${region.edge.address} as ${EXPRESSROUTE_ASN};
  neighbor ${region.onPremises} as ${ON_PREMISES_ASN};
  ipv4 { import none; export filter as_expressroute_does; next hop keep; };
}
`;
}

/** The on-premises router: one session per circuit, the shortest AS path goes into the kernel. */
export function onPremisesConfig(plan: LabPlan): string {
  const circuits = plan.regions
    .map(
      (region) => `protocol bgp circuit_${region.short} from lab {
  local ${region.onPremises} as ${ON_PREMISES_ASN};
  neighbor ${region.edge.address} as ${EXPRESSROUTE_ASN};
  ipv4 { import all; export none; };
}
`,
    )
    .join('\n');
  return `${common(ON_PREMISES_ADDRESS)}
protocol kernel {
  scan time 60;
  learn off;
  merge paths off;
  ipv4 { import none; export where source = RTS_BGP; };
}

${circuits}`;
}
