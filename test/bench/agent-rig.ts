// What every contender is measured with: an application in a process of its own, and one BGP peer that notes the time.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Listener, listen } from '../../nva-agent/bgp/listener.ts';
import { createSession, type Session } from '../../nva-agent/bgp/session.ts';
import { freePort } from '../support/daemon.ts';
import { until } from '../support/until.ts';

export const SPEAKER_ADDRESS = '127.0.0.2';
export const SPEAKER_ASN = 65001;
export const PEER_ASN = 65515;
export const PREFIX = '192.0.2.10/32';
/** The slowest contender needs about half a minute. */
const PATIENCE_MS = 60_000;

const APP = `
  const { createServer } = require('node:http');
  createServer((_q, r) => r.end('ok')).listen(Number(process.argv[1]), '127.0.0.1', () => process.stdout.write('up'));
`;

/** An application that can be killed and frozen as in life. */
export class BenchApp {
  readonly port: number;
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(port?: number): Promise<BenchApp> {
    const app = new BenchApp(port ?? (await freePort()));
    await app.live();
    return app;
  }

  async live(): Promise<void> {
    this.#process = spawn(process.execPath, ['-e', APP, String(this.port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (this.#process.stdout !== null) await once(this.#process.stdout, 'data');
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name);
  }
}

/** The peer: a passive session in this process, so that an UPDATE's time of arrival is this process's clock. */
export class BenchPeer {
  /** Length of the path it holds, own ASN of the speaker included; 0 while it holds none. */
  pathLength = 0;
  changedMs = 0;
  readonly #listener: Listener;
  readonly #session: Session;

  private constructor(listener: Listener, session: Session) {
    this.#listener = listener;
    this.#session = session;
  }

  static async start(): Promise<BenchPeer> {
    let peer: BenchPeer | undefined;
    const session = createSession({
      peerAddress: SPEAKER_ADDRESS,
      peerAsn: SPEAKER_ASN,
      localAsn: PEER_ASN,
      routerId: '10.1.0.4',
      passive: true,
      forbiddenAsns: [],
      holdSeconds: 180,
      onEvent: (event) => {
        if (event.type === 'state' && event.previous === 'Established') peer?.note(0);
        if (event.type !== 'update') return;
        if (event.update.withdrawn.includes(PREFIX)) peer?.note(0);
        if (event.update.announced.includes(PREFIX)) peer?.note(event.update.asPath?.length ?? 0);
      },
    });
    const listener = await listen({ address: '127.0.0.1', port: 0, sessionFor: () => session });
    peer = new BenchPeer(listener, session);
    return peer;
  }

  get port(): number {
    return this.#listener.port;
  }

  note(pathLength: number): void {
    this.pathLength = pathLength;
    this.changedMs = performance.now();
  }

  async stop(): Promise<void> {
    await this.#session.stop();
    await this.#listener.close();
  }
}

/** Does something and answers after how many milliseconds the peer held such a path. */
export async function measureChange(
  peer: BenchPeer,
  act: () => unknown,
  isThere: (pathLength: number) => boolean,
): Promise<number> {
  const startedMs = performance.now();
  const acted = act();
  await until('the change at the peer', () => isThere(peer.pathLength), PATIENCE_MS, 2);
  const tookMs = peer.changedMs - startedMs;
  await acted;
  return tookMs;
}

export const waitForPath = (peer: BenchPeer, isThere: (pathLength: number) => boolean): Promise<unknown> =>
  until('the peer to hold it', () => isThere(peer.pathLength), PATIENCE_MS, 10);
