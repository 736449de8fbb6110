// The anycast.yaml of the namespace lab and the agents' own files, as objects. Timing is the product's default but where said.
import type { JWK } from 'jose';
import type { Ladder } from '../../../shared/ladder.ts';
import { AGENT_PORT, APP_PORT, CONTROL_ADDRESS, type LabPlan, REGION_HEADER, type RegionPlan, VIP } from './plan.ts';

export const SEAT = 'seat-lab';
/** Seat and witness stand outside both regions: a seat that loses its own region's agents suspects itself. */
const CONTROL_REGION = 'swedencentral';
export const AUDIENCE = 'api://anycast-failover';
export const OBSERVER = 'hq';
export const SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';

export interface TopologyChoices {
  /** What agents offer Route Server: 30 by default; 180 lets a silent NVA's route live on as it would on Azure. */
  readonly holdSeconds: number;
  readonly orderKey: { readonly kid: string; readonly publicJwk: JWK };
  readonly ports: { readonly functions: number; readonly blob: number };
}

/** Separate circuits ask for three prepends a rung. */
export const LADDER: Ladder = { headroom: 4, step: 3 };

/**
 * Guards of the laboratory: those that make a human wait between two moves are off or short, so that twenty faults in a
 * row fit into minutes. None of them stands between a fault and the move away from it.
 */
const LAB_GUARDS = {
  maxMovesPerWindow: 1000,
  windowSeconds: 600,
  warmUpSeconds: 2,
  dwellSeconds: 0,
  persistSeconds: 5,
  calmSeconds: 1,
  provenSeconds: 1,
  intentSeconds: 60,
  humanHoldSeconds: 0,
  flapPenalty: { perMove: 0, suppress: 2500, reuse: 750, max: 12000, halfLifeSeconds: 60 },
} as const;

/** Health checks of the lab: twice a second, so that a returning application is taken back within two seconds. */
const LAB_HEALTH = {
  intervalMs: 500,
  timeoutMs: 400,
  window: { fail: 3, of: 5, recover: 3 },
  sentinel: true,
} as const;

/** Connections live as long as a transfer of the laboratory takes, and some. */
const OWN_DATA_PLANE = {
  mode: 'reverse-proxy',
  ports: [{ listen: VIP.port, to: APP_PORT }],
  idleSeconds: 60,
  drainSeconds: 120,
  secondChance: { enabled: true, capSeconds: 300 },
} as const;

const resourceGroup = (region: RegionPlan): string =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-${region.short}/providers/Microsoft.Network`;

/** Resource ids as they stand in the topology; the ARM endpoint of the lab answers for them. */
export const routeServerId = (region: RegionPlan): string => `${resourceGroup(region)}/virtualHubs/rs-${region.short}`;
export const circuitId = (region: RegionPlan): string =>
  `${resourceGroup(region)}/expressRouteCircuits/erc-${region.short}`;

/** anycast.yaml. */
export function labTopology(plan: LabPlan, choices: TopologyChoices): object {
  return {
    version: 1,
    name: 'netns-lab',
    transport: { kind: 'expressroute', circuits: 'separate' },
    prepend: { asn: 64500, ...LADDER },
    // BIRD takes changes at any rate, so no change has to wait for a window or be said once more when it closes.
    timing: { reportSeconds: 2, tickSeconds: 5, routeChangeSeconds: 0, holdSeconds: choices.holdSeconds },
    addressSpaces: { azure: plan.regions.map((region) => region.space), onPremises: ['10.200.0.0/16'] },
    regions: plan.regions.map((region) => ({
      name: region.region,
      routeServer: {
        resourceId: routeServerId(region),
        peers: region.routeServers.map((instance) => instance.address),
      },
      circuit: { resourceId: circuitId(region) },
      nvas: [
        {
          name: region.nva.name,
          asn: region.nva.asn,
          address: region.nva.address,
          agent: `https://${region.nva.management}:${AGENT_PORT}`,
          bgpConnection: region.nva.name,
        },
      ],
      apps: { [VIP.name]: `${region.app.address}:${APP_PORT}` },
    })),
    vips: [
      {
        name: VIP.name,
        prefix: VIP.prefix,
        regions: plan.regions.map((region) => region.region),
        // Every run must end before traffic goes back, so going back is asked for.
        failback: { mode: 'manual' },
        ...(plan.secondChance ? { dataPlane: OWN_DATA_PLANE } : {}),
        health: { probe: { type: 'http', url: 'http://{app}/healthz' }, ...LAB_HEALTH },
        observe: { url: `http://${VIP.address}/`, header: REGION_HEADER },
      },
    ],
    guards: LAB_GUARDS,
    seats: [
      {
        name: SEAT,
        region: CONTROL_REGION,
        url: `http://${CONTROL_ADDRESS}:${choices.ports.functions}`,
        audience: AUDIENCE,
        orderKeys: [{ kid: choices.orderKey.kid, jwk: choices.orderKey.publicJwk }],
      },
    ],
    witness: {
      region: CONTROL_REGION,
      account: `http://127.0.0.1:${choices.ports.blob}/devstoreaccount1`,
    },
    observers: [{ name: OBSERVER, credential: 'token' }],
  };
}
