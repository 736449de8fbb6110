// What the client of data-plane tests does, and what became of it. Shared by the test and the client's process.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Network, NODE } from './network.ts';

export interface LoadPlan {
  readonly address: string;
  readonly httpPort: number;
  readonly halfClosePort: number;
  readonly seconds: number;
  /** New connections per second, each a small answer in pieces. */
  readonly requestsPerSecond: number;
  readonly requestBytes: number;
  readonly requestMs: number;
  /** Connections that ask again and again. */
  readonly keepAlives: number;
  readonly downloads: number;
  readonly downloadBytes: number;
  readonly uploads: number;
  readonly uploadBytes: number;
  readonly halfCloses: number;
}

export interface Count {
  readonly done: number;
  readonly failed: number;
}

export interface LoadResult {
  readonly requests: Count;
  readonly keepAlives: Count;
  readonly downloads: Count;
  readonly uploads: Count;
  readonly halfCloses: Count;
  /** A few reasons, for people. */
  readonly reasons: readonly string[];
}

export const failuresOf = (result: LoadResult): number =>
  [result.requests, result.keepAlives, result.downloads, result.uploads, result.halfCloses].reduce(
    (sum, count) => sum + count.failed,
    0,
  );

export interface RunningLoad {
  /** Its connections are being opened. */
  readonly started: Promise<void>;
  /** All of it is over. */
  readonly result: Promise<LoadResult>;
}

/** Runs the load from a host. */
export function runLoad(network: Network, host: string, plan: LoadPlan): RunningLoad {
  const child = network.start(host, [...NODE, join(import.meta.dirname, 'load-process.ts'), JSON.stringify(plan)]);
  let output = '';
  const started = new Promise<void>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('\n')) resolve();
    });
  });
  const result = new Promise<LoadResult>((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output.slice(output.indexOf('\n'))) as LoadResult);
      else reject(new Error(`the load ended with ${code}`));
    });
  });
  result.catch(() => undefined);
  return { started, result };
}

/** One request by curl: body, response headers and status; `undefined` when it failed. */
export function curl(network: Network, host: string, url: string, ...options: string[]): string | undefined {
  const result = spawnSync(
    'nsenter',
    [`--net=/run/netns/${network.namespaceOf(host)}`, '--', 'curl', '-sSi', '--max-time', '3', ...options, url],
    { encoding: 'utf8', timeout: 20_000 },
  );
  return result.status === 0 ? result.stdout : undefined;
}
