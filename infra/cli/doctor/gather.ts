// Gathers what doctor judges, from the seats, the agents and Azure, all at once; one failure costs one fact.
import { setTimeout as pause } from 'node:timers/promises';
import { healthSchema, statusSchema } from '../../../shared/api.ts';
import type { Nva, Region, Topology } from '../../../shared/topology-schema.ts';
import type { ControlPlaneClient } from '../client.ts';
import type {
  AgentFacts,
  CircuitFacts,
  Facts,
  Known,
  LearnedFacts,
  LogFacts,
  RouteServerFacts,
  RuleFacts,
  SeatFacts,
} from './facts.ts';

/** Asks one agent. */
export interface AgentReader {
  status(nva: Nva, nowMs: () => number): Promise<AgentFacts>;
}

/** Reads Azure resources. */
export interface AzureReader {
  routeServer(region: Region): Promise<RouteServerFacts>;
  learned(region: Region, nva: Nva): Promise<LearnedFacts>;
  /** Undefined: the file names no circuit. */
  circuit(region: Region): Promise<CircuitFacts | undefined>;
  table(workspaceId: string): Promise<LogFacts>;
  rule(ruleId: string): Promise<RuleFacts>;
}

export interface GatherPorts {
  readonly topology: Topology;
  readonly client: ControlPlaneClient;
  /** Absent: not asked, and why. */
  readonly agents: AgentReader | string;
  readonly azure: AzureReader | string;
  readonly workspaceId: string | undefined;
  readonly ruleId: string | undefined;
  readonly nowMs: () => number;
  /** Told of each part as it begins and ends. */
  readonly progress?: (part: string, work: Promise<unknown>) => void;
}

const attempt = async <T>(work: () => Promise<T>): Promise<Known<T>> => {
  try {
    return { type: 'known', value: await work() };
  } catch (error) {
    return { type: 'failed', detail: wordsOf(error) };
  }
};

function wordsOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const own = error instanceof Error ? error.message : String(error);
  const words = inner instanceof Error && inner !== error && own === 'fetch failed' ? inner.message : own;
  const why = (error as { why?: unknown }).why;
  const more = Array.isArray(why) && why.length > 0 ? `: ${why.join('; ')}` : '';
  return `${words}${more}`.replaceAll(/\s+/g, ' ').slice(0, 300);
}

const notAsked = (detail: string): { readonly type: 'not asked'; readonly detail: string } => ({
  type: 'not asked',
  detail,
});

export async function gatherFacts(ports: GatherPorts): Promise<Facts> {
  const { topology, client, nowMs } = ports;
  const nvas = topology.regions.flatMap((region) => region.nvas.map((nva) => ({ region, nva })));
  const tell = <T>(part: string, work: Promise<T>): Promise<T> => {
    ports.progress?.(part, work);
    return work;
  };
  const azure = <T>(read: (reader: AzureReader) => Promise<T>): Promise<Known<T>> =>
    typeof ports.azure === 'string'
      ? Promise.resolve(notAsked(ports.azure))
      : attempt(() => read(ports.azure as AzureReader));
  const byName = async <T>(names: readonly string[], work: readonly Promise<T>[]): Promise<Record<string, T>> => {
    const values = await Promise.all(work);
    return Object.fromEntries(names.map((name, i) => [name, values[i] as T]));
  };
  const nvaNames = nvas.map(({ nva }) => nva.name);
  const regionNames = topology.regions.map(({ name }) => name);
  const [seats, status, agents, routeServers, learned, circuits, table, rule, identity] = await Promise.all([
    tell('seats', Promise.all(topology.seats.map((seat) => askSeat(client, seat, nowMs)))),
    tell(
      'status',
      attempt(async () => (await client.call('/status', statusSchema)).value),
    ),
    tell(
      'agents',
      byName(
        nvaNames,
        nvas.map(({ nva }) => askAgent(ports, nva)),
      ),
    ),
    tell(
      'Route Servers',
      byName(
        regionNames,
        topology.regions.map((region) => azure((reader) => reader.routeServer(region))),
      ),
    ),
    tell(
      'learned routes',
      byName(
        nvaNames,
        nvas.map(({ region, nva }) => azure((reader) => reader.learned(region, nva))),
      ),
    ),
    tell(
      'circuits',
      byName(
        regionNames,
        topology.regions.map((region) => askCircuit(ports, region)),
      ),
    ),
    ports.workspaceId === undefined
      ? notAsked('give --workspace-id')
      : azure((reader) => reader.table(ports.workspaceId ?? '')),
    ports.ruleId === undefined ? notAsked('give --dcr-id') : azure((reader) => reader.rule(ports.ruleId ?? '')),
    client.identity().catch(() => undefined),
  ]);
  return {
    ...{ topology, seats, status, agents, routeServers, learned, circuits, table, rule },
    nowMs: nowMs(),
    roles: identity?.roles,
  };
}

const askAgent = ({ agents, nowMs }: GatherPorts, nva: Nva): Promise<Known<AgentFacts>> =>
  typeof agents === 'string' ? Promise.resolve(notAsked(agents)) : attempt(() => agents.status(nva, nowMs));

async function askCircuit({ azure }: GatherPorts, region: Region): Promise<Known<CircuitFacts>> {
  if (typeof azure === 'string') return notAsked(azure);
  const fact = await attempt(() => azure.circuit(region));
  if (fact.type !== 'known') return fact;
  return fact.value === undefined ? notAsked('the file names no circuit') : { type: 'known', value: fact.value };
}

/** A seat that is not well is asked again: one slow call to its storage is no finding. */
const HEALTH_LOOKS = 3;
const HEALTH_WAIT_MS = 1_000;

async function askSeat(
  client: ControlPlaneClient,
  seat: Topology['seats'][number],
  nowMs: () => number,
): Promise<SeatFacts> {
  let clockOffsetMs: number | null = null;
  const look = async () => {
    const sentAtMs = nowMs();
    const response = await client.raw(seat.url, '/health');
    const halfwayMs = (sentAtMs + nowMs()) / 2;
    const date = Date.parse(response.headers.get('date') ?? '');
    clockOffsetMs = Number.isNaN(date) ? null : date - halfwayMs;
    return { ...healthSchema.parse(await response.json()), httpStatus: response.status };
  };
  let health = await attempt(look);
  for (let looks = 1; looks < HEALTH_LOOKS && !(health.type === 'known' && health.value.ok); looks += 1) {
    await pause(HEALTH_WAIT_MS);
    health = await attempt(look);
  }
  return { name: seat.name, url: seat.url, health, clockOffsetMs };
}
