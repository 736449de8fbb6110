// The way of a vip as a tree: on-premises, circuit, Route Server instances, NVAs. `+` best, `-` known but not best,
// `?` not checked. Pure.
import type { StatusNva, StatusRegion, StatusVip } from '../../shared/api.ts';
import { formatAge, formatPath } from './text.ts';

export interface Hop {
  readonly depth: number;
  readonly mark: '+' | '-' | '?';
  readonly name: string;
  /** Milliseconds since it was looked at; null: never. */
  readonly ageMs: number | null;
  readonly detail: string;
}

export function topologyHops(vip: StatusVip, nowMs: number): Hop[] {
  const observers = (vip.observers ?? []).map(
    (one): Hop => ({
      depth: 0,
      mark: one.answeredBy === null ? '-' : '+',
      name: one.observer,
      ageMs: one.ageMs,
      detail:
        one.answeredBy === null
          ? 'nobody answered'
          : `answered by ${one.answeredBy}${one.firstByteMs === null ? '' : `, ${Math.round(one.firstByteMs)} ms`}`,
    }),
  );
  const nobody: Hop = { depth: 0, mark: '?', name: 'on-premises', ageMs: null, detail: 'no observer reports' };
  // The acting region first: that is the way traffic should take.
  const regions = [...vip.regions].sort((a, b) => Number(b.region === vip.acting) - Number(a.region === vip.acting));
  return [...(observers.length === 0 ? [nobody] : observers), ...regions.flatMap((one) => regionHops(vip, one, nowMs))];
}

function regionHops(vip: StatusVip, region: StatusRegion, nowMs: number): Hop[] {
  const mark = region.region === vip.acting ? '+' : '-';
  const { circuit } = region.proofs;
  const isKnown = circuit.proof === 'proved' || circuit.proof === 'failed';
  return [
    {
      depth: 0,
      mark: isKnown ? mark : '?',
      name: `circuit ${region.region}`,
      ageMs: circuit.atMs === null ? null : nowMs - circuit.atMs,
      detail: `${circuit.proof}${circuit.detail === '' ? '' : `: ${circuit.detail}`}`,
    },
    ...region.nvas.flatMap((nva) => nvaHops(region, nva, mark, nowMs)),
  ];
}

function nvaHops(region: StatusRegion, nva: StatusNva, mark: '+' | '-', nowMs: number): Hop[] {
  const sessions = nva.sessions.map((session): Hop => {
    const { learned } = session;
    const held = learned?.asPath ?? null;
    const isSame = held !== null && formatPath(held) === formatPath(session.asPath ?? []);
    const wanted = session.asPath === null ? 'nothing' : formatPath(session.asPath);
    if (learned === undefined) {
      const detail = `${session.state}, told ${wanted}`;
      return { depth: 1, mark: '?', name: `route server ${session.peer}`, ageMs: null, detail };
    }
    const text = held === null ? 'holds no route' : formatPath(held);
    return {
      depth: 1,
      mark: isSame ? mark : '-',
      name: `route server ${session.peer}`,
      ageMs: nowMs - learned.atMs,
      detail: isSame || (held === null && session.asPath === null) ? text : `${text}   expected ${wanted}`,
    };
  });
  const up = nva.sessions.filter((session) => session.state === 'Established').length;
  const order = nva.order === null ? 'no order' : `generation ${nva.order.generation}`;
  const state = region.state === 'withheld' ? 'withheld' : `rung ${region.rung}`;
  const words = [
    nva.lastResort ? 'last resort (own decision)' : state,
    `${order} ${nva.acknowledged ? 'acknowledged' : 'behind'}`,
    `sessions ${up}/${nva.sessions.length}`,
  ];
  return [...sessions, { depth: 2, mark, name: nva.nva, ageMs: nva.reportAgeMs, detail: words.join(', ') }];
}

export function renderTopology(vip: StatusVip, hops: readonly Hop[]): string[] {
  const label = (hop: Hop) => `${'  '.repeat(hop.depth)}${hop.mark} ${hop.name}`;
  const width = Math.max(...hops.map((hop) => label(hop).length));
  const ages = hops.map((hop) => (hop.ageMs === null ? '-' : formatAge(hop.ageMs)));
  const ageWidth = Math.max(...ages.map((age) => age.length));
  const served = vip.servedBy === null ? 'nobody saw who serves it' : `served by ${vip.servedBy}`;
  return [
    `${vip.vip} ${vip.prefix}   ${served}`,
    ...hops.map((hop, i) => `${label(hop).padEnd(width)}  |${(ages[i] ?? '').padEnd(ageWidth)}|${hop.detail}`),
  ];
}
