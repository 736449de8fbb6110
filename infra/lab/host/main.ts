// Command line of the in-process Functions host: one process of it, started by the lab or by hand.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from './durable-engine.ts';
import { type HostOptions, startHost } from './host.ts';
import { DEFAULT_SETTINGS, parseHostSettings } from './host-settings.ts';
import { installFunctionsCore } from './install-functions-core.ts';
import type { LogEntry } from './wire.ts';

const USAGE = `usage: main.ts --app FILE [options]
  --app FILE             entry point of the application (TypeScript or bundle)
  --port N               port of the HTTP triggers (default 7071; 0: any free one)
  --address ADDRESS      address of the HTTP triggers (default 127.0.0.1)
  --task-hub FILE        SQLite file of the task hub (default: in memory)
  --host-json FILE       the application's host.json
  --rpc-port N           port of the local RPC endpoint (default: any free one)
  --durable-rpc-url URL  another process owns the task hub: run HTTP and timer triggers only
  --functions NAMES      run these functions only, comma-separated
  --timers on|off        off: no timer trigger runs
  --stop-with-stdin      stop when stdin ends, so that the host does not outlive the process that started it
  --log-level LEVEL      least level to log: trace, debug, information (default), warning, error
environment: FUNCTIONS_HOST_KEYS (comma-separated function keys), FUNCTIONS_HOST_SYSTEM_KEY
Prints {"type":"ready","port":...,"rpcUrl":...} on stdout when it serves; logs are JSON lines on stderr.`;

const LEVELS = ['trace', 'debug', 'information', 'warning', 'error', 'critical', 'none'];

interface Arguments {
  readonly app: string;
  readonly logLevel: string;
  readonly stopWithStdin: boolean;
  readonly options: Omit<HostOptions, 'loadApp' | 'log'>;
}

/** Throws with the first problem. */
function parseArguments(args: string[], environment: NodeJS.ProcessEnv): Arguments {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ app: text, address: text, 'task-hub': text, 'host-json': text, 'durable-rpc-url': text, functions: text },
      ...{ port: { ...text, default: '7071' }, 'rpc-port': { ...text, default: '0' } },
      'stop-with-stdin': { type: 'boolean', default: false },
      ...{ timers: { ...text, default: 'on' }, 'log-level': { ...text, default: 'information' } },
    },
  });
  const { app, address, timers, functions } = values;
  if (app === undefined) throw new Error('--app is missing');
  if (timers !== 'on' && timers !== 'off') throw new Error(`--timers is on or off, not '${timers}'`);
  if (!LEVELS.includes(values['log-level'])) throw new Error(`--log-level: unknown level '${values['log-level']}'`);
  const enabled = functions?.toLowerCase().split(',');
  const systemKey = environment.FUNCTIONS_HOST_SYSTEM_KEY;
  return {
    app,
    logLevel: values['log-level'],
    stopWithStdin: values['stop-with-stdin'],
    options: {
      port: parsePort('--port', values.port),
      rpcPort: parsePort('--rpc-port', values['rpc-port']),
      timers,
      functionKeys: environment.FUNCTIONS_HOST_KEYS?.split(',').filter((key) => key !== '') ?? [],
      settings: values['host-json'] === undefined ? DEFAULT_SETTINGS : readSettings(values['host-json']),
      ...(address !== undefined && { address }),
      ...(values['task-hub'] !== undefined && { taskHubFile: values['task-hub'] }),
      ...(values['durable-rpc-url'] !== undefined && { durableRpcUrl: values['durable-rpc-url'] }),
      ...(systemKey && { systemKey }),
      ...(enabled && { functionsEnabled: (name: string) => enabled.includes(name.toLowerCase()) }),
    },
  };
}

function parsePort(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new Error(`${option}: '${text}' is not a port`);
  return port;
}

function readSettings(file: string) {
  return parseHostSettings(JSON.parse(readFileSync(file, 'utf8')));
}

function writeLog(leastLevel: string, entry: LogEntry): void {
  if (LEVELS.indexOf(entry.level) < LEVELS.indexOf(leastLevel)) return;
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

/** The DurableClient (axios) would send its calls to the local endpoint through the machine's HTTP proxy. */
function bypassProxies(environment: NodeJS.ProcessEnv): void {
  const others = environment.no_proxy ?? environment.NO_PROXY;
  environment.no_proxy = others ? `${others},127.0.0.1` : '127.0.0.1';
}

async function main(): Promise<void> {
  let parsed: Arguments;
  try {
    parsed = parseArguments(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const { app, logLevel, stopWithStdin, options } = parsed;
  bypassProxies(process.env);
  installFunctionsCore();
  const loadApp = () => import(pathToFileURL(resolve(app)).href);
  const host = await startHost({ ...options, loadApp, log: (entry) => writeLog(logLevel, entry) });
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    // Timers and sockets that the application left open must not keep the process.
    void host.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (stopWithStdin) process.stdin.on('end', stop).resume();
  process.stdout.write(`${JSON.stringify({ type: 'ready', port: host.port, rpcUrl: host.rpcUrl })}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
