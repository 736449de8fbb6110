// What would change if another anycast.yaml were deployed, and what each change means for traffic. Pure.

import type { Status } from '../../shared/api.ts';
import { announcedPath, baseRung, prependCount } from '../../shared/ladder.ts';
import { findNva, ladderOf } from '../../shared/topology.ts';
import type { Topology, Vip } from '../../shared/topology-schema.ts';

export interface PlannedChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  /** none: nothing on the wire. gentle: routes change, the winner does not. moves: traffic may move or end. */
  readonly effect: 'none' | 'gentle' | 'moves';
  readonly note: string;
}

const text = (value: unknown): string =>
  value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);

/** Everything that differs between two topologies, most dangerous first. */
export function planChanges(before: Topology, after: Topology): PlannedChange[] {
  const changes = [
    ...namedChanges('vips', before.vips, after.vips, vipNote),
    ...ladderChanges(before, after),
    ...namedChanges('regions', before.regions, after.regions, regionNote),
    ...namedChanges('seats', before.seats, after.seats, seatNote),
    ...namedChanges('observers', before.observers, after.observers, () => ({ effect: 'none', note: 'evidence only' })),
    ...(['name', 'transport', 'prepend', 'timing', 'tunnel', 'addressSpaces', 'witness', 'guards'] as const).flatMap(
      (key) => leafChanges(key, before[key], after[key], sectionNote),
    ),
  ];
  const weight = { moves: 0, gentle: 1, none: 2 };
  return changes.sort((a, b) => weight[a.effect] - weight[b.effect]);
}

type Note = (path: string, side: 'added' | 'removed' | 'changed') => Pick<PlannedChange, 'effect' | 'note'>;

function namedChanges(
  list: string,
  before: readonly { readonly name: string }[],
  after: readonly { readonly name: string }[],
  note: Note,
): PlannedChange[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.flatMap((name): PlannedChange[] => {
    const [old, young] = [before.find((one) => one.name === name), after.find((one) => one.name === name)];
    const path = `${list}[${name}]`;
    if (old === undefined) return [{ path, before: '-', after: 'added', ...note(path, 'added') }];
    if (young === undefined) return [{ path, before: 'there', after: 'removed', ...note(path, 'removed') }];
    return leafChanges(path, old, young, note);
  });
}

/** Differences of two plain values, one per leaf; lists are compared whole unless their members have names. */
function leafChanges(path: string, before: unknown, after: unknown, note: Note): PlannedChange[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (hasNames(before) && hasNames(after)) return namedChanges(path, before, after, note);
  if (isObject(before) && isObject(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      leafChanges(`${path}.${key}`, before[key], after[key], note),
    );
  }
  return [{ path, before: text(before), after: text(after), ...note(path, 'changed') }];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const hasNames = (value: unknown): value is { name: string }[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => isObject(one) && typeof one.name === 'string');

const vipNote: Note = (path, side) => {
  if (side === 'added') return { effect: 'gentle', note: 'announced in all its regions once an order is accepted' };
  if (side === 'removed') return { effect: 'moves', note: 'withdrawn everywhere: drain its users first' };
  if (path.endsWith('.prefix')) return { effect: 'moves', note: 'the old prefix is withdrawn, the new one announced' };
  if (path.endsWith('.regions')) return { effect: 'moves', note: 'ranking or members change: may fail back or move' };
  if (path.endsWith('.mode') || path.endsWith('.group') || path.endsWith('.nvas'))
    return { effect: 'moves', note: 'rows are made anew' };
  if (/\.(communities|med)/.test(path)) return { effect: 'gentle', note: 'one UPDATE per region with new attributes' };
  if (path.includes('.health.')) return { effect: 'none', note: 'the agent judges by it after its next reload' };
  if (path.includes('.dataPlane.')) return { effect: 'gentle', note: 'the NVA renders its data plane anew' };
  return { effect: 'none', note: '' };
};

const regionNote: Note = (path, side) => {
  if (/\.nvas\[[^\]]+\]$/.test(path) || /^regions\[[^\]]+\]$/.test(path)) {
    return side === 'added'
      ? { effect: 'gentle', note: 'announces once it has an order' }
      : { effect: 'moves', note: 'drain it first: its routes end with its sessions' };
  }
  if (/\.(asn|address)$/.test(path)) return { effect: 'moves', note: 'its BGP sessions start anew' };
  if (path.includes('.routeServer.')) return { effect: 'moves', note: 'its BGP sessions start anew' };
  return { effect: 'none', note: '' };
};

const seatNote: Note = (path, side) => {
  if (path.endsWith('.orderKeys') || path.includes('.orderKeys'))
    return { effect: 'none', note: 'give agents both keys first, then seats the new one, then drop the old' };
  return { effect: 'none', note: side === 'removed' ? 'the other seats lead on' : '' };
};

const sectionNote: Note = (path) => {
  if (path.startsWith('prepend'))
    return { effect: 'gentle', note: 'every path is announced anew; see the paths below' };
  if (path === 'timing.holdSeconds') return { effect: 'none', note: 'once BGP sessions are set up anew' };
  if (path.startsWith('witness'))
    return { effect: 'moves', note: 'another ledger: it is rebuilt and waits for a person' };
  return { effect: 'none', note: '' };
};

/** Where a base path differs, in numbers people can compare with their routers. */
function ladderChanges(before: Topology, after: Topology): PlannedChange[] {
  return after.vips.flatMap((vip) => {
    const old = before.vips.find((one) => one.name === vip.name);
    if (old === undefined) return [];
    return vip.regions.flatMap((region): PlannedChange[] => {
      const [was, is] = [basePath(before, old, region), basePath(after, vip, region)];
      if (was === is || was === '-') return [];
      const note = 'path when all is calm';
      return [{ path: `vips[${vip.name}] in ${region}`, before: was, after: is, effect: 'gentle', note }];
    });
  });
}

function basePath(topology: Topology, vip: Vip, region: string): string {
  const rank = vip.regions.indexOf(region);
  const name = topology.regions.find((one) => one.name === region)?.nvas[0]?.name;
  const nva = name === undefined ? undefined : findNva(topology, name)?.nva;
  if (rank < 0 || nva === undefined) return '-';
  const rung = vip.mode === 'active-active' ? 0 : baseRung(ladderOf(topology), rank);
  const prepend = prependCount(ladderOf(topology), rung);
  const [own = nva.asn] = announcedPath(nva.asn, topology.prepend.asn ?? nva.asn, prepend);
  return prepend === 0 ? String(own) : `${own} ${topology.prepend.asn ?? nva.asn}×${prepend}`;
}

/** What can be told against the running control plane alone: vips, prefixes, ranking, NVAs. */
export function planAgainstStatus(status: Status, after: Topology): PlannedChange[] {
  const seen = status.vips.map((vip) => ({
    name: vip.vip,
    prefix: vip.prefix,
    mode: vip.mode,
    regions: vip.regions.map((region) => region.region),
  }));
  const wanted = after.vips.map(({ name, prefix, mode, regions }) => ({ name, prefix, mode, regions }));
  const known = [
    ...new Set(status.vips.flatMap((vip) => vip.regions.flatMap((region) => region.nvas.map((n) => n.nva)))),
  ];
  const planned = after.regions.flatMap((region) => region.nvas.map((nva) => nva.name));
  const toNamed = (names: readonly string[]) => names.map((name) => ({ name }));
  return [
    ...(status.deployment === after.name
      ? []
      : leafChanges('name', status.deployment, after.name, () => ({
          effect: 'moves' as const,
          note: 'this is another deployment',
        }))),
    ...namedChanges('vips', seen, wanted, vipNote),
    ...namedChanges('nvas', toNamed(known), toNamed(planned), (path, side) => regionNote(`regions[].${path}`, side)),
  ];
}
