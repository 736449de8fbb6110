// The `run` verb: one agent or observer in the foreground, told by signals what to do.
import { execFile } from 'node:child_process';
import { formatFindings } from '../shared/result.ts';
import { type AgentConfig, loadAgentConfig } from './control/config.ts';

/** What `run` needs of whatever runs: an agent or an observer. */
export interface Runnable {
  stop(): Promise<void>;
  reload(config: AgentConfig): Promise<unknown>;
  readonly gone: Promise<void>;
}

/** systemd is told that we live this many times in the time it allows. */
const WATCHDOG_SHARE = 3;
/** systemd's own program answers within milliseconds; one that hangs must not pile up. */
const NOTIFY_TIMEOUT_MS = 5000;

/**
 * SIGTERM and SIGINT stop in an orderly manner, a second one at once; SIGHUP reloads. Answers the exit code: 0 after an
 * orderly end, 1 when it could not start, 2 for a bad configuration. An unforeseen error ends the process (Node's own
 * way with unhandled rejections): its sessions close and the routes are gone.
 */
export async function run(file: string): Promise<number> {
  const loaded = await loadAgentConfig(file);
  if (!loaded.ok) {
    process.stderr.write(`${formatFindings(loaded.error)}\n`);
    return 2;
  }
  let running: Runnable;
  try {
    running = await start(loaded.value);
  } catch (error) {
    process.stderr.write(`cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  const stop = () => {
    tellSystemd('STOPPING=1');
    void running.stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => void reload(file, running));
  tellSystemd('READY=1');
  const watchdog = startWatchdog();
  await running.gone;
  clearInterval(watchdog);
  return 0;
}

async function start(config: AgentConfig): Promise<Runnable> {
  if (config.mode === 'observer') return await (await import('./observer.ts')).startObserver(config);
  return await (await import('./runtime.ts')).startAgent(config);
}

/** A file that does not load, or names what does not fit together, changes nothing: every problem is told. */
async function reload(file: string, running: Runnable): Promise<void> {
  const refuse = (why: string) => process.stderr.write(`reload refused, the old configuration stays:\n${why}\n`);
  const loaded = await loadAgentConfig(file);
  if (!loaded.ok) {
    refuse(formatFindings(loaded.error));
    return;
  }
  try {
    await running.reload(loaded.value);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
}

/** As often as the unit's WatchdogSec asks, which systemd passes on in WATCHDOG_USEC; not at all without it. */
function startWatchdog(): NodeJS.Timeout | undefined {
  const allowedMs = Number(process.env.WATCHDOG_USEC ?? 0) / 1000;
  return allowedMs > 0 ? setInterval(() => tellSystemd('WATCHDOG=1'), allowedMs / WATCHDOG_SHARE) : undefined;
}

/** Node has no datagram unix sockets, so systemd's own program tells it. */
function tellSystemd(state: string): void {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  execFile('systemd-notify', [state], { timeout: NOTIFY_TIMEOUT_MS }, (error) => {
    if (error !== null) process.stderr.write(`systemd-notify ${state}: ${error.message}\n`);
  });
}
