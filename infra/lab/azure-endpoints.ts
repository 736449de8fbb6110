// Azure as the lab has it: identities, tokens, learned routes read from the Route Server models, Logs Ingestion, and the
// certificates that the agents and these endpoints show.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditRecord, auditRecordSchema } from '../../shared/audit.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { ArmCircuitRoute, ArmLearnedRoute } from './azure/arm.ts';
import { startAzure } from './azure/azure.ts';
import { createAuthority } from './azure/certificates.ts';
import type { LabPrincipal } from './azure/entra.ts';
import { createResources, type Resources, RULE_ID, WORKSPACE_ID } from './azure/resources.ts';
import type { RouteServer } from './route-server.ts';
import type { World, WorldRegion } from './world.ts';

/** The person that the lab's operator token names. */
export const OPERATOR = 'operator@lab.example';
/** May look and not touch: for seeing what the dashboard shows then. */
const READER = 'reader@lab.example';
/** The Automation account whose runbooks may operate. */
export const AUTOMATION = 'automation';
/** Tokens are handed out again until this long before they expire. */
const TOKEN_SECONDS = 3600;
const TOKEN_EARLY_MS = 5 * 60_000;

export interface AzureEndpoints {
  /** Settings that lead a seat here. */
  environmentOfSeat(seat: string): Record<string, string>;
  /** `identity` of the NVA's agent.yaml. */
  identityOfNva(nva: string): { readonly endpoint: string };
  /** Writes certificate and key of an agent into the folder. */
  issueCertificate(nva: string, folder: string): Promise<{ readonly cert: string; readonly key: string }>;
  operatorToken(): Promise<string>;
  /** Environment of a runbook: who it is, and where it finds these seats. */
  environmentOfRunbook(seats: readonly string[]): Record<string, string>;
  observerToken(observer: string): Promise<string>;
  setIngestion(isUp: boolean): void;
  ingestion(): World['ingestion'];
  /** Everything that arrived, duplicates included. */
  records(): AuditRecord[];
  /** What people configured, to be overlaid with mistakes. */
  readonly resources: Resources;
  /** Where `anycastctl doctor` finds what it needs, the topology's file aside. */
  readonly doctorPlaces: Readonly<Record<'ca' | 'armEndpoint' | 'workspaceId' | 'dcrId', string>>;
  close(): Promise<void>;
}

export interface AzureEndpointsOptions {
  readonly topology: Topology;
  readonly directory: string;
  readonly routeServers: (region: string) => readonly RouteServer[];
  readonly edge: (region: string) => WorldRegion['edge'];
}

export async function startAzureEndpoints(options: AzureEndpointsOptions): Promise<AzureEndpoints> {
  const { topology, directory } = options;
  const authority = await createAuthority();
  const caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, authority.ca);
  const resources = createResources({
    topology,
    peersOf: (region) => options.routeServers(region).map(({ port }) => `127.0.0.1:${port}`),
  });
  const azure = await startAzure({
    authority,
    principals: principalsOf(topology),
    resources: resources.endpoint,
    learned: (routeServer, connection) => {
      const routes = learnedRoutes(options, routeServer, connection);
      return routes && resources.toldOf(connection, routes);
    },
    circuit: (circuit) => circuitRoutes(options, circuit),
  });
  const audience = topology.seats[0]?.audience ?? '';
  const tokens = new Map<string, { readonly text: string; readonly freshUntilMs: number }>();
  const tokenOf = async (principal: string): Promise<string> => {
    const kept = tokens.get(principal);
    if (kept !== undefined && Date.now() < kept.freshUntilMs) return kept.text;
    const text = await azure.token(principal, { audience, lifetimeSeconds: TOKEN_SECONDS });
    tokens.set(principal, { text, freshUntilMs: Date.now() + TOKEN_SECONDS * 1000 - TOKEN_EARLY_MS });
    return text;
  };
  return {
    resources,
    doctorPlaces: { ca: caFile, armEndpoint: azure.origin, workspaceId: WORKSPACE_ID, dcrId: RULE_ID },
    environmentOfSeat: (seat) => ({
      ...azure.environmentOf(seat),
      ANYCAST_AGENT_CA: caFile,
      // The SDKs of the seat trust the lab's endpoints by it.
      NODE_EXTRA_CA_CERTS: caFile,
    }),
    identityOfNva: (nva) => ({ endpoint: azure.imdsEndpointOf(nva) }),
    issueCertificate: async (nva, folder) => {
      const { cert, key } = await authority.issue(nva, ['127.0.0.1', 'localhost']);
      const files = { cert: join(folder, 'tls-cert.pem'), key: join(folder, 'tls-key.pem') };
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(files.cert, cert);
      writeFileSync(files.key, key, { mode: 0o600 });
      return files;
    },
    operatorToken: () => tokenOf(OPERATOR),
    environmentOfRunbook: (seats) => {
      const { IDENTITY_ENDPOINT = '', IDENTITY_HEADER = '' } = azure.environmentOf(AUTOMATION);
      return { ANYCAST_SEATS: seats.join(','), ANYCAST_AUDIENCE: audience, IDENTITY_ENDPOINT, IDENTITY_HEADER };
    },
    observerToken: (observer) => tokenOf(observer),
    setIngestion: (isUp) => azure.logs.setDown(!isUp),
    ingestion: () => ({
      state: azure.logs.isDown() ? 'down' : 'up',
      records: azure.logs.records().length,
      eventIds: new Set(azure.logs.records().map((record) => record.EventId)).size,
    }),
    records: () => azure.logs.records().map((record) => auditRecordSchema.parse(record)),
    close: () => azure.stop(),
  };
}

function principalsOf(topology: Topology): LabPrincipal[] {
  const nvas = topology.regions.flatMap((region) => region.nvas);
  return [
    { name: OPERATOR, isPerson: true, roles: ['Failover.Read', 'Failover.Operate'] },
    { name: READER, isPerson: true, roles: ['Failover.Read'] },
    { name: AUTOMATION, roles: ['Failover.Operate'] },
    ...topology.seats.map(({ name }): LabPrincipal => ({ name, roles: [] })),
    ...topology.observers.map(({ name }): LabPrincipal => ({ name, roles: ['Agent.Report'] })),
    ...nvas.map(
      ({ name, principalId }): LabPrincipal => ({
        name,
        roles: ['Agent.Report'],
        ...(principalId === undefined ? {} : { id: principalId }),
      }),
    ),
  ];
}

/** The last part of a resource id. */
const resourceName = (id: string): string => id.slice(id.lastIndexOf('/') + 1).toLowerCase();

/** What both instances of a region hold from one peering; undefined when there is no such peering. */
function learnedRoutes(
  options: AzureEndpointsOptions,
  routeServer: string,
  connection: string,
): ArmLearnedRoute[] | undefined {
  const region = options.topology.regions.find(
    (candidate) => resourceName(candidate.routeServer.resourceId) === routeServer.toLowerCase(),
  );
  const nva = region?.nvas.find((candidate) => candidate.bgpConnection === connection);
  if (region === undefined || nva === undefined) return undefined;
  return options.routeServers(region.name).flatMap((server) =>
    server
      .routes()
      .filter((route) => route.nva === nva.name)
      .map(({ prefix, nextHop, asPath }) => ({ instance: `127.0.0.1:${server.port}`, prefix, nextHop, asPath })),
  );
}

/** The edge's table before it strips, the same on both devices of a circuit. */
function circuitRoutes(options: AzureEndpointsOptions, circuit: string): ArmCircuitRoute[] | undefined {
  const region = options.topology.regions.find(
    (candidate) =>
      candidate.circuit !== undefined && resourceName(candidate.circuit.resourceId) === circuit.toLowerCase(),
  );
  if (region === undefined) return undefined;
  const nextHop = region.nvas[0]?.address ?? '';
  return options.edge(region.name).routes.map(({ prefix, received }) => ({ prefix, nextHop, asPath: received }));
}
