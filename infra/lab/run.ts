// Reads the command line, runs the lab until Ctrl-C or the end of the demo, and leaves nothing behind.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatFindings } from '../../shared/result.ts';
import { parseTopology } from '../../shared/topology.ts';
import type { Topology } from '../../shared/topology-schema.ts';
import { type LabArguments, parseLabArguments, USAGE } from './arguments.ts';
import { runDemo } from './demo.ts';
import { type Lab, startLab } from './lab.ts';
import { openScreen, type Screen } from './screen.ts';
import { secondsText } from './view.ts';

/** 0 done (Ctrl-C is how the lab ends), 1 failed, 2 bad input or a port that is taken, 130 a demo interrupted. */
const EXIT = { failed: 1, badInput: 2, interrupted: 130 } as const;
const STEADY_MS = 60_000;
const LAB_TOPOLOGY = fileURLToPath(new URL('./lab.yaml', import.meta.url));
const RUNS = fileURLToPath(new URL('../../.lab', import.meta.url));

/** The whole command; the answer is the exit code. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const parsed = parseLabArguments(args);
  if (!parsed.ok) return refuse(`${formatFindings(parsed.error)}\n${USAGE}`);
  const options = parsed.value;
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const file = options.topology ?? LAB_TOPOLOGY;
  const topology = readTopology(file);
  if (typeof topology === 'string') return refuse(topology);
  if (options.seats > topology.seats.length) {
    return refuse(`--seats ${options.seats}: ${file} names ${topology.seats.length}`);
  }
  return run(options, topology);
}

/** Runs the lab with this topology; the answer is the exit code. */
async function run(options: LabArguments, topology: Topology): Promise<number> {
  // A closed terminal ends the lab (SIGHUP); what it still says then has nowhere to go.
  process.stdout.on('error', () => undefined);
  const screen = openScreen(process.stdout, options.demo);
  const interrupted = new Promise<'interrupted'>((resolve) => {
    // `on`, not `once`: the live screen's cursor guard ends a process whose own listener is gone.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('interrupted'));
  });
  screen.say(`starting ${topology.name}: ${topology.regions.map((region) => region.name).join(', ')}`);
  let lab: Lab | undefined;
  try {
    const starting = startLab({
      topology,
      folder: RUNS,
      controlPort: options.controlPort,
      functionsPort: options.port,
      seatCount: options.seats,
      clientIntervalMs: options.clientMs,
      routeChangeSeconds: options.routeChangeSeconds,
      keep: options.keep,
      say: screen.say,
    });
    lab = await starting;
    sayWhere(screen, lab, topology);
    const working = options.demo ? runDemo(lab, screen.say) : showUntilEnd(lab, screen);
    const outcome = await Promise.race([working, interrupted]);
    if (outcome === 'interrupted') return options.demo ? EXIT.interrupted : 0;
    await end(lab, screen);
    lab = undefined;
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    return outcome.ok ? 0 : EXIT.failed;
  } catch (error) {
    return failure(error, options);
  } finally {
    if (lab !== undefined) await end(lab, screen);
  }
}

async function end(lab: Lab, screen: Screen): Promise<void> {
  screen.close();
  screen.say('stopping');
  await lab.stop();
}

function sayWhere(screen: Screen, lab: Lab, topology: Topology): void {
  const { tickSeconds, reportSeconds } = topology.timing;
  const { calmSeconds, humanHoldSeconds } = topology.guards;
  screen.say(`lab http://127.0.0.1:${lab.controlPort}/world   control plane ${lab.seats.join(' ')}/api/status`);
  screen.say(
    `short times: reports every ${reportSeconds} s, ticks ${tickSeconds} s, calm ${calmSeconds} s, hold after a person's move ${humanHoldSeconds} s`,
  );
}

/** Shows the lab; ends only by interruption. */
async function showUntilEnd(lab: Lab, screen: Screen): Promise<never> {
  screen.show(lab);
  try {
    screen.say(`steady and proved after ${secondsText(await lab.steady(STEADY_MS))}`);
  } catch (error) {
    screen.say(error instanceof Error ? error.message : String(error));
  }
  return new Promise<never>(() => undefined);
}

/** The topology, or everything that is wrong with the file. */
function readTopology(file: string): Topology | string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return `${file}: ${error instanceof Error ? error.message : String(error)}`;
  }
  const parsed = parseTopology(text);
  return parsed.ok ? parsed.value.topology : `${file} is not right:\n${formatFindings(parsed.error)}`;
}

function refuse(text: string): number {
  process.stderr.write(`${text}\n`);
  return EXIT.badInput;
}

function failure(error: unknown, options: LabArguments): number {
  const { code, port, message } = error as { code?: string; port?: number; message?: string };
  if (code !== 'EADDRINUSE') {
    process.stderr.write(`${message ?? String(error)}\n`);
    return EXIT.failed;
  }
  const option = port === options.controlPort ? '--control-port' : '--port';
  return refuse(`port ${port} is taken: another lab may be running. Choose another with ${option} (0: any free one).`);
}
