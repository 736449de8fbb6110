// The NVA processes of the lab and the cables between each agent and the seats.
import { join } from 'node:path';
import type { Topology } from '../../shared/topology-schema.ts';
import type { AzureEndpoints } from './azure-endpoints.ts';
import { COMPILE_CACHE, childModule, HEAP_MEGABYTES } from './child-module.ts';
import { writeAgentFile } from './deployment-files.ts';
import { topologyOfNva } from './loopback-topology.ts';
import type { Network } from './network.ts';
import type { NvaArguments } from './nva.ts';
import type { RegionApps } from './region-apps.ts';
import { type Relay, startRelay } from './relay.ts';
import { createRestartable, type Restartable } from './restartable.ts';
import type { WorldNva } from './world.ts';

export interface NvasOptions {
  /** As written. */
  readonly topology: Topology;
  readonly directory: string;
  readonly azure: AzureEndpoints;
  readonly say: (text: string) => void;
}

interface LabNva {
  readonly region: string;
  /** From the seats to the agent. */
  readonly toAgent: Relay;
  /** From the agent to each seat, by seat. */
  readonly toSeats: Map<string, Relay>;
  process: Restartable | undefined;
  clockOffsetMs: number;
}

export class Nvas {
  readonly #options: NvasOptions;
  readonly #nvas = new Map<string, LabNva>();

  private constructor(options: NvasOptions) {
    this.#options = options;
  }

  /** Lays the cables, so that their ports are known before the deployment is written. */
  static async prepare(options: NvasOptions): Promise<Nvas> {
    const nvas = new Nvas(options);
    for (const region of options.topology.regions) {
      for (const { name } of region.nvas) {
        const toAgent = await startRelay();
        nvas.#nvas.set(name, {
          region: region.name,
          toAgent,
          toSeats: new Map(),
          process: undefined,
          clockOffsetMs: 0,
        });
      }
    }
    return nvas;
  }

  /** By NVA: where the seats reach its agent. */
  agentPorts(): Record<string, number> {
    return Object.fromEntries([...this.#nvas].map(([name, nva]) => [name, nva.toAgent.port]));
  }

  /** Writes each agent's files and starts all processes. `topology` is the one on loopback. */
  async start(topology: Topology, network: Network, apps: RegionApps): Promise<void> {
    await Promise.all(
      [...this.#nvas].map(async ([name, nva]) => {
        for (const seat of topology.seats) {
          nva.toSeats.set(seat.name, await startRelay({ host: '127.0.0.1', port: Number(new URL(seat.url).port) }));
        }
        nva.process = await this.#createProcess(name, nva, topology, network, apps);
        await nva.process.start();
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#nvas.values()].map(async (nva) => {
        await nva.process?.stop();
        await Promise.all([nva.toAgent, ...nva.toSeats.values()].map((relay) => relay.close()));
      }),
    );
  }

  async kill(name: string): Promise<void> {
    await this.#of(name).process?.kill();
  }

  async startNva(name: string): Promise<void> {
    await this.#of(name).process?.start();
  }

  freeze(name: string): void {
    this.#of(name).process?.freeze();
  }

  thaw(name: string): void {
    this.#of(name).process?.thaw();
  }

  cutControlPath(name: string): void {
    for (const relay of this.#cables(name)) relay.cut();
  }

  mendControlPath(name: string): void {
    for (const relay of this.#cables(name)) relay.mend();
  }

  /** Does nothing when it is no NVA's name. */
  setClockOffset(name: string, offsetMs: number): void {
    const nva = this.#nvas.get(name);
    if (nva === undefined) return;
    nva.clockOffsetMs = offsetMs;
    nva.process?.send({ type: 'clock', offsetMs });
  }

  pids(): (number | null)[] {
    return [...this.#nvas.values()].map((nva) => nva.process?.pid ?? null);
  }

  world(name: string): WorldNva {
    const { process, toAgent, clockOffsetMs } = this.#of(name);
    return {
      nva: name,
      pid: process?.pid ?? null,
      state: process?.state() ?? 'dead',
      controlPath: toAgent.isCut ? 'cut' : 'open',
      clockOffsetMs,
    };
  }

  #of(name: string): LabNva {
    const nva = this.#nvas.get(name);
    if (nva === undefined) throw new Error(`no NVA ${name}`);
    return nva;
  }

  #cables(name: string): Relay[] {
    const nva = this.#of(name);
    return [nva.toAgent, ...nva.toSeats.values()];
  }

  async #createProcess(
    name: string,
    nva: LabNva,
    topology: Topology,
    network: Network,
    apps: RegionApps,
  ): Promise<Restartable> {
    const { directory, azure, say } = this.#options;
    const seatPorts = Object.fromEntries([...nva.toSeats].map(([seat, relay]) => [seat, relay.port]));
    const agentFile = writeAgentFile(directory, name, topologyOfNva(topology, seatPorts), {
      localAddress: network.addressOf(name),
      identity: azure.identityOfNva(name),
      tls: await azure.issueCertificate(name, join(directory, name)),
    });
    const args: NvaArguments = { agentFile, apps: apps.ports()[nva.region] ?? {} };
    return createRestartable({
      name,
      say,
      child: () => ({
        module: childModule('nva'),
        args: [JSON.stringify(args)],
        environment: { NODE_COMPILE_CACHE: COMPILE_CACHE },
        heapMegabytes: HEAP_MEGABYTES.nva,
        logFolder: directory,
      }),
      onReady: ({ ready, send }) => {
        nva.toAgent.lead({ host: '127.0.0.1', port: Number(ready.agentPort) });
        network.setDataPlane(name, ready.dataPlane as Record<string, number>);
        if (nva.clockOffsetMs !== 0) send({ type: 'clock', offsetMs: nva.clockOffsetMs });
      },
      onGone: () => {
        nva.toAgent.lead(undefined);
        network.setDataPlane(name, undefined);
      },
    });
  }
}
