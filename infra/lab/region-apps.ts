// The application processes of the lab, one per region, and what each instance of a vip is told to do.
import type { Topology } from '../../shared/topology-schema.ts';
import type { AppArguments, AppMode } from './app.ts';
import { COMPILE_CACHE, childModule, HEAP_MEGABYTES } from './child-module.ts';
import { createRestartable, type Restartable } from './restartable.ts';
import type { WorldRegion } from './world.ts';

interface RegionApp {
  readonly process: Restartable;
  readonly modes: Map<string, AppMode>;
  /** The same after every restart: the probes of the deployment name them. */
  ports: Record<string, number>;
}

export class RegionApps {
  readonly #regions = new Map<string, RegionApp>();

  constructor(topology: Topology, directory: string, say: (text: string) => void) {
    for (const { name: region } of topology.regions) {
      const vips = topology.vips.filter((vip) => vip.regions.includes(region)).map((vip) => vip.name);
      const app: RegionApp = {
        modes: new Map(vips.map((vip) => [vip, 'ok'])),
        ports: Object.fromEntries(vips.map((vip) => [vip, 0])),
        process: createRestartable({
          name: `app-${region}`,
          say,
          child: () => ({
            module: childModule('app'),
            args: [JSON.stringify({ region, ports: app.ports } satisfies AppArguments)],
            environment: { NODE_COMPILE_CACHE: COMPILE_CACHE },
            heapMegabytes: HEAP_MEGABYTES.app,
            logFolder: directory,
          }),
          onReady: ({ ready }) => {
            app.ports = ready.ports as Record<string, number>;
            for (const [vip, mode] of app.modes) if (mode !== 'ok') app.process.send({ vip, mode });
          },
          onGone: () => undefined,
        }),
      };
      this.#regions.set(region, app);
    }
  }

  async start(): Promise<void> {
    await Promise.all([...this.#regions.values()].map((app) => app.process.start()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#regions.values()].map((app) => app.process.stop()));
  }

  startRegion(region: string): Promise<void> {
    return this.#of(region).process.start();
  }

  kill(region: string): Promise<void> {
    return this.#of(region).process.kill();
  }

  setMode(region: string, vip: string, mode: AppMode): void {
    const app = this.#of(region);
    if (!app.modes.has(vip)) return;
    app.modes.set(vip, mode);
    app.process.send({ vip, mode });
  }

  /** By region, then vip. */
  ports(): Record<string, Record<string, number>> {
    return Object.fromEntries([...this.#regions].map(([region, app]) => [region, app.ports]));
  }

  pids(): (number | null)[] {
    return [...this.#regions.values()].map((app) => app.process.pid);
  }

  world(region: string): Pick<WorldRegion, 'app' | 'apps'> {
    const { process, modes, ports } = this.#of(region);
    const isDead = process.state() === 'dead';
    return {
      app: { pid: process.pid, state: process.state() },
      apps: Object.fromEntries(
        [...modes].map(([vip, mode]) => [vip, { mode: isDead ? 'crashed' : mode, port: ports[vip] ?? 0 }]),
      ),
    };
  }

  #of(region: string): RegionApp {
    const app = this.#regions.get(region);
    if (app === undefined) throw new Error(`no region ${region}`);
    return app;
  }
}
