// A Speaker that keeps a BGP daemon at the desired set: apply, look, and again until the daemon's own table agrees.
//
//   set --> apply --> look --agrees--> rest until the next look or set
//             ^         |differs for too long, or the daemon refused, or it is not there
//             +-backoff-+--> onTrouble
import { OperatingError } from '../../shared/errors.ts';
import { parseEndpoint } from '../../shared/ip.ts';
import type { ReportSession } from '../../shared/report.ts';
import { BGP_PORT } from '../bgp/iana.ts';
import type { Route } from '../bgp/messages.ts';
import { checkRoutes, FORBIDDEN_ASNS } from '../bgp/rib-out.ts';
import type { Speaker, SpeakerOptions } from '../speaker.ts';
import { backoffMs, differences } from './comparison.ts';
import { type DeadMan, startDeadMan } from './dead-man.ts';
import type { DaemonPeer, RouteDaemon } from './route-daemon.ts';

/** How long after a change the daemon's table may still show the old one. */
const SETTLE_MS_MAX = 3000;
const SETTLE_LOOK_MS = 100;
/** A stopping agent does not wait longer for a daemon that takes no withdrawal; the dead man goes on. */
const STOP_MS_MAX = 3000;
const TROUBLE_CHARACTERS_MAX = 500;

/** Starts to drive the daemon: nothing of ours is announced until `set`. A daemon that is not there is waited for. */
export function startDaemonSpeaker(daemon: RouteDaemon, options: SpeakerOptions): Speaker {
  const speaker = new DaemonSpeaker(daemon, options);
  void speaker.run();
  return speaker;
}

interface Neighbor {
  readonly peer: string;
  readonly address: string;
  readonly port: number;
  seen: DaemonPeer | undefined;
  sinceMs: number;
}

class DaemonSpeaker implements Speaker {
  readonly #daemon: RouteDaemon;
  readonly #options: SpeakerOptions;
  readonly #neighbors: readonly Neighbor[];
  readonly #deadMan: DeadMan;
  #desired: readonly Route[] = [];
  #revision = 0;
  #appliedRevision = -1;
  #appliedAtMs = 0;
  /** The revision that the daemon's own table was last seen to agree with. */
  #provedRevision = -1;
  readonly #repeats = new Set<string>();
  #failures = 0;
  #trouble: string | undefined;
  #isEnded = false;
  #wake: () => void = () => {};

  constructor(daemon: RouteDaemon, options: SpeakerOptions) {
    this.#daemon = daemon;
    this.#options = options;
    this.#neighbors = options.peers.map((peer) => {
      const endpoint = parseEndpoint(peer, BGP_PORT);
      if (endpoint === undefined) throw new RangeError(`${peer} is no address or address:port`);
      return { peer, ...endpoint, seen: undefined, sinceMs: options.nowMs() };
    });
    this.#deadMan = startDeadMan(daemon.lastWill, (reason) => options.onTrouble?.(reason));
  }

  set(routes: readonly Route[]): void {
    const { localAsn, peerRouteLimit } = this.#options;
    const problems = checkRoutes(routes, { localAsn, peerRouteLimit, forbiddenAsns: FORBIDDEN_ASNS });
    if (problems.length > 0) throw new Error(`the desired set is refused: ${problems.join('; ')}`);
    this.#desired = routes;
    this.#revision += 1;
    this.#wake();
  }

  resend(prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#repeats.add(prefix);
    this.#wake();
  }

  sessions(): ReportSession[] {
    const { localAsn } = this.#options;
    return this.#neighbors.map(({ peer, seen, sinceMs }) => ({
      peer,
      state: seen?.state ?? 'Idle',
      sinceMs: Math.round(sinceMs),
      holdSeconds: seen?.holdSeconds ?? null,
      routes: (seen?.routes ?? []).map(({ prefix, asPath, communities, med }) => ({
        prefix,
        asPath: [localAsn, ...asPath],
        ...(communities === undefined ? {} : { communities: [...communities] }),
        med,
      })),
    }));
  }

  trouble(): string | undefined {
    return this.#trouble;
  }

  /** Withdraws; the sessions are the daemon's and stay. Without success the dead man goes on trying. */
  async stop(): Promise<void> {
    this.set([]);
    const endMs = performance.now() + STOP_MS_MAX;
    while (this.#provedRevision !== this.#revision && performance.now() < endMs) await pause(SETTLE_LOOK_MS / 4);
    this.#isEnded = true;
    this.#wake();
    if (this.#provedRevision === this.#revision) await this.#deadMan.release();
    else this.#deadMan.abandon();
  }

  /** Ends with `stop`. An error that is no OperatingError is a mistake of ours and ends the process. */
  async run(): Promise<void> {
    while (!this.#isEnded) {
      const revision = this.#revision;
      const problems = [
        ...(await this.#problemOf(() => this.#apply())),
        ...(await this.#problemOf(() => this.#look())),
      ];
      // What was wanted meanwhile goes out at once, whatever became of this.
      if (revision === this.#revision) await this.#rest(this.#weigh(revision, problems));
    }
  }

  /** What the attempt found wrong; an OperatingError is one of those things. */
  async #problemOf(attempt: () => Promise<readonly string[]>): Promise<readonly string[]> {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return [error.message];
    }
  }

  /** Brings the daemon to the desired set where it is not known to be there. Throws OperatingError. */
  async #apply(): Promise<readonly string[]> {
    const [routes, revision] = [this.#desired, this.#revision];
    const isRepair = this.#failures > 0 || this.#appliedRevision < 0;
    if (this.#appliedRevision !== revision || isRepair) {
      this.#deadMan.note(this.#daemon.prefixesAtRisk(routes).join(' '));
      await this.#daemon.apply(routes, isRepair);
      this.#appliedRevision = revision;
      this.#appliedAtMs = performance.now();
    }
    if (this.#repeats.size > 0) {
      this.#repeats.clear();
      for (const { address, seen } of this.#neighbors) {
        if (seen?.state === 'Established') await this.#daemon.repeat(address);
      }
    }
    return [];
  }

  /** Judges a round and answers how long to rest after it. */
  #weigh(revision: number, problems: readonly string[]): number {
    const trouble = problems.length === 0 ? undefined : problems.join('; ').slice(0, TROUBLE_CHARACTERS_MAX);
    const isSettling = this.#appliedRevision === revision && performance.now() - this.#appliedAtMs < SETTLE_MS_MAX;
    // The daemon's table may take a moment to show a change that it took.
    if (trouble !== undefined && this.#failures === 0 && isSettling) return SETTLE_LOOK_MS;
    if (trouble !== this.#trouble) this.#options.onTrouble?.(trouble);
    this.#trouble = trouble;
    this.#failures = trouble === undefined ? 0 : this.#failures + 1;
    if (trouble !== undefined) return backoffMs(this.#failures);
    this.#provedRevision = revision;
    return this.#daemon.lookMs;
  }

  /**
   * Takes the daemon's word for sessions and routes; answers what differs from the desired set. A daemon that does not
   * answer has no session that anybody knows of. Throws OperatingError.
   */
  async #look(): Promise<string[]> {
    const addresses = [...new Set(this.#neighbors.map(({ address }) => address))];
    let peers: readonly DaemonPeer[] = [];
    try {
      peers = await this.#daemon.look(addresses);
    } finally {
      for (const neighbor of this.#neighbors) {
        const found = peers.find(({ address, port }) => address === neighbor.address && port === neighbor.port);
        this.#hear(neighbor, found);
      }
    }
    return this.#neighbors.flatMap(({ peer, seen }) => {
      if (seen === undefined) return [`${this.#daemon.name} has no session with ${peer}`];
      return seen.state === 'Established' ? differences(this.#desired, seen) : [];
    });
  }

  #hear(neighbor: Neighbor, found: DaemonPeer | undefined): void {
    const previous = neighbor.seen?.state ?? 'Idle';
    const state = found?.state ?? 'Idle';
    neighbor.seen = found;
    if (state === previous) return;
    neighbor.sinceMs = this.#options.nowMs();
    this.#options.onEvent(neighbor.peer, { type: 'state', state, previous });
  }

  async #rest(waitMs: number): Promise<void> {
    if (this.#isEnded) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
