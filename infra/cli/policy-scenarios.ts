// What on-premises routers see of a vip in each situation: the AS path of every region, as announced and behind the
// provider's edge. Pure: topology in, tables out.
import { announcedPath, baseRung, lastResortRung, prependCount } from '../../shared/ladder.ts';
import { findRegion, ladderOf } from '../../shared/topology.ts';
import type { Nva, Topology, Vip } from '../../shared/topology-schema.ts';
import { pathAtEdge, stripPrivateAsns } from '../lab/circuit-edge.ts';

export type Standing = 'primary' | 'backup' | 'lastResort';

export interface ScenarioRow {
  readonly region: string;
  readonly standing: Standing;
  /** Null: not announced. */
  readonly rung: number | null;
  /** As the first NVA announces it to Route Server. */
  readonly announced: readonly number[];
  /** By maker of the edge, or of a VPN gateway. */
  readonly onPremises: readonly { readonly edge: string; readonly asPath: readonly number[] }[];
  readonly communities: readonly string[];
  readonly med: number | null;
}

export interface Scenario {
  readonly name: string;
  readonly wins: string;
  readonly rows: readonly ScenarioRow[];
}

type Placing = Readonly<Record<string, { readonly rung: number | null; readonly standing: Standing }>>;

/** Steady, reflex, takeover, return, drained; every row as the ladder orders it. */
export function scenariosOf(topology: Topology, vip: Vip): Scenario[] {
  const ladder = ladderOf(topology);
  const [first, second] = vip.regions;
  const last = lastResortRung(ladder, vip.regions.length);
  const steady: Placing = Object.fromEntries(
    vip.regions.map((region, rank) => [
      region,
      {
        rung: vip.mode === 'active-active' ? 0 : baseRung(ladder, rank),
        standing: rank === 0 || vip.mode === 'active-active' ? 'primary' : 'backup',
      },
    ]),
  );
  const make = (name: string, wins: string, changes: Placing): Scenario => ({
    name,
    wins,
    rows: vip.regions.map((region) =>
      rowOf(topology, vip, region, { ...steady, ...changes }[region] ?? { rung: null, standing: 'backup' }),
    ),
  });
  if (first === undefined || second === undefined) return [make('steady', first ?? '', {})];
  if (vip.mode === 'active-active') {
    return [
      make('steady: all members share the traffic (ECMP)', vip.regions.join(', '), {}),
      make(`the application in ${first} has failed`, vip.regions.slice(1).join(', '), {
        [first]: { rung: last, standing: 'lastResort' },
      }),
    ];
  }
  const takeover = ladder.headroom - 1;
  return [
    make('steady', first, {}),
    make(`the application in ${first} has failed (reflex, milliseconds)`, second, {
      [first]: { rung: last, standing: 'lastResort' },
    }),
    make(`${second} has taken over; ${first} is still failed`, second, {
      [first]: { rung: last, standing: 'lastResort' },
      [second]: { rung: takeover, standing: 'primary' },
    }),
    make(`${first} is back, and pulls no traffic`, second, {
      [first]: { rung: baseRung(ladder, 0), standing: 'backup' },
      [second]: { rung: takeover, standing: 'primary' },
    }),
    make(`${first} was failed back to`, first, {
      [first]: { rung: takeover - 1, standing: 'primary' },
      [second]: { rung: takeover, standing: 'backup' },
    }),
    make(`${first} is drained`, second, {
      [first]: { rung: null, standing: 'lastResort' },
      [second]: { rung: takeover, standing: 'primary' },
    }),
  ];
}

function rowOf(topology: Topology, vip: Vip, region: string, place: Placing[string]): ScenarioRow {
  const nva = findRegion(topology, region)?.nvas[0];
  const announced = nva === undefined || place.rung === null ? [] : pathOf(topology, nva, place.rung);
  return {
    region,
    standing: place.standing,
    rung: place.rung,
    announced,
    onPremises: announced.length === 0 ? [] : seenOnPremises(topology, announced),
    communities: Array.isArray(vip.communities) ? vip.communities : (vip.communities[place.standing] ?? []),
    med: typeof vip.med === 'object' ? (vip.med[place.standing] ?? null) : (vip.med ?? null),
  };
}

const pathOf = (topology: Topology, nva: Nva, rung: number): number[] =>
  announcedPath(nva.asn, topology.prepend.asn ?? nva.asn, prependCount(ladderOf(topology), rung));

function seenOnPremises(topology: Topology, announced: readonly number[]): ScenarioRow['onPremises'] {
  const received = pathAtEdge(announced);
  if (topology.transport.kind === 'vpn') return [{ edge: 'VPN gateway', asPath: received }];
  return (['juniper', 'cisco'] as const).map((edge) => ({
    edge: edge === 'juniper' ? 'Juniper edge' : 'Cisco edge',
    asPath: stripPrivateAsns(received, edge).sent,
  }));
}
