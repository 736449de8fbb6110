// Derives from the topology what one NVA has to look after: its vips, their health rules, their last resort.
// It must never know files, sockets or the time.
import { lastResortRung, prependCount } from '../shared/ladder.ts';
import { type findNva, ladderOf, prependAsnOf, probesOf, requiredProbes } from '../shared/topology.ts';
import type { ProbeConfig, Topology, Vip } from '../shared/topology-schema.ts';
import type { AgentPlan, VipPlan } from './agent.ts';
import type { HealthRule } from './health/vip-health.ts';
import type { VipDefaults } from './route/announcement.ts';

type Place = NonNullable<ReturnType<typeof findNva>>;

/** Confirmation probes beside each other: programs may disturb one another, connections do not. */
const CONFIRMATIONS_IN_FLIGHT = 7;

/** Host and port a sentinel connection goes to. */
export interface SentinelTarget {
  readonly host: string;
  readonly port: number;
}

export interface StopTiming {
  readonly lastResortSeconds: number;
  readonly withdrawSeconds: number;
}

/** The plan of the NVA at this place of the topology. */
export function planOf(topology: Topology, place: Place, stop: StopTiming): AgentPlan {
  return {
    nva: place.nva.name,
    vips: topology.vips
      .filter((vip) => vip.regions.includes(place.region.name))
      .map((vip) => vipPlanOf(topology, place, vip)),
    routeChangeMs: topology.timing.routeChangeSeconds * 1000,
    stopLastResortMs: stop.lastResortSeconds * 1000,
    stopWithdrawMs: stop.withdrawSeconds * 1000,
  };
}

function vipPlanOf(topology: Topology, place: Place, vip: Vip): VipPlan {
  const probes = probesOf(vip, place.region);
  const rules = probes.map((probe) => ruleOf(topology, vip, probe));
  const [first] = rules;
  if (first === undefined) throw new Error(`${vip.name} was checked to have a probe`);
  return {
    vip: vip.name,
    group: vip.group,
    prefix: vip.prefix,
    health: first,
    ...(rules.length === 1 ? {} : { joint: { rules, names: probes.map(labelOf), required: requiredProbes(vip) } }),
    defaults: defaultsOf(topology, place, vip),
    ...(vip.dataPlane.mode === 'none' ? {} : { hasDataPlane: true }),
  };
}

/** One probe's own rule: its window and whether a connection can be kept beside it. */
function ruleOf(topology: Topology, vip: Vip, probe: ProbeConfig): HealthRule {
  const { intervalMs, window, degradedLatencyMs, sentinel } = vip.health;
  return {
    window: { ...window, ...(degradedLatencyMs === undefined ? {} : { degradedLatencyMs }) },
    intervalMs,
    sentinel: sentinel && sentinelTarget(probe) !== undefined,
    confirmationsInFlight: probe.type === 'exec' ? 1 : CONFIRMATIONS_IN_FLIGHT,
    flap: topology.guards.flapPenalty,
  };
}

/** As people count: `probe 1 (http)`. */
export const labelOf = (probe: ProbeConfig, index: number): string => `probe ${index + 1} (${probe.type})`;

function defaultsOf(topology: Topology, { region, nva }: Place, vip: Vip): VipDefaults {
  const rung = lastResortRung(ladderOf(topology), vip.regions.length);
  // One active NVA per region: the others sit one prepend above it.
  const isStandby = vip.nvas === 'one' && region.nvas[0]?.name !== nva.name;
  const communities = Array.isArray(vip.communities) ? undefined : vip.communities.lastResort;
  const med = typeof vip.med === 'object' ? vip.med.lastResort : undefined;
  return {
    lastResortRung: rung,
    lastResortPrepend: prependCount(ladderOf(topology), rung, isStandby),
    prependAsn: prependAsnOf(topology, nva),
    ...(communities === undefined ? {} : { lastResortCommunities: communities }),
    ...(med === undefined ? {} : { lastResortMed: med }),
  };
}

/** Where the application of this probe accepts connections, or undefined when it is not one connection's matter. */
export function sentinelTarget(probe: ProbeConfig): SentinelTarget | undefined {
  switch (probe.type) {
    case 'http':
    case 'https':
      return httpTarget(probe.url);
    case 'tcp':
      return hostPort(probe.target);
    case 'dns':
    case 'exec':
      return undefined;
  }
}

const HTTP_URL = /^(https?):\/\/([^/:?#]+)(?::(\d{1,5}))?([/?][^#]*)?/;

/** Host, port and request target of an http or https URL; undefined when it is none. */
export function httpTarget(
  url: string,
): (SentinelTarget & { readonly path: string; readonly host: string }) | undefined {
  const match = HTTP_URL.exec(url);
  if (match?.[2] === undefined) return undefined;
  const port = match[3] === undefined ? (match[1] === 'https' ? 443 : 80) : Number(match[3]);
  const path = match[4] ?? '/';
  return { host: match[2], port, path: path.startsWith('/') ? path : `/${path}` };
}

/** `host:port`, or undefined when the port is missing. */
export function hostPort(text: string): SentinelTarget | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  return match?.[1] === undefined ? undefined : { host: match[1], port: Number(match[2]) };
}
