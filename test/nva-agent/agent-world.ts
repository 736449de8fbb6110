// What an agent needs around it on loopback: certificate, keys, an application, two passive BGP peers, a seat, a token source.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Listener, listen } from '../../nva-agent/bgp/listener.ts';
import type { UpdateMessage } from '../../nva-agent/bgp/messages.ts';
import { createSession, type Session, type SessionEvent } from '../../nva-agent/bgp/session.ts';
import type { Order } from '../../shared/order.ts';
import { type OrderSigningKey, signOrder } from '../../shared/order-signature.ts';
import { contoso } from '../support/topology.ts';
import { makeOrder } from './order-draft.ts';

/** Polls until the condition holds; fails with what was awaited. */
export async function until(what: string, isTrue: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface TlsFixture {
  readonly cert: string;
  readonly key: string;
}

/** A self-signed certificate for 127.0.0.1 in this folder. */
export function makeCertificate(folder: string): TlsFixture {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=agent', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}

export interface KeyFixture {
  readonly signing: OrderSigningKey;
  readonly public: { readonly kid: string; readonly jwk: Record<string, unknown> };
}

export function makeOrderKey(kid: string): KeyFixture {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    signing: { kid, privateJwk: pair.privateKey.export({ format: 'jwk' }) as OrderSigningKey['privateJwk'] },
    public: { kid, jwk: pair.publicKey.export({ format: 'jwk' }) as Record<string, unknown> },
  };
}

/** An HTTP application whose behaviour a test turns. */
export class TestApp {
  mode: 'ok' | 'errors' | 'hang' | 'alternate' = 'ok';
  requests = 0;
  readonly #server: Server = createServer((_request, response) => {
    this.requests += 1;
    if (this.mode === 'hang') return;
    const isBad = this.mode === 'errors' || (this.mode === 'alternate' && this.requests % 2 === 0);
    response.writeHead(isBad ? 500 : 200, { 'x-anycast-region': 'westeurope' });
    response.end('healthy');
  });
  port = 0;

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** As if killed: no port, and every connection reset. */
  async crash(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** One Route Server instance: a passive peer that remembers every UPDATE with the time it came. */
export class TestPeer {
  readonly updates: { readonly atMs: number; readonly update: UpdateMessage }[] = [];
  readonly events: SessionEvent[] = [];
  readonly held = new Map<string, { readonly prepend: number }>();
  #session: Session | undefined;
  #listener: Listener | undefined;
  port = 0;

  async start(agentAsn: number, routerId: string): Promise<this> {
    this.#session = createSession({
      peerAddress: '127.0.0.1',
      peerAsn: agentAsn,
      localAsn: 65515,
      routerId,
      passive: true,
      forbiddenAsns: [],
      onEvent: (event) => this.#heard(event),
    });
    const session = this.#session;
    this.#listener = await listen({ address: '127.0.0.1', port: this.port, sessionFor: () => session });
    this.port = this.#listener.port;
    return this;
  }

  #heard(event: SessionEvent): void {
    this.events.push(event);
    if (event.type === 'state' && event.previous === 'Established') this.held.clear();
    if (event.type !== 'update') return;
    this.updates.push({ atMs: performance.now(), update: event.update });
    for (const prefix of event.update.withdrawn) this.held.delete(prefix);
    for (const prefix of event.update.announced)
      this.held.set(prefix, { prepend: (event.update.asPath?.length ?? 0) - 1 });
  }

  prepend(prefix: string): number | undefined {
    return this.held.get(prefix)?.prepend;
  }

  get isEstablished(): boolean {
    return this.#session?.state() === 'Established';
  }

  async stop(): Promise<void> {
    await this.#session?.stop();
    await this.#listener?.close();
  }
}

/** A seat and the metadata service in one: hands out tokens, takes reports, answers with what a test says. */
export class TestSeat {
  readonly reports: { readonly authorization: string | undefined; readonly path: string; readonly report: Report }[] =
    [];
  tokens = 0;
  /** Order to hand out with the next answer. */
  order: string | undefined;
  status = 200;
  isSlow = false;
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));
  port = 0;

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async #answer(request: IncomingMessage, response: import('node:http').ServerResponse): Promise<void> {
    if (request.url?.startsWith('/token') === true) {
      this.tokens += 1;
      const isRight = request.headers.metadata === 'true';
      response
        .writeHead(isRight ? 200 : 400)
        .end(JSON.stringify({ access_token: `token-${this.tokens}`, expires_in: '3600' }));
      return;
    }
    let body = '';
    for await (const chunk of request) body += chunk;
    this.reports.push({
      authorization: request.headers.authorization,
      path: request.url ?? '',
      report: JSON.parse(body),
    });
    if (this.isSlow) return;
    const order = this.order;
    this.order = undefined;
    response
      .writeHead(this.status)
      .end(JSON.stringify(order === undefined ? { accepted: true } : { accepted: true, order }));
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

type Report = import('../../shared/report.ts').Report;

/** A TCP server that accepts and says nothing, or a port on which nobody listens any more. */
export async function openTcp(
  onConnection: (socket: Socket) => void,
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: TcpServer = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A port nobody listens on. */
export async function closedPort(): Promise<number> {
  const { port, close } = await openTcp(() => {});
  await close();
  return port;
}

export interface AgentWorld {
  readonly folder: string;
  readonly configFile: string;
  readonly app: TestApp;
  readonly peers: readonly [TestPeer, TestPeer];
  readonly seat: TestSeat;
  readonly key: KeyFixture;
  readonly tls: TlsFixture;
  /** Writes topology and agent.yaml again, bent as wanted. */
  // biome-ignore lint/suspicious/noExplicitAny: tests bend the object on purpose.
  write(bendTopology?: (topology: any) => void, bendAgent?: (agent: any) => void): void;
  order(change?: Partial<Order>, row?: Partial<Order['vips'][number]>): Promise<string>;
  stop(): Promise<void>;
}

/** Region westeurope of contoso, on loopback: one vip, headroom 4, step 3. */
export async function createAgentWorld(): Promise<AgentWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'anycast-agent-'));
  const tls = makeCertificate(folder);
  const key = makeOrderKey('test-1');
  const app = await new TestApp().start();
  const peers = [await new TestPeer().start(65001, '10.1.0.4'), await new TestPeer().start(65001, '10.1.0.5')] as const;
  const seat = await new TestSeat().start();
  const configFile = join(folder, 'agent.yaml');
  const write: AgentWorld['write'] = (bendTopology = () => {}, bendAgent = () => {}) => {
    const topology = contoso();
    topology.regions[0].routeServer.peers = peers.map((peer) => `127.0.0.1:${peer.port}`);
    topology.regions[0].apps.orders = `127.0.0.1:${app.port}`;
    topology.vips = [topology.vips[0]];
    topology.regions[0].apps = { orders: topology.regions[0].apps.orders };
    topology.regions[1].apps = { orders: topology.regions[1].apps.orders };
    // Nothing of this machine's own network is touched: who carries the vip is the data-plane tests' matter.
    topology.vips[0].dataPlane = { mode: 'none' };
    topology.vips[0].health = { ...topology.vips[0].health, intervalMs: 200, timeoutMs: 150 };
    topology.seats = [{ ...topology.seats[0], url: seat.url, orderKeys: [key.public] }];
    topology.timing = { ...topology.timing, reportSeconds: 0.2, routeChangeSeconds: 0 };
    bendTopology(topology);
    writeFileSync(join(folder, 'anycast.yaml'), stringify(topology));
    const agent = {
      nva: 'we-nva-1',
      topology: 'anycast.yaml',
      stateDirectory: 'state',
      listen: '127.0.0.1:0',
      tls: { cert: tls.cert, key: tls.key },
      identity: { endpoint: `${seat.url}/token` },
      log: { level: 'silent' },
      stop: { lastResortSeconds: 0.05, withdrawSeconds: 0.05 },
    };
    bendAgent(agent);
    writeFileSync(configFile, stringify(agent));
  };
  write();
  return {
    folder,
    configFile,
    app,
    peers,
    seat,
    key,
    tls,
    write,
    order: (change, row) => signOrder(makeOrder(change, row), key.signing),
    stop: async () => {
      await app.crash().catch(() => undefined);
      await Promise.all([...peers.map((peer) => peer.stop()), seat.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  readonly json: any;
}

/** One request to the agent's HTTPS, its certificate not checked. */
export function ask(
  port: number,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path,
      headers,
      rejectUnauthorized: false,
      agent: false as const,
    };
    const asking = httpsRequest(options, (answer) => collect(answer, resolve));
    asking.on('error', reject);
    asking.end(body);
  });
}

/** One request to the agent's unix socket. */
export function askSocket(socketPath: string, method: string, path: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({ socketPath, method, path, agent: false }, (answer) => collect(answer, resolve));
    asking.on('error', reject);
    asking.end(body);
  });
}

function collect(answer: IncomingMessage, resolve: (answer: Answer) => void): void {
  let text = '';
  answer.setEncoding('utf8');
  answer.on('data', (chunk: string) => {
    text += chunk;
  });
  answer.on('end', () => {
    const type = String(answer.headers['content-type'] ?? '');
    resolve({ status: answer.statusCode ?? 0, type, text, json: type.includes('json') ? JSON.parse(text) : undefined });
  });
}
