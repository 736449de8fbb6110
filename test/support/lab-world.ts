// A small world of the loopback lab with the status that goes with it, for tests that then bend one thing.
import { edgeRoutes, onPremisesRoutes } from '../../infra/lab/on-premises.ts';
import type { World, WorldRegion } from '../../infra/lab/world.ts';
import type { Status } from '../../shared/api.ts';

/** When the world is looked at. */
export const NOW = Date.parse('2026-03-14T03:14:15Z');
const PREFIX = '192.0.2.10/32';

function region(name: string, nva: string, asn: number, prepends: number, style: 'juniper' | 'cisco'): WorldRegion {
  const route = {
    prefix: PREFIX,
    nva,
    asPath: [asn, ...new Array<number>(prepends).fill(64500)],
    nextHop: '10.1.1.4',
    sinceMs: NOW,
  };
  const session = { nva, state: 'Established', holdSeconds: 30, routesReceived: 1, updatesIn: 2, lastError: null };
  const server = (i: number) => ({
    instance: `${name}/${i}`,
    peer: `127.0.0.1:${i}`,
    sessions: [session],
    routes: [route],
  });
  return {
    region: name,
    app: { pid: 1, state: 'running' },
    apps: { orders: { mode: 'ok', port: 1 } },
    nvas: [{ nva, pid: 2, state: 'running', controlPath: 'open', clockOffsetMs: 0 }],
    routeServers: [server(0), server(1)],
    edge: { style, routes: edgeRoutes(name, [route], style) },
  };
}

/** A steady lab of one vip and two regions, seen at NOW; `prepends` of westeurope and northeurope. */
export function labWorld(change: Partial<World> = {}, prepends: [number, number] = [12, 15]): World {
  const regions = [
    region('westeurope', 'we-nva-1', 65001, prepends[0], 'juniper'),
    region('northeurope', 'ne-nva-1', 65101, prepends[1], 'cisco'),
  ];
  return {
    deployment: 'lab',
    nowMs: NOW,
    startedAtMs: NOW - 72_000,
    sinceStartMs: 72_000,
    steadyAfterMs: 6200,
    directory: '/run',
    topology: '/run/anycast.yaml',
    ports: { control: 7070, functions: { 'seat-we': 7071 } },
    regions,
    onPremises: onPremisesRoutes(
      regions.flatMap((r) => r.edge.routes),
      { kind: 'expressroute', circuits: 'separate' },
    ),
    vips: [
      {
        vip: 'orders',
        prefix: PREFIX,
        regions: ['westeurope', 'northeurope'],
        url: 'http://127.0.0.1:1/',
        answeredBy: 'westeurope',
        sinceMs: NOW - 70_000,
        lastAnswerAtMs: NOW,
        requests: 100,
        failures: 0,
        outageSinceMs: null,
      },
    ],
    seats: [{ seat: 'seat-we', pid: 3, state: 'running' }],
    storage: { pid: 4, state: 'up' },
    ingestion: { state: 'up', records: 4, eventIds: 4 },
    outages: [],
    faults: [],
    ...change,
  };
}

const step = { proof: 'proved' as const, detail: '', atMs: NOW };
const row = (name: string, role: 'primary' | 'backup', rung: number, verdict: 'healthy' | 'unhealthy') => ({
  region: name,
  role,
  rung,
  prepend: rung * 3,
  state: 'announced' as const,
  serves: role === 'primary',
  verdict,
  verdictSinceMs: NOW,
  detail: '',
  proofs: { agent: step, routeServer: step, circuit: step, observer: step },
  nvas: [],
});
/** What the control plane says of that world. */
export const labStatus = (): Status => ({
  deployment: 'lab',
  nowMs: NOW,
  seat: 'seat-we',
  leader: 'seat-we',
  epoch: 1,
  generation: 14,
  decidedAtMs: NOW - 2000,
  automation: 'on',
  ledger: 'ok',
  outboxDepth: 0,
  vips: [
    {
      vip: 'orders',
      prefix: PREFIX,
      mode: 'primary-backup',
      acting: 'westeurope',
      actingSinceMs: NOW,
      servedBy: 'westeurope',
      reason: 'steady',
      detail: '',
      decisionId: 'd-1',
      regions: [row('westeurope', 'primary', 4, 'healthy'), row('northeurope', 'backup', 5, 'healthy')],
      blocked: [],
    },
  ],
  holds: [],
  alerts: [],
});
