// A child process that is meant to run: started, killed by a fault, started again, and started again by itself when it
// dies without being told to, as a service manager would.
import { type Child, type ChildOptions, type ChildState, startChild } from './child.ts';

/** Pause before a process that died by itself is started again. */
const RESTART_PAUSE_MS = 1000;
/** A process that dies at every start is given up after this many in a row. */
const RESTARTS_MAX = 10;

export interface Restartable {
  readonly name: string;
  readonly pid: number | null;
  state(): ChildState;
  start(): Promise<void>;
  /** SIGKILL, and stays down until `start`. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
  send(message: object): void;
}

export interface RestartableOptions {
  readonly name: string;
  /** Asked at every start, because ports and arguments may have become known since. */
  readonly child: () => Omit<ChildOptions, 'name' | 'onExit'>;
  /** Called after each start with what the child said, before `start` resolves. */
  readonly onReady: (child: Child) => void;
  /** Called whenever it is gone, wanted or not. */
  readonly onGone: () => void;
  /** A line for people: it died, it could not be started. */
  readonly say: (text: string) => void;
}

/** Not started yet. */
export function createRestartable(options: RestartableOptions): Restartable {
  return new RestartableChild(options);
}

class RestartableChild implements Restartable {
  readonly #options: RestartableOptions;
  #child: Child | undefined;
  #starting: Promise<void> | undefined;
  #isWanted = false;
  #restarts = 0;
  #pause: NodeJS.Timeout | undefined;

  constructor(options: RestartableOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  state(): ChildState {
    if (this.#child !== undefined) return this.#child.state();
    return this.#starting === undefined ? 'dead' : 'starting';
  }

  async start(): Promise<void> {
    this.#isWanted = true;
    if (this.#child !== undefined) return;
    this.#starting ??= this.#startChild().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async kill(): Promise<void> {
    await this.#end((child) => child.kill());
  }

  async stop(): Promise<void> {
    await this.#end((child) => child.stop());
  }

  freeze(): void {
    this.#child?.freeze();
  }

  thaw(): void {
    this.#child?.thaw();
  }

  send(message: object): void {
    this.#child?.send(message);
  }

  async #startChild(): Promise<void> {
    const { name, child, onReady } = this.#options;
    const started = await startChild({ ...child(), name, onExit: (how) => this.#died(how) });
    this.#child = started;
    onReady(started);
  }

  async #end(how: (child: Child) => Promise<void>): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#pause);
    await this.#starting?.catch(() => undefined);
    const child = this.#child;
    if (child === undefined) return;
    await how(child);
    this.#gone();
  }

  #gone(): void {
    this.#child = undefined;
    this.#options.onGone();
  }

  #died(how: string): void {
    this.#gone();
    if (!this.#isWanted) return;
    this.#restarts += 1;
    const { name, say } = this.#options;
    if (this.#restarts > RESTARTS_MAX) {
      say(`${name} ended (${how}) and is given up after ${RESTARTS_MAX} restarts`);
      return;
    }
    say(`${name} ended (${how}); starting it again`);
    this.#pause = setTimeout(() => {
      this.start().catch((error: unknown) => {
        say(`${name} could not be started again: ${error instanceof Error ? error.message : String(error)}`);
      });
    }, RESTART_PAUSE_MS);
  }
}
