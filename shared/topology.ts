// Reads anycast.yaml into a checked topology, and answers the questions everybody asks of it.

import type { z } from 'zod';
import type { Ladder } from './ladder.ts';
import { findSeatProbe } from './probe-checks.ts';
import { err, type Finding, ok, type Result } from './result.ts';
import { findRefusals, findWarnings, prependStep } from './topology-checks.ts';
import { type Nva, type ProbeConfig, type Region, type Topology, topologySchema, type Vip } from './topology-schema.ts';
import { parseYaml } from './yaml.ts';

export interface LoadedTopology {
  readonly topology: Topology;
  readonly warnings: readonly Finding[];
}

/** The topology in this text with its warnings, or every problem in it with its path. */
export function parseTopology(text: string): Result<LoadedTopology> {
  const yaml = parseYaml(text);
  if (!yaml.ok) return yaml;
  const parsed = topologySchema.safeParse(yaml.value);
  if (!parsed.success) return err(parsed.error.issues.flatMap(findingsOfIssue));
  const refusals = findRefusals(parsed.data);
  return refusals.length > 0 ? err(refusals) : ok({ topology: parsed.data, warnings: findWarnings(parsed.data) });
}

/** A zod issue as findings with the path people write: one per unknown key. */
export function findingsOfIssue(issue: z.core.$ZodIssue): Finding[] {
  const path = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      code: 'unknown-key',
      message: 'no such key',
    }));
  }
  return [{ path, code: 'malformed', message: issue.message }];
}

/** `vips[0].prefix`, as people write it. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

export const ladderOf = (topology: Topology): Ladder => ({
  headroom: topology.prepend.headroom,
  step: prependStep(topology),
});

export const findRegion = (topology: Topology, name: string): Region | undefined =>
  topology.regions.find((region) => region.name === name);

export const findVip = (topology: Topology, name: string): Vip | undefined =>
  topology.vips.find((vip) => vip.name === name);

/** An NVA with the region it stands in. */
export function findNva(topology: Topology, name: string): { region: Region; nva: Nva } | undefined {
  for (const region of topology.regions) {
    const nva = region.nvas.find((candidate) => candidate.name === name);
    if (nva !== undefined) return { region, nva };
  }
  return undefined;
}

/** Names of all groups, in order of first appearance. */
export const groupsOf = (topology: Topology): string[] => [...new Set(topology.vips.map((vip) => vip.group))];

/** Vips of one group that the given NVA's region is a member of. */
export function vipsOfNva(topology: Topology, nvaName: string, group: string): Vip[] {
  const found = findNva(topology, nvaName);
  if (found === undefined) return [];
  return topology.vips.filter((vip) => vip.group === group && vip.regions.includes(found.region.name));
}

/** What this NVA prepends: the deployment's ASN, or its own. */
export const prependAsnOf = (topology: Topology, nva: Nva): number => topology.prepend.asn ?? nva.asn;

/** The vip's probes as the given region runs them: `{app}` replaced by the region's own application. Never empty. */
export function probesOf(vip: Vip, region: Region): ProbeConfig[] {
  const { probe, probes = probe === undefined ? [] : [probe] } = vip.health;
  const app = region.apps[vip.name];
  return app === undefined ? probes : probes.map((each) => filled(each, app));
}

/** What a seat asks of the application of a region, or undefined when seats do not ask. */
export function seatProbeOf(vip: Vip, region: Region): ProbeConfig | undefined {
  const probe = vip.health.fromSeats ? findSeatProbe(vip) : undefined;
  const app = region.apps[vip.name];
  return probe === undefined || app === undefined ? undefined : filled(probe, app);
}

/** How many of a vip's probes must be well. */
export function requiredProbes({ health }: Vip): number {
  const count = health.probes?.length ?? 1;
  if (typeof health.require === 'object') return health.require.atLeast;
  return health.require === 'any' ? 1 : count;
}

function filled(probe: ProbeConfig, app: string): ProbeConfig {
  const fill = (text: string) => text.replaceAll('{app}', app);
  switch (probe.type) {
    case 'http':
    case 'https':
      return { ...probe, url: fill(probe.url) };
    case 'tcp':
      return { ...probe, target: fill(probe.target) };
    case 'dns':
      return { ...probe, server: fill(probe.server) };
    case 'exec':
      return { ...probe, argv: probe.argv.map(fill) };
  }
}
