// One seat as it is deployed: the built bundle on the in-process host in a process of its own, Azurite and Entra beside it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundleBytes } from '../../infra/bundle.ts';
import { startAzure } from '../../infra/lab/azure/azure.ts';
import { createAuthority } from '../../infra/lab/azure/certificates.ts';
import { startAzurite } from '../support/azurite.ts';
import { testTopology } from '../support/plane.ts';

const BUILT = 'dist/functions';
const BUNDLE = `${BUILT}/app.mjs`;
const REPORTER = 'agent';
const KID = 'k1';
/** Nobody listens there: orders are fetched with reports, so what is measured is the seat alone. */
const NO_AGENT = 'https://127.0.0.1:1';
const QUIET = '--disable-warning=ExperimentalWarning';

/** Loads the bundle as the worker does and prints how long that took, in ms. */
const LOAD_SCRIPT = `
  import { installFunctionsCore } from './infra/lab/host/install-functions-core.ts';
  installFunctionsCore();
  const startMs = performance.now();
  await import(process.cwd() + '/${BUNDLE}');
  process.stdout.write(String(performance.now() - startMs), () => process.exit(0));
`;

export interface ControlRig {
  readonly topology: ReturnType<typeof testTopology>;
  readonly bundleBytes: number;
  /** From the start of the seat's process until it serves. */
  readonly readyMs: number;
  readonly origin: string;
  /** Of an agent. */
  readonly token: string;
  readonly orderKeys: readonly { readonly kid: string; readonly jwk: Record<string, unknown> }[];
  /** Time to load the bundle in a process of its own, ms. */
  loadBundle(): number;
  residentMegabytes(): number;
  stop(): Promise<void>;
}

/** Builds the bundle and starts the seat. Timers are off: what runs is what reports set off. */
export async function startControlRig(): Promise<ControlRig> {
  execFileSync(process.execPath, [QUIET, 'infra/build.ts'], { stdio: ['ignore', 'ignore', 'inherit'] });
  process.env.no_proxy = '127.0.0.1';
  const directory = mkdtempSync(join(tmpdir(), 'bench-control-'));
  const closing: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const { environment, ...facts } = await startSurroundings(directory, closing);
    const startMs = performance.now();
    const { child, port } = await startSeat(environment);
    closing.push(() => end(child));
    return {
      ...facts,
      bundleBytes: bundleBytes(BUILT),
      readyMs: performance.now() - startMs,
      origin: `http://127.0.0.1:${port}`,
      loadBundle: () =>
        Number(execFileSync(process.execPath, [QUIET, '--input-type=module', '-e', LOAD_SCRIPT], { env: environment })),
      residentMegabytes: () =>
        Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Storage, identities and files of the seat; what must be ended is added to `closing`. */
async function startSurroundings(directory: string, closing: (() => unknown)[]) {
  const authority = await createAuthority();
  const azurite = await startAzurite();
  closing.push(() => azurite.stop());
  const principals = [
    { name: 'func', roles: [] },
    { name: REPORTER, roles: ['Agent.Report'] as const },
  ];
  const azure = await startAzure({ authority, principals, learned: () => undefined, circuit: () => undefined });
  closing.push(() => azure.stop());
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = pair.publicKey.export({ format: 'jwk' }) as Record<string, unknown>;
  const topology = testTopology((draft) => {
    draft.seats = [{ ...draft.seats[0], orderKeys: [{ kid: KID, jwk }] }];
    for (const nva of draft.regions.flatMap((region: { nvas: object[] }) => region.nvas)) nva.agent = NO_AGENT;
  });
  const files = { topology: join(directory, 'anycast.yaml'), ca: join(directory, 'ca.pem') };
  writeFileSync(files.topology, JSON.stringify(topology));
  writeFileSync(files.ca, authority.ca);
  const [seat] = topology.seats;
  const environment = {
    ...process.env,
    ...azure.environmentOf('func'),
    ANYCAST_TOPOLOGY: files.topology,
    ANYCAST_SEAT: seat?.name,
    ANYCAST_ORDER_KEY: JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: KID }),
    ANYCAST_AGENT_CA: files.ca,
    ANYCAST_STORAGE: azurite.connectionString,
    ANYCAST_ROUTES: 'off',
    NODE_EXTRA_CA_CERTS: files.ca,
  };
  const token = await azure.token(REPORTER, { audience: seat?.audience ?? '', lifetimeSeconds: 3600 });
  return { environment, topology, token, orderKeys: [{ kid: KID, jwk }] };
}

async function startSeat(env: NodeJS.ProcessEnv): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const options = ['--app', BUNDLE, '--port', '0', '--timers', 'off', '--host-json', 'host.json'];
  const args = [QUIET, 'infra/lab/host/main.ts', ...options, '--log-level', 'error', '--stop-with-stdin'];
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the seat ended with ${code} before it served`)));
  });
  return { child, port: (JSON.parse(line) as { port: number }).port };
}

async function end(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null || !child.kill('SIGKILL')) return;
  await gone;
}
