// What a silent NVA costs users: SIGSTOP in the namespace lab, sessions stay up, until the backup region serves.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BenchResult } from './result.ts';

const RUNS = 5;
const PATIENCE_MS = 20 * 60_000;

interface Verdict {
  readonly ok: boolean;
  readonly outageMs: Readonly<Record<'min' | 'p50' | 'p95' | 'max', number>>;
}

/** Needs root and the programs of the namespace lab; elsewhere nothing is measured, and that is said. */
export async function benchSilence(): Promise<BenchResult[]> {
  if (process.getuid?.() !== 0) {
    process.stderr.write('silence: not measured, the namespace lab needs root\n');
    return [];
  }
  const args = ['infra/lab/netns/main.ts', '--scenario', 'nva-freeze', '--runs', String(RUNS), '--json'];
  const command = ['--disable-warning=ExperimentalWarning', ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { timeout: PATIENCE_MS });
  const verdict = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Verdict;
  if (!verdict.ok) throw new Error(`nva-freeze did not end well: ${stdout.slice(-500)}`);
  return (['min', 'p50', 'p95', 'max'] as const).map((at) => ({
    name: `silent NVA (nva-freeze), client outage, ${at}`,
    value: Math.round(verdict.outageMs[at]),
    unit: 'ms',
  }));
}
