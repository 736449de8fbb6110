// Runs the control plane in its namespace: Azurite, the lab's stand-ins for Azure, and one seat on the in-process host.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { operationSchema, planSchema, statusSchema } from '../../../shared/api.ts';
import { OperatingError } from '../../../shared/errors.ts';
import type { LabContext } from './context.ts';
import type { ControlPlane } from './control-plane.ts';
import type { EndpointsArguments } from './endpoints.ts';
import { edgeName, type Fabric, routeServerName } from './fabric.ts';
import { type LabFiles, PORTS } from './lab-files.ts';
import { CONTROL_ADDRESS, VIP } from './plan.ts';
import { until } from './poll.ts';
import { type LabProcess, nodeArgv } from './processes.ts';
import { untilReady } from './region.ts';
import { AUDIENCE, OBSERVER, SEAT } from './topology.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const START_MS = 60_000;
const CALL_MS = 35_000;
const FUNCTIONS = `http://${CONTROL_ADDRESS}:${PORTS.functions}`;
const AZURITE_SERVICES = 3;

/** Starts all of it and resolves when the seat answers. */
export async function startControlPlane(lab: LabContext, fabric: Fabric, files: LabFiles): Promise<ControlPlane> {
  const [{ endpoints, environment }] = await Promise.all([startEndpoints(lab, fabric, files), startAzurite(lab)]);
  const start = () => startSeat(lab, seatEnvironment(files, environment));
  let seat = await start();
  const ask = callThrough(endpoints);
  return {
    isRunning: () => seat.isRunning(),
    kill: () => seat.kill(),
    start: async () => {
      if (!seat.isRunning()) seat = await start();
    },
    status: async () => statusSchema.parse(await ask('GET', '/api/status')),
    failover: async (to, reason) =>
      operationSchema.parse(await ask('POST', `/api/vips/${VIP.name}/failover`, { to, reason })),
    failback: async (reason) => operationSchema.parse(await ask('POST', `/api/vips/${VIP.name}/failback`, { reason })),
    drain: async (region, reason) =>
      operationSchema.parse(await ask('POST', `/api/regions/${region}/drain`, { reason })),
    undrain: async (region, reason) =>
      operationSchema.parse(await ask('POST', `/api/regions/${region}/undrain`, { reason })),
    planFailover: async (to) =>
      planSchema.parse(
        await ask('POST', `/api/vips/${VIP.name}/failover`, { to, reason: 'may it move?', dryRun: true }),
      ),
    operation: async (id) => operationSchema.parse(await ask('GET', `/api/operations/${id}`)),
  };
}

async function startAzurite({ plan, folder, processes }: LabContext): Promise<void> {
  const script = createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js');
  const ports = ['--blobPort', `${PORTS.blob}`, '--queuePort', `${PORTS.queue}`, '--tablePort', `${PORTS.table}`];
  const flags = ['--location', join(folder, 'azurite'), '--disableTelemetry', '--skipApiVersionCheck', '--silent'];
  let listening = 0;
  processes.start({
    name: 'azurite',
    namespace: plan.control,
    argv: nodeArgv(script, ...ports, ...flags),
    onLine: (line) => {
      if (line.includes('successfully listening')) listening += 1;
    },
  });
  await until('Azurite listens', START_MS, () => listening === AZURITE_SERVICES);
}

type SeatEnvironment = Readonly<Record<string, string>>;

interface Endpoints {
  readonly endpoints: LabProcess;
  /** Settings that lead a seat to them. */
  readonly environment: SeatEnvironment;
}

async function startEndpoints({ plan, processes }: LabContext, fabric: Fabric, files: LabFiles): Promise<Endpoints> {
  const socketOf = (name: string): string => fabric.sockets[name] ?? '';
  const options: EndpointsArguments = {
    address: CONTROL_ADDRESS,
    tlsPort: PORTS.azure,
    identityPort: PORTS.identity,
    authority: files.authority,
    certificate: files.endpoints.certificate,
    key: files.endpoints.key,
    audience: AUDIENCE,
    seat: SEAT,
    reporters: [OBSERVER, ...plan.regions.map((region) => region.nva.name)],
    functions: FUNCTIONS,
    prefix: VIP.prefix,
    routeServers: Object.fromEntries(
      plan.regions.map((region) => [
        `rs-${region.short}`,
        region.routeServers.map(({ address }, i) => ({ address, socket: socketOf(routeServerName(region, i)) })),
      ]),
    ),
    circuits: Object.fromEntries(
      plan.regions.map((region) => [`erc-${region.short}`, { socket: socketOf(edgeName(region)) }]),
    ),
  };
  const process = processes.start({
    name: 'endpoints',
    namespace: plan.control,
    argv: nodeArgv(join(import.meta.dirname, 'endpoints.ts'), JSON.stringify(options)),
    ipc: true,
  });
  const { seatEnvironment: environment } = (await untilReady(process)) as { seatEnvironment: SeatEnvironment };
  return { endpoints: process, environment };
}

async function startSeat(
  { plan, folder, processes }: LabContext,
  environment: Record<string, string>,
): Promise<LabProcess> {
  let isReady = false;
  const process = processes.start({
    name: 'seat',
    namespace: plan.control,
    argv: nodeArgv(
      join(REPOSITORY, 'infra/lab/host/main.ts'),
      ...['--app', join(REPOSITORY, 'functions/app.ts'), '--host-json', join(REPOSITORY, 'host.json')],
      ...['--address', CONTROL_ADDRESS, '--port', `${PORTS.functions}`, '--task-hub', join(folder, 'task-hub.sqlite')],
      ...['--log-level', 'warning'],
    ),
    environment,
    onLine: (line) => {
      if (line.includes('"type":"ready"')) isReady = true;
    },
  });
  await until('the seat answers', START_MS, () => {
    if (!process.isRunning())
      throw new OperatingError('seat-ended', 'it ended at start; see seat.log', { retryable: false });
    return isReady;
  });
  return process;
}

function seatEnvironment(files: LabFiles, azure: SeatEnvironment): Record<string, string> {
  return {
    ...azure,
    ANYCAST_TOPOLOGY: files.topology,
    ANYCAST_SEAT: SEAT,
    ANYCAST_ORDER_KEY: JSON.stringify(files.orderKey),
    ANYCAST_AGENT_CA: files.authority,
    // Azurite's own account on its usual ports, which this namespace has for itself.
    ANYCAST_STORAGE: 'UseDevelopmentStorage=true',
    // The SDKs of the seat trust the lab's endpoints by it.
    NODE_EXTRA_CA_CERTS: files.authority,
  };
}

type Ask = (method: string, path: string, body?: object) => Promise<unknown>;

/** Calls of the HTTP API, made by the process that stands in the control plane's namespace. */
function callThrough(endpoints: LabProcess): Ask {
  const waiting = new Map<number, (answer: { status: number; text: string }) => void>();
  let calls = 0;
  endpoints.onMessage((message) => {
    const answer = message as { type?: unknown; id: number; status: number; text: string };
    if (answer.type === 'answer') waiting.get(answer.id)?.(answer);
  });
  return async (method, path, body) => {
    calls += 1;
    const id = calls;
    const { promise, resolve } = Promise.withResolvers<{ status: number; text: string }>();
    waiting.set(id, resolve);
    const patience = setTimeout(() => resolve({ status: 0, text: 'no answer' }), CALL_MS);
    endpoints.send({ type: 'call', id, method, path, ...(body === undefined ? {} : { body }) });
    const { status, text } = await promise;
    clearTimeout(patience);
    waiting.delete(id);
    if (status >= 200 && status < 300) return JSON.parse(text) as unknown;
    throw new OperatingError('api-refused', `${method} ${path}: ${status} ${text.slice(0, 500)}`, { retryable: true });
  };
}
