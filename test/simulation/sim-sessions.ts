// The BGP sessions of one NVA with its Route Server, as far as time and loss go.
import type { Random } from '../../infra/lab/seeded-random.ts';
import type { Network, RouteChange } from './network.ts';
import type { Timeline } from './timeline.ts';
import type { Process } from './wires.ts';

export interface SimSession {
  readonly peer: string;
  /** As the NVA sees it. */
  isUp: boolean;
  sinceMs: number;
  /** Route Server refuses it until then, for maintenance. */
  isRefused: boolean;
  /** Counts connections: what was meant for an earlier one does not reach this one. */
  connection: number;
  routes: Map<string, readonly number[]>;
}

export interface SessionsOwner {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly network: Network;
  /** Hold time negotiated with Route Server. */
  readonly holdMs: number;
  readonly process: Process;
  readonly region: string;
  readonly peers: readonly string[];
  /** What the NVA wants on the wire now. */
  readonly wanted: () => ReadonlyMap<string, readonly number[]>;
  /** A session came or went, as the NVA sees it. */
  readonly onSession: (peer: string) => void;
  readonly onState: () => void;
}

export const UPDATE_MS = 4;

export class SimSessions {
  readonly all: readonly SimSession[];
  /** Counts changes of sessions and of what they were told. */
  changes = 0;
  readonly #owner: SessionsOwner;
  /** Counts thaws: KEEPALIVEs flow again, and what the hold timer began to count is over. */
  #thaws = 0;

  constructor(owner: SessionsOwner) {
    this.#owner = owner;
    this.all = owner.peers.map((peer) => ({
      ...{ peer, isUp: false, sinceMs: owner.timeline.nowMs, isRefused: false, connection: 0, routes: new Map() },
    }));
  }

  boot(): void {
    for (const session of this.all) this.#connect(session, this.#owner.random.between(200, 2000));
  }

  /** A new connection from the same address ends the old one (RFC 4271 6.8). */
  restart(): void {
    for (const session of this.all) {
      this.#owner.network.drop(this.#owner.region, session.peer, this.#owner.process.name);
      session.isUp = false;
      session.routes = new Map();
    }
  }

  /** The kernel closes the connections of a process that died. */
  closed(): void {
    for (const session of this.all) this.#endAtServer(session, UPDATE_MS);
  }

  thawed(): void {
    this.#thaws += 1;
  }

  setRefused(peer: string, isRefused: boolean): void {
    const session = this.all.find((one) => one.peer === peer);
    if (session === undefined) return;
    session.isRefused = isRefused;
    if (isRefused) this.#lose(session);
  }

  advertise(wanted: ReadonlyMap<string, readonly number[]>): void {
    for (const session of this.all) if (session.isUp) this.#tell(session, wanted);
  }

  resend(prefixes: readonly string[]): void {
    for (const session of this.all) if (session.isUp) this.#resend(session, prefixes);
  }

  #tell(session: SimSession, wanted: ReadonlyMap<string, readonly number[]>): void {
    const changes: RouteChange[] = [];
    for (const prefix of session.routes.keys()) if (!wanted.has(prefix)) changes.push({ prefix, asPath: null });
    for (const [prefix, asPath] of wanted) {
      if (session.routes.get(prefix)?.join() !== asPath.join()) changes.push({ prefix, asPath });
    }
    session.routes = new Map(wanted);
    this.changes += 1;
    this.#update(session, changes);
  }

  #resend(session: SimSession, prefixes: readonly string[]): void {
    this.#update(
      session,
      prefixes.flatMap((prefix) => {
        const asPath = session.routes.get(prefix);
        return asPath === undefined ? [] : [{ prefix, asPath }];
      }),
    );
  }

  /** TCP keeps the order, so every UPDATE takes equally long. */
  #update(session: SimSession, changes: readonly RouteChange[]): void {
    if (changes.length === 0) return;
    const { connection } = session;
    this.#owner.timeline.after(UPDATE_MS, () => {
      if (session.connection === connection)
        this.#owner.network.update(this.#owner.region, session.peer, this.#owner.process.name, changes);
    });
  }

  #connect(session: SimSession, delayMs: number): void {
    const { process } = this.#owner;
    const { boot } = process;
    this.#owner.timeline.after(delayMs, () =>
      process.resume(boot, () => {
        if (session.isUp) return;
        if (session.isRefused) {
          this.#connect(session, 2000);
          return;
        }
        session.isUp = true;
        this.changes += 1;
        session.sinceMs = this.#owner.timeline.nowMs;
        session.connection += 1;
        session.routes = new Map();
        this.#owner.onSession(session.peer);
        this.#tell(session, this.#owner.wanted());
        this.#owner.onState();
      }),
    );
  }

  /** Route Server ended the session, and the NVA hears of it. */
  #lose(session: SimSession): void {
    if (!session.isUp) return;
    this.#endAtServer(session, 0);
    const { process } = this.#owner;
    const { boot } = process;
    this.#owner.timeline.after(UPDATE_MS, () => process.resume(boot, () => this.#noteLoss(session)));
  }

  #noteLoss(session: SimSession): void {
    if (!session.isUp) return;
    session.isUp = false;
    this.changes += 1;
    session.sinceMs = this.#owner.timeline.nowMs;
    session.routes = new Map();
    this.#owner.onSession(session.peer);
    this.#connect(session, this.#owner.random.between(500, 4000));
    this.#owner.onState();
  }

  #endAtServer(session: SimSession, delayMs: number): void {
    session.connection += 1;
    this.#owner.timeline.after(delayMs, () =>
      this.#owner.network.drop(this.#owner.region, session.peer, this.#owner.process.name),
    );
  }

  /** Nobody sends KEEPALIVEs any more: each instance gives up a hold time after the last one. */
  holdTimers(): void {
    const { timeline, random, holdMs, process } = this.#owner;
    const { boot } = process;
    const thaws = this.#thaws;
    for (const session of this.all) {
      if (!session.isUp) continue;
      const { connection } = session;
      timeline.after(holdMs - random.between(0, Math.floor(holdMs / 3)), () => {
        if (session.connection !== connection || this.#thaws !== thaws || process.isRunning) return;
        this.#endAtServer(session, 0);
        process.resume(boot, () => this.#noteLoss(session));
      });
    }
  }
}
