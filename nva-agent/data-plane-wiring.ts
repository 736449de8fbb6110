// Keeps the data plane as the configuration wants it, tells the agent which vips it carries, and provides for living
// connections before routes move. Loads the data plane only for an NVA that carries traffic itself.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { OperatingError } from '../shared/errors.ts';
import type { Order } from '../shared/order.ts';
import type { AgentState, VipState } from './agent.ts';
import { type AskBack, askingOfStop, type Sharing, sharingOf, sharingOfStop } from './data-plane-moves.ts';
import { type DataPlaneView, viewOf } from './data-plane-view.ts';
import type { DataPlane, DataPlaneOptions, DataPlaneStatus } from './dataplane/data-plane.ts';
import type { DataPlaneConfig, DataPlaneVip } from './dataplane/plan.ts';
import type { Log } from './log.ts';
import { type Obstacle, PENDING } from './vip-start.ts';

/**
 * A move waits this long for the other NVA's confirmation, which takes milliseconds on machines that have time, and not
 * at all when the tunnel is not proved. Only planned moves wait: traffic goes on where it goes now.
 */
export const SHARE_WAIT_MS = 1000;
/** What stands is looked over this often, so that what somebody takes away is put back. */
const CHECK_MS = 30_000;
/** A failed attempt is repeated after this long, twice as long each time, up to the maximum. */
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 60_000;
/** A proxy that has died is noticed within this time. */
const PROXY_LOOK_MS = 500;
/** Figures are taken this often; while connections run out, and while only the proxy has to be asked, more often. */
const SAMPLE_MS = 30_000;
const SAMPLE_QUICK_MS = 3000;
const FRESH_MS = 1000;

export interface DataPlaneOwner {
  /** A directory of the data plane's own. */
  readonly folder: string;
  readonly log: Log;
  /** A clock that does not jump. */
  readonly nowMs: () => number;
  readonly state: () => AgentState;
  /** The vip's data plane stands (undefined), or why not. */
  readonly tell: (vip: string, obstacle: Obstacle | undefined) => void;
  /** Replaced by tests. */
  readonly create?: (options: DataPlaneOptions) => DataPlane;
}

export interface DataPlaneSettings {
  /** How long connections of a vip that is gone from the configuration keep their data plane: its route is going. */
  readonly goneMs: number;
}

export class DataPlaneWiring {
  readonly #owner: DataPlaneOwner;
  #plane: DataPlane | undefined;
  #wanted: DataPlaneConfig | undefined;
  #served = new Set<string>();
  #problem: string | undefined;
  #failures = 0;
  #applies = { changed: 0, unchanged: 0, failed: 0 };
  #work: Promise<void> = Promise.resolve();
  #isAsked = false;
  #isEnding = false;
  #next: NodeJS.Timeout | undefined;
  #proxyLook: NodeJS.Timeout | undefined;
  #sampler: NodeJS.Timeout | undefined;
  #sample: { readonly atMs: number; readonly status: DataPlaneStatus } | undefined;
  #sampling: Promise<void> | undefined;
  readonly #hurry = new AbortController();

  constructor(owner: DataPlaneOwner) {
    this.#owner = owner;
  }

  /** Brings the data plane to this configuration, at once and again until it stands. Returns before it does. */
  configure(config: DataPlaneConfig, { goneMs }: DataPlaneSettings = { goneMs: 0 }): void {
    const before = this.#wanted;
    if (before === undefined && config.vips.length === 0) {
      this.#removeLeftovers(config);
      return;
    }
    for (const { vip } of config.vips) if (!this.#served.has(vip)) this.#owner.tell(vip, PENDING);
    const gone = (before?.vips ?? []).filter((old) => !config.vips.some(({ vip }) => vip === old.vip));
    // The routes of these are being withdrawn: they are carried until the network has heard of it.
    this.#bring(gone.length === 0 ? config : { ...config, vips: [...config.vips, ...gone.map(withoutChance)] });
    if (gone.length > 0) setTimeout(() => !this.#isEnding && this.#bring(config), goneMs).unref();
    this.#watch();
  }

  /**
   * Shares connections with the NVAs that an order names. Answers the vips whose routes should wait, and calls `go`
   * once they may move: when the others have confirmed, SHARE_WAIT_MS at the latest.
   */
  share(order: Order, last: Order | undefined, go: () => void): readonly string[] {
    if (this.#plane === undefined || this.#wanted === undefined) return [];
    const { later, ready } = this.#share(sharingOf(order, last, this.#wanted));
    if (later.length > 0) void ready.then(go);
    return later;
  }

  /** A route comes back by itself and may draw traffic at once: nothing waits, but the connections are provided for. */
  shareOnReturn(vip: string): void {
    const rows = [...this.#owner.state().orders.values()].flatMap((order) => order.vips);
    const peer = rows.find((row) => row.vip === vip)?.previousOwner;
    if (peer !== undefined) this.#share([{ vip, peer }]);
  }

  /** Before a stop: whoever takes over hands packets back to us while our connections finish. Undefined: nothing to wait for. */
  shareForStop(): Promise<void> | undefined {
    if (this.#plane === undefined || this.#wanted === undefined || this.#isEnding) return undefined;
    const isDrawing = ({ vip }: { readonly vip: string }) => this.#vipState(vip)?.announced?.lastResort === false;
    const { later, ready } = this.#share(sharingOfStop(this.#wanted).filter(isDrawing));
    const asked = this.#askBack(askingOfStop(this.#wanted).filter(isDrawing));
    return later.length === 0 && asked === undefined ? undefined : Promise.all([ready, asked]).then(() => undefined);
  }

  /** Lets connections finish for at most `drainMs`, then takes away everything that is ours. Never throws. */
  async end(drainMs: number): Promise<void> {
    this.#isEnding = true;
    for (const timer of [this.#next, this.#proxyLook, this.#sampler]) clearTimeout(timer);
    const plane = this.#plane;
    if (plane === undefined || this.#wanted === undefined) return;
    await this.#work;
    const signal = AbortSignal.any([this.#hurry.signal, AbortSignal.timeout(Math.max(0, Math.round(drainMs)))]);
    try {
      const left = await Promise.all(this.#wanted.vips.map(({ vip }) => plane.drain(vip, signal)));
      const broken = left.reduce((sum, outcome) => sum + (outcome.type === 'expired' ? outcome.established : 0), 0);
      if (broken > 0) this.#owner.log.warn('connections were cut off', { connections: broken });
      await plane.remove();
      await rm(this.#owner.folder, { recursive: true, force: true });
    } catch (error) {
      // The next start finds what is left by its marks, and takes it over or away.
      this.#owner.log.error('data plane not removed', { why: messageOf(error) });
    }
    plane.close();
  }

  /** A stop that shall not wait any longer. */
  hurry(): void {
    this.#hurry.abort();
  }

  /** The newest figures; undefined while all vips are somebody else's. */
  view(): DataPlaneView | undefined {
    if (this.#wanted === undefined) return undefined;
    return viewOf({
      config: this.#wanted,
      served: this.#served,
      problem: this.#problem,
      applies: this.#applies,
      sample: this.#sample,
      vip: (name) => this.#vipState(name),
      nowMs: this.#owner.nowMs(),
    });
  }

  /** Takes figures anew unless they are fresh. */
  async refresh(): Promise<void> {
    if (this.#plane === undefined || this.#isEnding) return;
    if (this.#sample !== undefined && this.#owner.nowMs() - this.#sample.atMs < FRESH_MS) return;
    this.#sampling ??= this.#takeSample(this.#plane).finally(() => {
      this.#sampling = undefined;
    });
    await this.#sampling;
  }

  // ---------------------------------------------------------------- applying

  #vipState = (vip: string): VipState | undefined => this.#owner.state().vips.get(vip);

  /** Brings the machine to `config`; attempts never overlap, and one that is asked for meanwhile follows. */
  #bring(config: DataPlaneConfig): void {
    this.#wanted = config;
    this.#failures = 0;
    this.#ask();
  }

  #ask(): void {
    clearTimeout(this.#next);
    if (this.#isAsked || this.#isEnding) return;
    this.#isAsked = true;
    this.#work = this.#work.then(async () => {
      this.#isAsked = false;
      if (!this.#isEnding) await this.#attempt();
    });
  }

  async #attempt(): Promise<void> {
    const config = this.#wanted;
    if (config === undefined) return;
    this.#plane ??= await this.#create(config);
    const problem = await this.#apply(this.#plane, config);
    if (problem !== this.#problem) {
      if (problem === undefined) this.#owner.log.warn('data plane stands', { vips: config.vips.length });
      else this.#owner.log.error('data plane not applied', { why: problem });
    }
    this.#problem = problem;
    this.#failures = problem === undefined ? 0 : this.#failures + 1;
    const retryMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (this.#failures - 1));
    this.#next = setTimeout(() => this.#ask(), problem === undefined ? CHECK_MS : retryMs);
    this.#next.unref();
    for (const { vip } of config.vips) this.#tell(vip, problem);
  }

  async #create(config: DataPlaneConfig): Promise<DataPlane> {
    const create = this.#owner.create ?? (await import('./dataplane/data-plane.ts')).createDataPlane;
    return create({ config, folder: this.#owner.folder });
  }

  /** What is wrong afterwards, or undefined; `#served` then says which vips stand all the same. */
  async #apply(plane: DataPlane, config: DataPlaneConfig): Promise<string | undefined> {
    try {
      const changed = await plane.apply(config);
      this.#applies[changed.length === 0 ? 'unchanged' : 'changed'] += 1;
      if (changed.length > 0) this.#owner.log.info('data plane applied', { changed });
      this.#served = new Set(config.vips.map(({ vip }) => vip));
      return undefined;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#applies.failed += 1;
      try {
        this.#served = new Set(await plane.served());
      } catch (cause) {
        // Not known is not broken: what stood before is taken to stand still.
        this.#owner.log.warn('data plane cannot be read', { why: messageOf(cause) });
      }
      return error.message;
    }
  }

  #tell(vip: string, problem: string | undefined): void {
    const isServed = this.#served.has(vip);
    this.#owner.tell(
      vip,
      isServed ? undefined : { reason: 'data-plane-not-applied', detail: problem ?? 'it does not stand' },
    );
  }

  #watch(): void {
    if (this.#proxyLook !== undefined) return;
    this.#proxyLook = setInterval(() => void this.#lookAtProxy(), PROXY_LOOK_MS);
    this.#proxyLook.unref();
    const sample = () => {
      this.#sampler = setTimeout(() => void this.refresh().then(() => !this.#isEnding && sample()), this.#sampleMs());
      this.#sampler.unref();
    };
    sample();
  }

  async #lookAtProxy(): Promise<void> {
    if (this.#plane === undefined || this.#problem !== undefined || this.#isAsked || this.#isEnding) return;
    // A proxy that does not answer within its time is busy or stuck; the regular check finds out which.
    const isUp = await this.#plane.isProxyUp().catch(() => true);
    if (isUp || this.#isEnding || this.#problem !== undefined) return;
    this.#owner.log.error('the reverse proxy has died and is started again');
    this.#ask();
  }

  /** An NVA that carries nothing now may have carried something before a crash: that is still ours to take away. */
  #removeLeftovers(config: DataPlaneConfig): void {
    if (!existsSync(this.#owner.folder)) return;
    this.#work = this.#work.then(async () => {
      try {
        const plane = await this.#create(config);
        await plane.remove();
        plane.close();
        await rm(this.#owner.folder, { recursive: true, force: true });
      } catch (error) {
        this.#owner.log.error('data plane not removed', { why: messageOf(error) });
      }
    });
  }

  // ---------------------------------------------------------------- second chances and figures

  #share(wanted: readonly Sharing[]): { readonly later: readonly string[]; readonly ready: Promise<void> } {
    const chance = this.#plane?.secondChance;
    if (chance === undefined || wanted.length === 0) return { later: [], ready: Promise.resolve() };
    const asked = wanted.map(async ({ vip, peer }) => {
      const outcome = await chance.arm(vip, { peer, waitMs: SHARE_WAIT_MS });
      this.#owner.log.info('connections shared', { vip, ...outcome });
    });
    // Towards an NVA whose tunnel is silent nothing is gained by waiting: the packets would not arrive.
    const later = wanted.filter(({ peer }) => chance.isProved(peer)).map(({ vip }) => vip);
    return { later, ready: atMost(SHARE_WAIT_MS, Promise.all(asked)) };
  }

  /** Undefined: nobody to wait for. */
  #askBack(wanted: readonly AskBack[]): Promise<void> | undefined {
    const chance = this.#plane?.secondChance;
    if (chance === undefined || wanted.length === 0) return undefined;
    const asked = wanted.map(async ({ vip, peers }) => {
      const handing = await chance.askBack(vip, peers, SHARE_WAIT_MS);
      this.#owner.log.info('connections are handed back', { vip, asked: peers, by: handing });
    });
    const isAnyProved = wanted.some(({ peers }) => peers.some((peer) => chance.isProved(peer)));
    return isAnyProved ? atMost(SHARE_WAIT_MS, Promise.all(asked)) : undefined;
  }

  #sampleMs(): number {
    const vips = this.#wanted?.vips ?? [];
    const isRunningOut = vips.some(({ vip }) => this.#vipState(vip)?.announced?.lastResort !== false);
    const isCheap = vips.every(({ mode }) => mode === 'reverse-proxy');
    return isRunningOut || isCheap ? SAMPLE_QUICK_MS : SAMPLE_MS;
  }

  async #takeSample(plane: DataPlane): Promise<void> {
    try {
      this.#sample = { status: await plane.status(), atMs: this.#owner.nowMs() };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#owner.log.warn('no figures of the data plane', { why: error.message });
    }
  }
}

const withoutChance = ({ secondChance: _none, ...vip }: DataPlaneVip): DataPlaneVip => vip;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Resolves with the work, or when the time is over. */
function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const patience = setTimeout(resolve, ms);
    void work.finally(() => {
      clearTimeout(patience);
      resolve();
    });
  });
}
