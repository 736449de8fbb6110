// Puts the lab together: processes, network, cables, control plane, client. Starts in order, stops in the opposite one.
import { rmSync } from 'node:fs';
import type { Status } from '../../shared/api.ts';
import type { AuditRecord } from '../../shared/audit.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import type { AppMode } from './app.ts';
import { type AzureEndpoints, startAzureEndpoints } from './azure-endpoints.ts';
import { type Client, startClient } from './client.ts';
import { type ControlApi, startControlApi } from './control-api.ts';
import { ControlPlane } from './control-plane.ts';
import { makeOrderKey, writeTopology } from './deployment-files.ts';
import { createFaultDesk, type FaultDesk } from './fault-desk.ts';
import { loopbackTopology } from './loopback-topology.ts';
import { type Network, startNetwork } from './network.ts';
import { Nvas } from './nvas.ts';
import { type Observer, startObserver } from './observer.ts';
import type { OnPremisesRoute } from './on-premises.ts';
import { RegionApps } from './region-apps.ts';
import { makeRunDirectory } from './run-directory.ts';
import { type StatusWatch, watchStatus } from './status-watch.ts';
import { isSteady } from './steady.ts';
import { type Storage, startStorage } from './storage.ts';
import type { World, WorldRegion } from './world.ts';

export interface LabOptions {
  /** As written by its author; the lab rewrites ports and addresses. */
  readonly topology: Topology;
  /** Where the run directory is made. */
  readonly folder: string;
  /** 0: any free one. */
  readonly controlPort: number;
  /** Of the first seat; the others take the next ones. 0: any free ones. */
  readonly functionsPort: number;
  readonly seatCount: number;
  readonly clientIntervalMs: number;
  readonly routeChangeSeconds: number;
  /** Leave the run directory behind. */
  readonly keep: boolean;
  /** A line for people whenever something changed. */
  readonly say: (text: string) => void;
}

export interface Lab {
  readonly topology: Topology;
  readonly controlPort: number;
  /** Origins of the seats. */
  readonly seats: readonly string[];
  readonly faults: FaultDesk;
  world(): World;
  status(): Status | undefined;
  /** Why the control plane did not answer the last question. */
  statusFailure(): string | undefined;
  auditRecords(): readonly AuditRecord[];
  /** What reached the Logs Ingestion endpoint. */
  shippedRecords(): readonly AuditRecord[];
  operatorToken(): Promise<string>;
  /** Processes of the lab, itself included: for measuring. */
  pids(): number[];
  /** Resolves with the milliseconds it took; rejects when it was not steady in time. */
  steady(timeoutMs: number): Promise<number>;
  stop(): Promise<void>;
}

const STEADY_POLL_MS = 100;

/** Starts everything. When something cannot start, what had started is stopped again before this rejects. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const lab = new LoopbackLab(options);
  try {
    await lab.start();
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

class LoopbackLab implements Lab {
  topology: Topology;
  readonly #options: LabOptions;
  readonly #directory: string;
  readonly #startedAtMs = Date.now();
  /** What was started, newest last. */
  readonly #stops: (() => Promise<unknown> | unknown)[] = [];
  #steadyAfterMs: number | null = null;
  #topologyFile = '';
  #faults: FaultDesk | undefined;
  #api: ControlApi | undefined;
  #azure: AzureEndpoints | undefined;
  #network: Network | undefined;
  #storage: Storage | undefined;
  #apps: RegionApps | undefined;
  #nvas: Nvas | undefined;
  #control: ControlPlane | undefined;
  #client: Client | undefined;
  #observer: Observer | undefined;
  #watch: StatusWatch | undefined;
  #bestRoutes = '';

  constructor(options: LabOptions) {
    this.#options = options;
    this.topology = options.topology;
    this.#directory = makeRunDirectory(options.folder, options.keep);
  }

  async start(): Promise<void> {
    const { controlPort, functionsPort, seatCount, routeChangeSeconds, say } = this.#options;
    const directory = this.#directory;
    this.#stops.push(() => {
      if (!this.#options.keep) rmSync(directory, { recursive: true, force: true });
    });
    // Taken first: with both ports busy nothing else has been started.
    this.#api = this.#owned(await startControlApi(controlPort), (api) => api.close());
    this.#control = this.#owned(await ControlPlane.reserve(this.topology, functionsPort, seatCount), (c) => c.stop());
    this.#network = this.#owned(
      await startNetwork({
        topology: this.topology,
        routeChangeMs: routeChangeSeconds * 1000,
        onChange: (table) => this.#routesChanged(table),
      }),
      (network) => network.close(),
    );
    this.#apps = this.#owned(new RegionApps(this.topology, directory, say), (apps) => apps.stop());
    this.#azure = this.#owned(await this.#startAzure(), (azure) => azure.close());
    const [storage] = await Promise.all([startStorage(directory, say), this.#apps.start()]);
    this.#storage = this.#owned(storage, (started) => started.stop());
    await this.#startDeployment();
    this.#startWatching();
    this.#api.serve({
      topology: this.topology,
      world: () => this.world(),
      faults: this.faults,
      token: () => this.operatorToken(),
      pageOrigins: this.seats.flatMap((seat) => [seat, seat.replace('127.0.0.1', 'localhost')]),
      runbook: () => present(this.#azure).environmentOfRunbook(this.seats),
      resources: () => present(this.#azure).resources,
      doctor: () => ({ file: this.#topologyFile, ...present(this.#azure).doctorPlaces }),
    });
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#options.say(`while stopping: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  get controlPort(): number {
    return present(this.#api).port;
  }

  get seats(): readonly string[] {
    return this.topology.seats.map((seat) => seat.url);
  }

  get faults(): FaultDesk {
    return present(this.#faults);
  }

  status(): Status | undefined {
    return this.#watch?.status;
  }

  statusFailure(): string | undefined {
    return this.#watch?.failure;
  }

  auditRecords(): readonly AuditRecord[] {
    return this.#watch?.records ?? [];
  }

  shippedRecords(): readonly AuditRecord[] {
    return present(this.#azure).records();
  }

  operatorToken(): Promise<string> {
    return present(this.#azure).operatorToken();
  }

  pids(): number[] {
    const children = [this.#storage?.pid, ...present(this.#apps).pids(), ...present(this.#nvas).pids()];
    return [process.pid, ...children, ...present(this.#control).pids()].flatMap((pid) => pid ?? []);
  }

  async steady(timeoutMs: number): Promise<number> {
    const deadline = Date.now() + timeoutMs;
    while (!isSteady(this.world(), this.status())) {
      if (Date.now() > deadline) throw new Error(`not steady within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, STEADY_POLL_MS));
      if (this.statusFailure() !== undefined || !isSteady(this.world(), this.status())) await this.#watch?.refresh();
    }
    this.#steadyAfterMs ??= Date.now() - this.#startedAtMs;
    return this.#steadyAfterMs;
  }

  world(): World {
    const nowMs = Date.now();
    const network = present(this.#network);
    const answered = new Map(this.#client?.vips().map((vip) => [vip.vip, vip]));
    return {
      deployment: this.topology.name,
      nowMs,
      startedAtMs: this.#startedAtMs,
      sinceStartMs: nowMs - this.#startedAtMs,
      steadyAfterMs: this.#steadyAfterMs,
      directory: this.#directory,
      topology: this.#topologyFile,
      ports: { control: this.controlPort, functions: present(this.#control).ports },
      regions: this.topology.regions.map((region) => this.#regionOf(region)),
      onPremises: network.table(),
      vips: this.topology.vips.flatMap((vip) => {
        const seen = answered.get(vip.name);
        const url = `http://127.0.0.1:${network.vipPorts[vip.name]}/`;
        return seen === undefined ? [] : [{ ...seen, prefix: vip.prefix, regions: vip.regions, url }];
      }),
      seats: present(this.#control).world(),
      storage: { pid: present(this.#storage).pid, state: present(this.#storage).isUp ? 'up' : 'down' },
      ingestion: present(this.#azure).ingestion(),
      outages: this.#client?.outages() ?? [],
      faults: this.#faults?.active() ?? [],
    };
  }

  #owned<T>(part: T, stop: (part: T) => Promise<unknown> | unknown): T {
    this.#stops.push(() => stop(part));
    return part;
  }

  #startAzure(): Promise<AzureEndpoints> {
    const network = present(this.#network);
    return startAzureEndpoints({
      topology: this.topology,
      directory: this.#directory,
      routeServers: (region) => network.routeServers(region),
      edge: (region) => network.edge(region),
    });
  }

  /** Keys and files, then the NVAs and the seats that read them. */
  async #startDeployment(): Promise<void> {
    const { say, seatCount, topology: written } = this.#options;
    const [network, apps, control] = [present(this.#network), present(this.#apps), present(this.#control)];
    const [azure, storage] = [present(this.#azure), present(this.#storage)];
    const pairs = await Promise.all(written.seats.slice(0, seatCount).map(async (s) => makeOrderKey(s.name)));
    const keys = Object.fromEntries(pairs.map((pair, i) => [written.seats[i]?.name ?? '', pair]));
    this.#nvas = this.#owned(
      await Nvas.prepare({ topology: written, directory: this.#directory, say, azure }),
      (nvas) => nvas.stop(),
    );
    this.topology = loopbackTopology(
      written,
      {
        routeServers: network.routeServerPorts,
        apps: apps.ports(),
        agents: this.#nvas.agentPorts(),
        seats: control.ports,
        vips: network.vipPorts,
        blobEndpoint: storage.blobEndpoint,
        orderKeys: Object.fromEntries(
          Object.entries(keys).map(([seat, key]) => [seat, { kid: key.kid, jwk: { ...key.publicJwk } }]),
        ),
      },
      seatCount,
    );
    this.#topologyFile = writeTopology(this.#directory, this.topology);
    await Promise.all([
      this.#nvas.start(this.topology, network, apps),
      control.start({
        topologyFile: this.#topologyFile,
        directory: this.#directory,
        connectionString: storage.connectionString,
        orderKeys: keys,
        azure,
        labOrigin: `http://127.0.0.1:${this.controlPort}`,
        say,
      }),
    ]);
  }

  #startWatching(): void {
    const { say, clientIntervalMs } = this.#options;
    const [network, azure, observer] = [present(this.#network), present(this.#azure), this.topology.observers[0]];
    this.#client = this.#owned(
      startClient({
        vips: this.topology.vips.map((vip) => ({
          vip: vip.name,
          group: vip.group,
          port: network.vipPorts[vip.name] ?? 0,
        })),
        intervalMs: clientIntervalMs,
        onChange: (vip, region) => {
          say(region === null ? `${vip}: nobody answers` : `${vip}: answered by ${region}`);
          this.#observer?.noteChange();
        },
      }),
      (client) => client.stop(),
    );
    if (observer !== undefined) {
      const token = () => azure.observerToken(observer.name);
      this.#observer = this.#owned(
        startObserver({ topology: this.topology, observer: observer.name, client: this.#client, token }),
        (started) => started.stop(),
      );
    }
    this.#watch = this.#owned(
      watchStatus({ seats: this.seats, token: () => this.operatorToken(), onRecord: (r) => this.#recorded(r) }),
      (watch) => watch.stop(),
    );
    this.#faults = this.#owned(createFaultDesk({ topology: this.topology, world: this.#breakable(), say }), (desk) =>
      desk.close(),
    );
  }

  #breakable() {
    const [apps, nvas, control] = [present(this.#apps), present(this.#nvas), present(this.#control)];
    const routeServerOf = (nva: string, instance: number) => {
      const region = this.topology.regions.find((candidate) => candidate.nvas.some((n) => n.name === nva));
      return this.#network?.routeServers(region?.name ?? '')[instance];
    };
    return {
      killApp: (region: string) => apps.kill(region),
      startApp: (region: string) => apps.startRegion(region),
      setAppMode: (region: string, vip: string, mode: AppMode) => apps.setMode(region, vip, mode),
      killNva: (nva: string) => nvas.kill(nva),
      startNva: (nva: string) => nvas.startNva(nva),
      freezeNva: (nva: string) => nvas.freeze(nva),
      thawNva: (nva: string) => nvas.thaw(nva),
      cutControlPath: (nva: string) => nvas.cutControlPath(nva),
      mendControlPath: (nva: string) => nvas.mendControlPath(nva),
      endSession: async (nva: string, instance: number) => routeServerOf(nva, instance)?.endSession(nva),
      resumeSession: (nva: string, instance: number) => routeServerOf(nva, instance)?.resumeSession(nva),
      setIngestion: (isUp: boolean) => present(this.#azure).setIngestion(isUp),
      setStorage: (isUp: boolean) => present(this.#storage).setUp(isUp),
      killSeat: (seat: string) => control.kill(seat),
      startSeat: (seat: string) => control.startSeat(seat),
      setClockOffset: (name: string, offsetMs: number) => {
        nvas.setClockOffset(name, offsetMs);
        control.setClockOffset(name, offsetMs);
      },
    };
  }

  #regionOf(region: Topology['regions'][number]): WorldRegion {
    const [network, apps] = [present(this.#network), present(this.#apps)];
    return {
      region: region.name,
      ...apps.world(region.name),
      nvas: region.nvas.flatMap((nva) => this.#nvas?.world(nva.name) ?? []),
      routeServers: network.routeServers(region.name).map((server, i) => ({
        instance: server.instance,
        peer: region.routeServer.peers[i] ?? '',
        sessions: server.sessions(),
        routes: server.routes(),
      })),
      edge: network.edge(region.name),
    };
  }

  #routesChanged(table: readonly OnPremisesRoute[]): void {
    const best = table
      .filter((route) => route.best)
      .map((route) => `${route.prefix} via ${route.region} (path of ${route.asPath.length})`)
      .sort()
      .join(', ');
    if (best === this.#bestRoutes) return;
    this.#bestRoutes = best;
    this.#options.say(`on-premises: ${best === '' ? 'no route' : best}`);
  }

  #recorded(record: AuditRecord): void {
    if (record.Kind !== 'decision') return;
    const move = record.Before === '' && record.After === '' ? '' : `, ${record.Before} -> ${record.After}`;
    this.#options.say(`decision ${record.DecisionId}: ${record.Vip} ${record.Region} ${record.Reason}${move}`);
  }
}

/** A part that `start` has made before anybody may ask for it. */
function present<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the lab is not up yet');
  return part;
}
