// The application instances of one region, one per vip: answer with the region's name, or hang, or fail, as told.
// Runs as a process of its own, so that killing it is a real crash.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { endWithLab, sayReady } from './child-process.ts';

export const APP_MODES = ['ok', 'hang', 'errors', 'crashed'] as const;
export type AppMode = (typeof APP_MODES)[number];

export interface AppArguments {
  readonly region: string;
  /** By vip; 0 takes a free port. */
  readonly ports: Readonly<Record<string, number>>;
}

/** A port taken for a moment by somebody's outgoing connection is asked for again. */
const LISTEN_ATTEMPTS_MAX = 50;
const LISTEN_PAUSE_MS = 100;

class AppInstance {
  readonly #region: string;
  #mode: AppMode = 'ok';
  #port: number;
  #server: Server | undefined;

  constructor(region: string, port: number) {
    this.#region = region;
    this.#port = port;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#server = await listen(this.#port, (request, response) => this.#answer(request, response));
        break;
      } catch (error) {
        if (attempt >= LISTEN_ATTEMPTS_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, LISTEN_PAUSE_MS));
      }
    }
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  async setMode(mode: AppMode): Promise<void> {
    const wasCrashed = this.#mode === 'crashed';
    this.#mode = mode;
    if (mode === 'crashed' && !wasCrashed) this.#crash();
    if (mode !== 'crashed' && wasCrashed) await this.start();
    // A hung answer never comes, not even after the repair: its connection is ended instead.
    if (mode === 'ok') this.#server?.closeAllConnections();
  }

  #crash(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = undefined;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#mode === 'hang') return;
    const headers = { 'x-anycast-region': this.#region, 'content-type': 'text/plain' };
    if (this.#mode === 'errors') response.writeHead(503, headers).end('failing\n');
    else if (request.url === '/healthz') response.writeHead(200, headers).end('ok\n');
    else response.writeHead(200, headers).end(`hello from ${this.#region}\n`);
  }
}

function listen(port: number, handler: (q: IncomingMessage, r: ServerResponse) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    // The agent's sentinel is an idle connection: it must not be taken for a stalled request.
    const server = createServer({ headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }, handler);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

const isModeMessage = (message: unknown): message is { mode: AppMode; vip: string } =>
  APP_MODES.includes((message as { mode?: AppMode })?.mode as AppMode);

async function main(): Promise<void> {
  const { region, ports } = JSON.parse(process.argv[2] ?? '{}') as AppArguments;
  const instances = new Map(Object.entries(ports).map(([vip, port]) => [vip, new AppInstance(region, port)]));
  await Promise.all([...instances.values()].map((instance) => instance.start()));
  process.on('message', (message) => {
    if (isModeMessage(message)) void instances.get(message.vip)?.setMode(message.mode);
  });
  endWithLab(async () => undefined);
  sayReady({ ports: Object.fromEntries([...instances].map(([vip, instance]) => [vip, instance.port])) });
}

if (process.send !== undefined && import.meta.main) await main();
