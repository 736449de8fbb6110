// Checks of Azure's side: Route Server, peerings, subnets and their routes, what was learned, circuits, audit table. Pure.

import { ROUTE_SERVER_ASN } from '../../../shared/asn.ts';
import { AUDIT_STREAM, AUDIT_TABLE, auditRecordSchema } from '../../../shared/audit.ts';
import { contains, overlaps, parseEndpoint, parseIpv4, parsePrefix } from '../../../shared/ip.ts';
import type { Region, Topology } from '../../../shared/topology-schema.ts';
import { formatPath } from '../text.ts';
import {
  type Facts,
  type Finding,
  known,
  type LearnedFacts,
  type RouteServerFacts,
  type SubnetFacts,
} from './facts.ts';

/** Microsoft's documents of 2026 ask for /26; /27 was enough before and still is seen. */
const ROUTE_SERVER_SUBNET_MAX_LENGTH = 27;

const problem = (code: string, where: string, what: string, fix: string): Finding => ({
  ...{ code, where, what, fix },
  severity: 'problem',
});

export function checkAzure(facts: Facts): Finding[] {
  const { topology } = facts;
  return [
    ...topology.regions.flatMap((region) => checkRegion(facts, region)),
    ...checkCircuits(facts),
    ...checkAuditTable(facts),
  ];
}

function checkRegion(facts: Facts, region: Region): Finding[] {
  const fact = facts.routeServers[region.name];
  if (fact?.type === 'failed') {
    const fix = 'routeServer.resourceId, and Reader on it for you';
    return [problem('route-server-unreadable', region.name, fact.detail, fix)];
  }
  const server = known(fact);
  const held = region.nvas.flatMap((nva) => {
    const learned = facts.learned[nva.name];
    if (learned?.type === 'failed') {
      const fix = `the BGP connection must be called ${nva.bgpConnection}; nvas[].bgpConnection`;
      return [problem('learned-unreadable', nva.name, learned.detail, fix)];
    }
    return learned?.type === 'known' ? checkLearned(facts, region, nva.name, learned.value) : [];
  });
  if (server === undefined) return held;
  return [
    ...checkRouteServer(server, region, facts.topology),
    ...region.nvas.flatMap((nva) => checkConnection(server, nva)),
    ...checkSubnets(server, region),
    ...checkReturnRoutes(server, region, facts.topology),
    ...held,
  ];
}

function checkRouteServer(server: RouteServerFacts, region: Region, topology: Topology): Finding[] {
  const found: Finding[] = [];
  if (server.provisioning !== 'Succeeded') {
    const fix = 'look at its activity log; a Route Server that failed to provision is deployed again';
    found.push(problem('route-server-unwell', region.name, `provisioning state ${server.provisioning}`, fix));
  }
  if (!server.branchToBranch && topology.vips.some((vip) => vip.serves.onPremises)) {
    const fix = 'az network routeserver update --allow-b2b-traffic true; without it the gateway learns nothing';
    found.push(problem('branch-to-branch-off', region.name, 'Route Server and gateway exchange no routes', fix));
  }
  if (server.asn !== null && server.asn !== ROUTE_SERVER_ASN) {
    found.push(
      problem('route-server-asn', region.name, `its AS number is ${server.asn}`, 'is this resource a Route Server?'),
    );
  }
  const wanted = [...region.routeServer.peers].sort().join(', ');
  const real = [...server.addresses].sort().join(', ');
  if (real !== '' && wanted !== real) {
    const fix = 'write both addresses into routeServer.peers and give the file to agents and seats';
    found.push(problem('peers-differ', region.name, `the file has ${wanted}, Azure has ${real}`, fix));
  }
  return found;
}

function checkConnection({ connections }: RouteServerFacts, nva: Region['nvas'][number]): Finding[] {
  const held = connections.find((one) => one.name.toLowerCase() === nva.bgpConnection.toLowerCase());
  if (held === undefined) {
    const fix = `az network routeserver peering create --name ${nva.bgpConnection} --peer-ip ${nva.address} --peer-asn ${nva.asn}`;
    const what = `Route Server has no peering ${nva.bgpConnection} (it has ${connections.map((one) => one.name).join(', ') || 'none'})`;
    return [problem('connection-missing', nva.name, what, fix)];
  }
  const found: Finding[] = [];
  if (held.peerAsn !== nva.asn) {
    const fix = 'delete the peering and make it anew with the AS number of the file';
    found.push(problem('connection-asn', nva.name, `Azure expects AS ${held.peerAsn}, the NVA says ${nva.asn}`, fix));
  }
  if (held.peerIp !== nva.address) {
    const fix = 'delete the peering and make it anew with the address of the file';
    found.push(
      problem('connection-address', nva.name, `Azure expects ${held.peerIp}, the file has ${nva.address}`, fix),
    );
  }
  return found;
}

function checkSubnets({ subnets }: RouteServerFacts, region: Region): Finding[] {
  const own = subnets.find((subnet) => subnet.name === 'RouteServerSubnet');
  const found: Finding[] = [];
  if (own !== undefined) {
    if (own.routes !== null) {
      const fix = 'take the route table off RouteServerSubnet';
      found.push(problem('route-server-subnet-routed', region.name, 'RouteServerSubnet has a route table', fix));
    }
    if (own.securityGroup !== null) {
      const fix = 'take the network security group off RouteServerSubnet';
      found.push(problem('route-server-subnet-guarded', region.name, 'RouteServerSubnet has a security group', fix));
    }
    const length = Math.min(...own.prefixes.map((text) => parsePrefix(text)?.length ?? 0));
    if (length > ROUTE_SERVER_SUBNET_MAX_LENGTH) {
      found.push(
        problem('route-server-subnet-small', region.name, `RouteServerSubnet is a /${length}`, 'make it a /26'),
      );
    }
  }
  return [...found, ...region.nvas.flatMap((nva) => checkWayToPeers(subnets, nva, own))];
}

/** A route in the NVA's subnet that draws packets for Route Server elsewhere makes sessions flap. */
function checkWayToPeers(
  subnets: readonly SubnetFacts[],
  nva: Region['nvas'][number],
  target: SubnetFacts | undefined,
): Finding[] {
  const home = subnetOf(subnets, nva.address);
  const drawn = (home?.routes ?? []).filter(
    (route) =>
      route.nextHopType !== 'VnetLocal' &&
      target?.prefixes.some((text) => covers(route.prefix, text) && parsePrefix(route.prefix)?.length !== 0),
  );
  return drawn.map((route) => {
    const what = `route ${route.name} of its subnet sends Route Server's addresses to ${route.nextHop ?? route.nextHopType}`;
    const fix = `add a route for ${target?.prefixes.join(', ')} with next hop VnetLocal to that table`;
    return problem('way-to-peers', nva.name, what, fix);
  });
}

/** dnat-udr: answers find their way back through the NVA only by routes over every on-premises range. */
function checkReturnRoutes({ subnets }: RouteServerFacts, region: Region, topology: Topology): Finding[] {
  return topology.vips
    .filter((vip) => vip.dataPlane.mode === 'dnat-udr' && vip.regions.includes(region.name))
    .flatMap((vip): Finding[] => {
      const app = region.apps[vip.name];
      const home = app === undefined ? undefined : subnetOf(subnets, parseEndpoint(app, 0)?.address ?? '');
      if (home === undefined) return [];
      const addresses = region.nvas.map((nva) => nva.address);
      const missing = topology.addressSpaces.onPremises.filter(
        (range) => !(home.routes ?? []).some((route) => covers(route.prefix, range) && isNva(route.nextHop, addresses)),
      );
      if (missing.length === 0) return [];
      const what = `subnet ${home.name} has no route through an NVA for ${missing.join(', ')}`;
      const fix = `a route table on ${home.name}: each range to VirtualAppliance ${addresses.join(' or ')}`;
      return [problem('return-route-missing', `${vip.name} in ${region.name}`, what, fix)];
    });
}

const isNva = (nextHop: string | null, addresses: readonly string[]): boolean =>
  nextHop !== null && addresses.includes(nextHop);

function subnetOf(subnets: readonly SubnetFacts[], address: string): SubnetFacts | undefined {
  const number = parseIpv4(address);
  if (number === undefined) return undefined;
  return subnets.find((subnet) =>
    subnet.prefixes.some((text) => {
      const prefix = parsePrefix(text);
      return prefix !== undefined && contains(prefix, number);
    }),
  );
}

function covers(outer: string, inner: string): boolean {
  const [a, b] = [parsePrefix(outer), parsePrefix(inner)];
  return a !== undefined && b !== undefined && a.length <= b.length && overlaps(a, b);
}

/** Both instances must hold what the agent was told to announce, with every prepend. */
function checkLearned(facts: Facts, region: Region, nva: string, learned: LearnedFacts): Finding[] {
  const agent = known(facts.agents[nva]);
  if (agent === undefined) return [];
  return region.routeServer.peers.flatMap((peer): Finding[] => {
    const session = agent.sessions.find((one) => one.peer === peer && one.state === 'Established');
    if (session === undefined) return [];
    const held = learned[peer] ?? {};
    const missing = session.routes.filter((route) => held[route.prefix] === undefined);
    const wrong = session.routes.filter((route) => {
      const path = held[route.prefix];
      return path !== undefined && path.join() !== route.asPath.join();
    });
    const strange = Object.keys(held).filter((prefix) => !session.routes.some((route) => route.prefix === prefix));
    return [
      ...missing.map((route) => {
        const fix = 'Route Server drops paths with 65515, 0 or too many routes: routes per peer, reserved AS numbers';
        return problem('route-not-learned', nva, `${peer} does not hold ${route.prefix}`, fix);
      }),
      ...wrong.map((route) => {
        const what = `${peer} holds ${route.prefix} as ${formatPath(held[route.prefix] ?? [])}, told ${formatPath(route.asPath)}`;
        const fix =
          'a change needs up to 30 s; if it stays: a route map on the connection, or another speaker at this address';
        return problem('prepend-not-visible', nva, what, fix);
      }),
      ...strange.map((prefix) => {
        const fix = 'find who announces it from this NVA; agents announce the vips of the file and nothing else';
        return problem('route-unexpected', nva, `${peer} holds ${prefix}, which the agent does not announce`, fix);
      }),
    ];
  });
}

function checkCircuits({ topology, circuits, agents }: Facts): Finding[] {
  return topology.regions.flatMap((region): Finding[] => {
    const fact = circuits[region.name];
    if (fact?.type === 'failed') {
      const fix = 'circuit.resourceId and circuit.peering, and the right to read route tables of the circuit';
      return [problem('circuit-unreadable', region.name, fact.detail, fix)];
    }
    const rows = known(fact)?.rows;
    if (rows === undefined) return [];
    const announced = region.nvas.flatMap(
      (nva) => known(agents[nva.name])?.sessions.flatMap((one) => one.routes) ?? [],
    );
    const prefixes = new Set(announced.map((route) => route.prefix));
    return [...prefixes].flatMap((prefix): Finding[] => {
      const held = rows.filter((row) => row.prefix === prefix);
      if (held.length === 0) {
        const fix = 'branch-to-branch on Route Server, the gateway connected to the circuit, fewer than 1,000 routes';
        return [problem('circuit-lacks-prefix', region.name, `the circuit does not show ${prefix}`, fix)];
      }
      const told = announced.filter((route) => route.prefix === prefix).map((route) => route.asPath);
      const isSeen = held.some((row) => told.some((path) => endsWith(row.asPath, path)));
      if (isSeen) return [];
      const what = `the circuit shows ${prefix} as ${formatPath(held[0]?.asPath ?? [])}`;
      const fix = 'another region or speaker announces it into this circuit, or a route map rewrites it';
      return [problem('circuit-other-path', region.name, what, fix)];
    });
  });
}

const endsWith = (path: readonly number[], tail: readonly number[]): boolean =>
  path.slice(-tail.length).join() === tail.join();

function checkAuditTable({ table, rule }: Facts): Finding[] {
  const found: Finding[] = [];
  if (table.type === 'failed')
    found.push(problem('audit-table-missing', AUDIT_TABLE, table.detail, 'deploy the table before the DCR'));
  const columns = known(table)?.columns;
  const lacking =
    columns === undefined ? [] : Object.keys(auditRecordSchema.shape).filter((column) => !columns.includes(column));
  if (lacking.length > 0)
    found.push(
      problem('audit-columns', AUDIT_TABLE, `columns missing: ${lacking.join(', ')}`, 'deploy the table again'),
    );
  if (rule.type === 'failed') found.push(problem('rule-missing', 'DCR', rule.detail, 'LOGS_RULE_ID and its resource'));
  const held = known(rule);
  if (held === undefined) return found;
  if (held.kind !== 'Direct') {
    const fix = 'kind cannot be changed: deploy a DCR of kind Direct, or name a DCE in LOGS_ENDPOINT';
    found.push(problem('rule-kind', 'DCR', `kind ${held.kind ?? 'none'}`, fix));
  }
  if (!held.streams.includes(AUDIT_STREAM) || !held.outputs.includes(`Custom-${AUDIT_TABLE}`)) {
    const fix = `declare the stream ${AUDIT_STREAM} and send it to Custom-${AUDIT_TABLE}`;
    found.push(problem('rule-stream', 'DCR', `streams ${held.streams.join(', ') || 'none'}`, fix));
  }
  return found;
}
