// Processes that may die or freeze, and the wires between them: slow, lossy, cut in one direction or both.
import type { Random } from '../../infra/lab/seeded-random.ts';
import type { Timeline } from './timeline.ts';

/** Something that runs on a machine of its own. What it waits for is lost when it dies and late when it freezes. */
export class Process {
  readonly name: string;
  isUp = true;
  isFrozen = false;
  /** Counts its starts: what an earlier life waited for never arrives. */
  boot = 1;
  /** Names this life; made once, for every report carries it. */
  life: string;
  #parked: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
    this.life = `${name}#1`;
  }

  get isRunning(): boolean {
    return this.isUp && !this.isFrozen;
  }

  /** Runs it now, at the thaw, or never. */
  resume(boot: number, run: () => void): void {
    if (!this.isUp || boot !== this.boot) return;
    if (this.isFrozen) this.#parked.push(() => this.resume(boot, run));
    else run();
  }

  kill(): void {
    this.isUp = false;
    this.isFrozen = false;
    this.#parked = [];
  }

  start(): void {
    this.isUp = true;
    this.boot += 1;
    this.life = `${this.name}#${this.boot}`;
  }

  freeze(): void {
    if (this.isUp) this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    for (const run of this.#parked.splice(0)) run();
  }
}

/** How the network behaves; a fault may change it for a while. */
export interface Weather {
  readonly delayMs: readonly [number, number];
  /** One direction of one exchange is lost for good. */
  readonly loss: number;
  /** A request arrives a second time, up to `echoMs` later. */
  readonly echo: number;
  readonly echoMs: number;
}

export const FAIR: Weather = { delayMs: [1, 12], loss: 0, echo: 0, echoMs: 0 };

export type Reply<T> =
  | { readonly type: 'answered'; readonly value: T }
  | { readonly type: 'failed'; readonly why: 'refused' | 'timeout' };

export class Wires {
  weather: Weather = FAIR;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #cuts = new Map<string, number>();
  #cutCount = 0;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  setWeather(weather: Weather): void {
    this.weather = weather;
  }

  cut(from: string, to: string): void {
    const key = `${from}>${to}`;
    this.#cutCount += 1;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
  }

  mend(from: string, to: string): void {
    const key = `${from}>${to}`;
    this.#cutCount -= 1;
    this.#cuts.set(key, (this.#cuts.get(key) ?? 0) - 1);
  }

  isOpen(from: string, to: string): boolean {
    return this.#cutCount === 0 || (this.#cuts.get(`${from}>${to}`) ?? 0) === 0;
  }

  /** Both ways are open and nothing gets lost: nobody would notice a shortcut. */
  isFair(from: string, to: string): boolean {
    return this.weather === FAIR && this.isOpen(from, to) && this.isOpen(to, from);
  }

  /**
   * One request and its answer. A cut wire or a lost message shows as a timeout, a dead process as a refusal; a frozen
   * one gets the request at its thaw, whoever still waits for the answer.
   */
  request<T>(from: Process, to: Process, timeoutMs: number, handle: () => Promise<T> | T): Promise<Reply<T>> {
    const { boot } = from;
    return new Promise((resolve) => {
      let isOver = false;
      const end = (reply: Reply<T>) => {
        if (isOver) return;
        isOver = true;
        from.resume(boot, () => {
          this.#timeline.stir();
          resolve(reply);
        });
      };
      this.#timeline.after(timeoutMs, () => end({ type: 'failed', why: 'timeout' }));
      const answer = (value: T) => {
        if (isOver || !this.#passes(to.name, from.name)) return;
        this.#timeline.after(this.#delay(), () => end({ type: 'answered', value }));
      };
      const arrive = () => {
        if (!to.isUp) {
          end({ type: 'failed', why: 'refused' });
          return;
        }
        to.resume(to.boot, () => {
          this.#timeline.stir();
          void Promise.resolve(handle()).then(answer);
        });
      };
      if (!this.#passes(from.name, to.name)) return;
      this.#timeline.after(this.#delay(), arrive);
      if (this.weather.echo > 0 && this.#random.chance(this.weather.echo)) {
        this.#timeline.after(this.#random.between(1, this.weather.echoMs), arrive);
      }
    });
  }

  #passes(from: string, to: string): boolean {
    return this.isOpen(from, to) && !(this.weather.loss > 0 && this.#random.chance(this.weather.loss));
  }

  #delay(): number {
    const [min, max] = this.weather.delayMs;
    return this.#random.between(min, max);
  }
}
