// npm run bench [-- --only NAME] [-- --json]: runs the benchmarks and writes test/bench/results.json.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { writeAgentReport } from './agent-report.ts';
import { runBenchProcess, serveBench } from './bench-process.ts';
import { type BenchResult, mergeResults } from './result.ts';

type Bench = () => Promise<readonly BenchResult[]> | readonly BenchResult[];

interface BenchEntry {
  readonly group: string;
  readonly load: () => Promise<Bench>;
  /** It takes no times that matter: those of a group run beside each other, after the others. */
  readonly isUntimed?: boolean;
}

/** Several times what the longest takes on a busy machine. */
const LIMIT_SECONDS = 900;

/** Each is loaded and run in a process of its own, so that none carries another's memory or faults. */
const BENCHES: Readonly<Record<string, BenchEntry>> = {
  codec: { group: 'agent', load: async () => (await import('./codec.ts')).benchCodec },
  reflex: { group: 'agent', load: async () => (await import('./reflex.ts')).benchReflex },
  'agent-peers': { group: 'agent', load: async () => (await import('./agent-peers.ts')).benchAgentPeers },
  'agent-drivers': { group: 'agent', load: async () => (await import('./agent-drivers.ts')).benchAgentDrivers },
  'agent-memory': { group: 'agent', load: async () => (await import('./agent-memory.ts')).benchAgentMemory },
  'agent-peer-memory': {
    group: 'agent',
    load: async () => (await import('./agent-peer-memory.ts')).benchAgentPeerMemory,
  },
  'agent-flaps': {
    group: 'agent',
    load: async () => (await import('./agent-flaps.ts')).benchAgentFlaps,
    isUntimed: true,
  },
  soak: { group: 'agent', load: async () => (await import('./soak.ts')).benchSoak, isUntimed: true },
  decide: { group: 'control', load: async () => (await import('./decide.ts')).benchDecide },
  reports: { group: 'control', load: async () => (await import('./reports.ts')).benchReports },
  host: { group: 'control', load: async () => (await import('./host.ts')).benchHost },
  'crash-points': {
    group: 'control',
    load: async () => (await import('./crash-points.ts')).benchCrashPoints,
  },
  backfill: { group: 'control', load: async () => (await import('./backfill.ts')).benchBackfill },
  simulation: { group: 'control', load: async () => (await import('./simulation.ts')).benchSimulation },
  silence: { group: 'control', load: async () => (await import('./silence.ts')).benchSilence },
  lab: { group: 'control', load: async () => (await import('./lab.ts')).benchLab },
  cli: { group: 'operators', load: async () => (await import('./cli.ts')).benchCli },
  dashboard: { group: 'operators', load: async () => (await import('./dashboard.ts')).benchDashboard },
};

const RESULTS_FILE = 'test/bench/results.json';

const OPTIONS = {
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
  // How this program starts itself for each benchmark.
  one: { type: 'string' },
} as const;
const { values } = parseArgs({ options: OPTIONS });
const one = BENCHES[values.one ?? ''];
if (one !== undefined) await serveBench(async () => await (await one.load())());

const chosen = Object.entries(BENCHES).filter(
  ([name, bench]) => values.only === undefined || values.only === name || values.only === bench.group,
);
if (chosen.length === 0) {
  const known = [...new Set(Object.entries(BENCHES).flatMap(([name, bench]) => [name, bench.group]))];
  process.stderr.write(`--only ${values.only}: there is no such benchmark; known: ${known.join(', ')}\n`);
  process.exit(2);
}

const measured: BenchResult[] = [];
const failed: string[] = [];
let all: readonly BenchResult[] = [];
for (const bench of chosen.filter(([, { isUntimed }]) => isUntimed !== true)) await run(bench);
await Promise.all(chosen.filter(([, { isUntimed }]) => isUntimed === true).map(run));
const results = all.filter(({ name }) => measured.some((result) => result.name === name));
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
else {
  for (const { name, value, unit, peer, ratio } of results) {
    const beside = peer === undefined ? '' : `   ${peer}${ratio === undefined ? '' : ` ×${ratio}`}`;
    process.stdout.write(`${name.padEnd(56)} ${String(value).padStart(12)} ${unit}${beside}\n`);
  }
  process.stdout.write(`${results.length} figures on ${cpus().length} cores, also in ${RESULTS_FILE}\n`);
}
if (failed.length > 0) {
  process.stderr.write(`not measured: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}

/** What others have measured is not lost for one that fails. */
async function run([name, { group }]: readonly [string, BenchEntry]): Promise<void> {
  process.stderr.write(`${name} ...\n`);
  const startedMs = performance.now();
  const outcome = await runBenchProcess(import.meta.filename, name, LIMIT_SECONDS);
  if (outcome.type === 'measured') measured.push(...outcome.results);
  else failed.push(`${name} (${outcome.reason})`);
  all = keep(measured, group);
  process.stderr.write(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
}

/** Writes what is known so far, and the report of the agent's group. */
function keep(now: readonly BenchResult[], group: string): readonly BenchResult[] {
  const before: readonly BenchResult[] = existsSync(RESULTS_FILE) ? JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) : [];
  const merged = mergeResults(before, now, new Date().toISOString().slice(0, 10));
  writeFileSync(RESULTS_FILE, `${JSON.stringify(merged, null, 2)}\n`);
  if (group === 'agent') writeAgentReport(merged);
  return merged;
}
