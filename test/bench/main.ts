// npm run bench [-- --only NAME] [-- --json]: runs the benchmarks and writes test/bench/results.json.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { writeAgentReport } from './agent-report.ts';
import { type BenchResult, mergeResults } from './result.ts';

type Bench = () => Promise<readonly BenchResult[]> | readonly BenchResult[];

/** Loaded on demand, so that one benchmark does not carry another's memory. */
const BENCHES: Readonly<Record<string, { readonly group: string; readonly load: () => Promise<Bench> }>> = {
  codec: { group: 'agent', load: async () => (await import('./codec.ts')).benchCodec },
  reflex: { group: 'agent', load: async () => (await import('./reflex.ts')).benchReflex },
  'agent-peers': { group: 'agent', load: async () => (await import('./agent-peers.ts')).benchAgentPeers },
  'agent-drivers': { group: 'agent', load: async () => (await import('./agent-drivers.ts')).benchAgentDrivers },
  'agent-flaps': { group: 'agent', load: async () => (await import('./agent-flaps.ts')).benchAgentFlaps },
  'agent-memory': { group: 'agent', load: async () => (await import('./agent-memory.ts')).benchAgentMemory },
  'agent-peer-memory': {
    group: 'agent',
    load: async () => (await import('./agent-peer-memory.ts')).benchAgentPeerMemory,
  },
  soak: { group: 'agent', load: async () => (await import('./soak.ts')).benchSoak },
  decide: { group: 'control', load: async () => (await import('./decide.ts')).benchDecide },
  reports: { group: 'control', load: async () => (await import('./reports.ts')).benchReports },
  host: { group: 'control', load: async () => (await import('./host.ts')).benchHost },
  backfill: { group: 'control', load: async () => (await import('./backfill.ts')).benchBackfill },
  simulation: { group: 'control', load: async () => (await import('./simulation.ts')).benchSimulation },
  silence: { group: 'control', load: async () => (await import('./silence.ts')).benchSilence },
  lab: { group: 'control', load: async () => (await import('./lab.ts')).benchLab },
  cli: { group: 'operators', load: async () => (await import('./cli.ts')).benchCli },
  dashboard: { group: 'operators', load: async () => (await import('./dashboard.ts')).benchDashboard },
};

const RESULTS_FILE = 'test/bench/results.json';

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean', default: false } } });
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
for (const [name, bench] of chosen) {
  process.stderr.write(`${name} ...\n`);
  const startedMs = performance.now();
  try {
    measured.push(...(await (await bench.load())()));
  } catch (error) {
    // What an hour of others has measured is not lost for one.
    failed.push(name);
    process.stderr.write(
      `${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  }
  all = keep(measured, bench.group);
  process.stderr.write(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
}
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

/** Writes what is known so far, and the report of the agent's group. */
function keep(now: readonly BenchResult[], group: string): readonly BenchResult[] {
  const before: readonly BenchResult[] = existsSync(RESULTS_FILE) ? JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) : [];
  const merged = mergeResults(before, now, new Date().toISOString().slice(0, 10));
  writeFileSync(RESULTS_FILE, `${JSON.stringify(merged, null, 2)}\n`);
  if (group === 'agent') writeAgentReport(merged);
  return merged;
}
