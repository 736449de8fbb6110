// Writes docs/benchmarks.md from the figures: the agent beside its peers, with date, machine and versions.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { BIRD } from '../support/bird.ts';
import { EXABGP } from '../support/exabgp.ts';
import { FRR } from '../support/frr.ts';
import { GOBGP } from '../support/gobgp.ts';
import type { BenchResult } from './result.ts';

const REPORT_FILE = 'docs/benchmarks.md';

const VERSIONS: readonly [string, string, readonly string[], RegExp][] = [
  ['BIRD', BIRD.program, ['--version'], /version ([\d.]+)/],
  ['FRR', FRR.program, ['--version'], /version ([\d.]+)/],
  ['GoBGP', GOBGP.program, ['--version'], /version ([\d.]+)/],
  ['ExaBGP', EXABGP.program, ['--version'], /ExaBGP : ([\d.]+)/],
];

interface Section {
  readonly title: string;
  readonly text: string;
  readonly matches: RegExp;
}

const SECTIONS: readonly Section[] = [
  {
    title: 'Application killed',
    text: 'From `kill -9` of the application to the moment the BGP peer has the UPDATE: last resort here, a withdrawal or a longer path there. Probes every second with a timeout of 0.8 s here and in the check loops.',
    matches: /^application killed/,
  },
  {
    title: 'Application hangs',
    text: 'The same from `SIGSTOP` of the application: it still accepts connections and answers nothing. The check loops act on a single failed check, which is quicker and changes routes as often as birdwatcher does in the table of lost probes.',
    matches: /^application hangs/,
  },
  {
    title: 'Client outage',
    text: 'The same kills, seen by a client that asks every 10 ms where the BGP peer’s route leads, and another region that always answers when it leads nowhere or away. From its last answer before to its first after. Zero is a kill that fell between two requests and was over before the next.',
    matches: /^client outage/,
  },
  {
    title: 'Order or command to the peer',
    text: 'A changed prepend. Ours starts when the signed order is accepted, that is checked and on disk; from the moment a seat sends it, TLS and disk included, it is the row after. A peer starts with its command (a line in ExaBGP’s pipe, `birdc configure`, `gobgp`, `vtysh` with FRR’s default route-map timer).',
    matches: /^order /,
  },
  {
    title: 'Route changes under lost probes',
    text: 'Simulated: independent losses, three times 40 hours. Ours is the agent’s own health step, flap penalty included. A peer is its documented rule of consecutive counts, without its timeouts. The first minute does not count: at 50 % ours falls in it and stays down. Beside that the lives at 5 % in which any route moved, and the slowest of 80 brown-outs, by errors and by hangs.',
    matches: /^(route changes|brown-out)/,
  },
  {
    title: 'Memory and processor',
    text: 'The packaged agent probes each vip once a second over http; ExaBGP runs one healthcheck process per service, at its default of one check in 5 s (its own speaker comes on top). RssAnon is what cannot be shared; of a process in Node the rest of RSS is mostly the runtime’s file.',
    matches: /^agent at/,
  },
  { title: 'Codec', text: 'Messages per second on one core.', matches: /^codec/ },
];

/**
 * Writes the report. A part without any figure is named as not measured; without those that stand beside peers the old
 * report stays.
 */
export function writeAgentReport(results: readonly BenchResult[]): void {
  const parts = SECTIONS.map((section) => ({
    section,
    rows: results.filter(({ name }) => section.matches.test(name)),
  }));
  const empty = parts.filter(({ rows }) => rows.length === 0).map(({ section }) => section.title);
  if (empty.length > 1) {
    process.stderr.write(`${REPORT_FILE} stays as it is: nothing was measured yet of ${empty.join(', ')}\n`);
    return;
  }
  const sections = parts.map(
    ({ section, rows }) =>
      `## ${section.title}\n\n${section.text}\n\n${rows.length === 0 ? 'Not measured in this run.\n' : table(rows)}`,
  );
  writeFileSync(REPORT_FILE, `${head(results)}\n${sections.join('\n')}`);
}

function head(results: readonly BenchResult[]): string {
  const dates = [...new Set(results.flatMap(({ date }) => date ?? []))].sort();
  const versions = [`Node.js ${process.version}`, ...VERSIONS.flatMap(versionOf)].join(', ');
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GB, Linux ${release()}`;
  // Groups can be run one by one: of the load only the last one's is known.
  const load = `Each row is of the newest run of its group; the load average was ${loadavg()[1]?.toFixed(1)} when the last of them ended.`;
  return `# Benchmarks of the agent beside its peers

Written by \`npm run bench -- --only agent\`; do not edit. Measured ${dates.join(', ')} on ${machine}, with ${versions}. One BGP
peer, everything on loopback, the same application and the same clock for all. The ratio is ours over the peer's: below 1
ours is less. ${load} Other work on the machine lengthens the milliseconds
more than the seconds.
`;
}

function versionOf([name, program, args, pattern]: (typeof VERSIONS)[number]): string[] {
  try {
    const text = execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1', program, ...args], { encoding: 'utf8' });
    return [`${name} ${pattern.exec(text)?.[1] ?? ''}`];
  } catch {
    return [];
  }
}

/** One line per figure and who it is of; min, p50 and p95 of one figure share a line. */
function table(rows: readonly BenchResult[]): string {
  const lines = new Map<string, { what: string; who: string; cells: string[]; ratio: string }>();
  for (const { name, value, unit, peer, ratio } of rows) {
    const [, what = name, kind = ''] = /^(.*?)(?:, (min|p50|p95))?(?: \[.*\])?$/.exec(name) ?? [];
    const who = peer ?? 'this agent';
    const line = lines.get(`${what}|${who}`) ?? { what, who, cells: [], ratio: '' };
    line.cells.push(`${format(value)}${kind === 'p95' || kind === '' ? ` ${unit}` : ''}`);
    if (ratio !== undefined && kind !== 'min' && kind !== 'p95') line.ratio = String(ratio);
    lines.set(`${what}|${who}`, line);
  }
  const isSpread = rows.some(({ name }) => name.includes(', p50'));
  const body = [...lines.values()].map(
    ({ what, who, cells, ratio }) => `| ${what} | ${who} | ${cells.join(' / ')} | ${ratio} |`,
  );
  const figure = isSpread ? 'min / p50 / p95' : 'figure';
  return [`| what | who | ${figure} | ratio |`, '| --- | --- | --- | --- |', ...body, ''].join('\n');
}

const format = (value: number): string => (value >= 1000 ? Math.round(value).toLocaleString('en-US') : String(value));
