// Azure around the control plane, in its namespace: identities, tokens, Logs Ingestion, and ARM's route tables read from
// BIRD. Also asks the control plane's HTTP API for the lab, with an operator's token.
import { readFileSync } from 'node:fs';
import type { ArmCircuitRoute, ArmLearnedRoute } from '../azure/arm.ts';
import { startAzure } from '../azure/azure.ts';
import type { LabPrincipal } from '../azure/entra.ts';
import { readBirdRoutes } from './bird.ts';
import type { BirdRoute } from './bird-routes.ts';

export interface EndpointsArguments {
  readonly address: string;
  readonly tlsPort: number;
  readonly identityPort: number;
  /** PEM files: the authority that the SDKs trust, and a certificate of it for the address. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly audience: string;
  readonly seat: string;
  /** Who may report: NVAs and observers. */
  readonly reporters: readonly string[];
  /** Base URL of the control plane. */
  readonly functions: string;
  readonly prefix: string;
  /** By resource name: whom to ask. */
  readonly routeServers: Readonly<Record<string, readonly { readonly address: string; readonly socket: string }[]>>;
  readonly circuits: Readonly<Record<string, { readonly socket: string }>>;
}

const OPERATOR = 'operator@lab.example';
const CALL_MS = 30_000;

const options = JSON.parse(process.argv[2] ?? '{}') as EndpointsArguments;

const principals: readonly LabPrincipal[] = [
  { name: OPERATOR, roles: ['Failover.Read', 'Failover.Operate'], isPerson: true },
  { name: options.seat, roles: [] },
  ...options.reporters.map((name): LabPrincipal => ({ name, roles: ['Agent.Report'] })),
];

async function learned(routeServer: string): Promise<readonly ArmLearnedRoute[] | undefined> {
  const instances = options.routeServers[routeServer];
  if (instances === undefined) return undefined;
  const held = instances.map(async ({ address, socket }) =>
    (await readBirdRoutes(socket, options.prefix)).map((route) => ({ ...rowOf(route), instance: address })),
  );
  return (await Promise.all(held)).flat();
}

/** The edge before it strips private numbers: the best of what it heard from both instances. */
async function circuit(name: string): Promise<readonly ArmCircuitRoute[] | undefined> {
  const edge = options.circuits[name];
  if (edge === undefined) return undefined;
  return (await readBirdRoutes(edge.socket, options.prefix)).filter((route) => route.isBest).map(rowOf);
}

const rowOf = ({ prefix, nextHop, asPath }: BirdRoute): ArmCircuitRoute => ({ prefix, nextHop, asPath });

const pem = (file: string): string => readFileSync(file, 'utf8');
const azure = await startAzure({
  address: options.address,
  tlsPort: options.tlsPort,
  identityPort: options.identityPort,
  authority: {
    ca: pem(options.authority),
    issue: async () => ({ cert: pem(options.certificate), key: pem(options.key) }),
  },
  principals,
  learned,
  circuit,
});

/** A call of the lab's to the control plane, answered to the lab with the same id. */
interface Call {
  readonly id: number;
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

async function call({ id, method, path, body }: Call): Promise<void> {
  try {
    const token = await azure.token(OPERATOR, { audience: options.audience });
    const response = await fetch(`${options.functions}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    process.send?.({ type: 'answer', id, status: response.status, text: await response.text() });
  } catch (error) {
    process.send?.({ type: 'answer', id, status: 0, text: String(error) });
  }
}

process.on('message', (message) => {
  if ((message as { type?: unknown }).type === 'call') void call(message as Call);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ type: 'ready', seatEnvironment: azure.environmentOf(options.seat) });
