// What ExaBGP's healthcheck costs: one process per service, at 1, 50 and 200 services.
import { readFileSync } from 'node:fs';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { missing } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { BenchApp } from './agent-rig.ts';
import type { BenchResult } from './result.ts';

const PYTHON = '/usr/bin/python3';
const COUNTS = [1, 50, 200];
const WATCH_MS = 10_000;
/** Interpreters that start at the same time; more would only wait for each other. */
const BATCH = 10;
const UP_MS_MAX = 60_000;
const TICKS_PER_SECOND = 100;
const PEER = 'ExaBGP healthcheck, defaults';

interface Check {
  readonly daemon: Daemon;
  readonly pid: number;
}

/** Figures, or none where ExaBGP is not installed. */
export async function benchAgentPeerMemory(): Promise<readonly BenchResult[]> {
  const absent = missing({ programs: ['/usr/sbin/exabgp', PYTHON, 'curl'] });
  if (absent.length > 0) {
    process.stderr.write(`${PEER}: not measured, ${absent.join(', ')} missing\n`);
    return [];
  }
  const app = await BenchApp.start();
  const checks: Check[] = [];
  const results: BenchResult[] = [];
  try {
    for (const count of COUNTS) {
      while (checks.length < count) {
        const batch = Array.from({ length: Math.min(BATCH, count - checks.length) }, () => startCheck(app.port));
        checks.push(...(await Promise.all(batch)));
      }
      results.push(...(await watch(checks)));
    }
    return results;
  } finally {
    app.signal('SIGKILL');
    await Promise.all(checks.map(({ daemon }) => daemon.stop('SIGKILL')));
  }
}

/** One process, up and announcing. */
async function startCheck(appPort: number): Promise<Check> {
  const options = ['--no-syslog', '--no-ip-setup', '--no-ack', '--ip', '198.18.0.1/32'];
  const command = `curl -fso /dev/null http://127.0.0.1:${appPort}/`;
  const daemon = startDaemon({
    program: '/bin/sh',
    args: ['-c', 'echo $$; exec "$0" "$@"', PYTHON, '-m', 'exabgp', 'healthcheck', ...options, '--cmd', command],
  });
  await until('the check to announce', () => daemon.log().includes('announce route'), UP_MS_MAX, 50);
  return { daemon, pid: Number.parseInt(daemon.log(), 10) };
}

async function watch(checks: readonly Check[]): Promise<BenchResult[]> {
  const before = sum(checks, ticksOf);
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  const percent = ((sum(checks, ticksOf) - before) / TICKS_PER_SECOND / (WATCH_MS / 1000)) * 100;
  const row = (what: string, value: number, unit: string): BenchResult => ({
    name: `agent at ${checks.length} vips, ${what} [${PEER}]`,
    value: Math.round(value * 10) / 10,
    unit,
    peer: `${PEER}, ${checks.length} processes`,
  });
  return [
    row('RssAnon', sum(checks, (pid) => kilobytesOf(pid, 'status', /RssAnon:\s+(\d+)/)) / 1024, 'MB'),
    row('RSS', sum(checks, (pid) => kilobytesOf(pid, 'status', /VmRSS:\s+(\d+)/)) / 1024, 'MB'),
    row('PSS', sum(checks, (pid) => kilobytesOf(pid, 'smaps_rollup', /Pss:\s+(\d+)/)) / 1024, 'MB'),
    row('processor', percent, '% of a core'),
  ];
}

const sum = (checks: readonly Check[], of: (pid: number) => number): number =>
  checks.reduce((total, { pid }) => total + of(pid), 0);

const kilobytesOf = (pid: number, file: string, pattern: RegExp): number =>
  Number(pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0);

/** Processor time of the process and of the checks it has waited for. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
}
