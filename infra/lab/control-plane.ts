// The seats of the control plane, one process each: started on known ports, killed, started again with the same task hub.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Topology } from '../../shared/topology-schema.ts';
import { buildDashboard } from '../build-dashboard.ts';
import type { AzureEndpoints } from './azure-endpoints.ts';
import { COMPILE_CACHE, childModule, HEAP_MEGABYTES, YOUNG_MEGABYTES } from './child-module.ts';
import type { OrderKeyPair } from './deployment-files.ts';
import { createRestartable, type Restartable } from './restartable.ts';
import type { SeatArguments } from './seat.ts';
import type { World } from './world.ts';

const HOST_JSON = fileURLToPath(new URL('../../host.json', import.meta.url));

/** Where seats get their ports from. */
const ANY_PORT = { first: 20_000, count: 10_000, triesMax: 50 } as const;

export interface ControlPlaneOptions {
  readonly topologyFile: string;
  readonly directory: string;
  readonly connectionString: string;
  /** By seat. */
  readonly orderKeys: Readonly<Record<string, OrderKeyPair>>;
  readonly azure: AzureEndpoints;
  /** Of the lab's own API, for the faults of the dashboard. */
  readonly labOrigin: string;
  readonly say: (text: string) => void;
}

export class ControlPlane {
  /** By seat. */
  readonly ports: Readonly<Record<string, number>>;
  readonly #seats = new Map<string, Restartable>();

  private constructor(ports: Readonly<Record<string, number>>) {
    this.ports = ports;
  }

  /** Finds the ports of the first `seatCount` seats. Rejects when one is taken. */
  static async reserve(topology: Topology, firstPort: number, seatCount: number): Promise<ControlPlane> {
    const names = topology.seats.slice(0, seatCount).map((seat) => seat.name);
    const ports = await Promise.all(names.map((_name, i) => (firstPort === 0 ? findPort() : tryPort(firstPort + i))));
    return new ControlPlane(Object.fromEntries(names.map((name, i) => [name, ports[i] ?? 0])));
  }

  async start(options: ControlPlaneOptions): Promise<void> {
    await buildDashboard(dashboardFolder(options.directory));
    for (const [seat, port] of Object.entries(this.ports)) this.#seats.set(seat, createSeat(seat, port, options));
    await Promise.all([...this.#seats.values()].map((seat) => seat.start()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#seats.values()].map((seat) => seat.stop()));
  }

  async kill(seat: string): Promise<void> {
    await this.#seats.get(seat)?.kill();
  }

  async startSeat(seat: string): Promise<void> {
    await this.#seats.get(seat)?.start();
  }

  /** Does nothing when it is no seat's name. */
  setClockOffset(seat: string, offsetMs: number): void {
    this.#seats.get(seat)?.send({ type: 'clock', offsetMs });
  }

  pids(): (number | null)[] {
    return [...this.#seats.values()].map((seat) => seat.pid);
  }

  world(): World['seats'] {
    return [...this.#seats].map(([seat, process]) => ({ seat, pid: process.pid, state: process.state() }));
  }
}

const dashboardFolder = (directory: string): string => join(directory, 'dashboard');

function createSeat(seat: string, port: number, options: ControlPlaneOptions): Restartable {
  const { directory, say, azure } = options;
  const args: SeatArguments = { port, taskHubFile: join(directory, `${seat}.sqlite`), hostJson: HOST_JSON };
  return createRestartable({
    name: seat,
    say,
    child: () => ({
      module: childModule('seat'),
      args: [JSON.stringify(args)],
      environment: {
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        ...azure.environmentOfSeat(seat),
        ANYCAST_TOPOLOGY: options.topologyFile,
        ANYCAST_SEAT: seat,
        ANYCAST_ORDER_KEY: JSON.stringify(options.orderKeys[seat]?.privateJwk),
        ANYCAST_STORAGE: options.connectionString,
        ANYCAST_DASHBOARD_FILES: dashboardFolder(directory),
        ANYCAST_LAB: options.labOrigin,
      },
      heapMegabytes: HEAP_MEGABYTES.seat,
      youngMegabytes: YOUNG_MEGABYTES.seat,
      logFolder: directory,
    }),
    onReady: () => undefined,
    onGone: () => undefined,
  });
}

/**
 * A free port below those that systems give to outgoing connections: one of them could take it between now and the start
 * of its seat.
 */
async function findPort(): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const port = ANY_PORT.first + Math.floor(Math.random() * ANY_PORT.count);
    try {
      return await tryPort(port);
    } catch (error) {
      if (tries === ANY_PORT.triesMax) throw error;
    }
  }
}

/** Listens there for a moment: the answer is the port, or a rejection when somebody else has it. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
