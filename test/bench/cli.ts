// What a person waits for at the command line: `status` against the running lab, as a process of its own, and its floors.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchLab, startLab, until, world } from './lab.ts';
import { type BenchResult, summarise } from './result.ts';

const RUNS = 20;
/** The bin of the package with the flags of its first line, and the line the README gives. */
const BIN = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  '--min-semi-space-size=16',
  'infra/cli/anycastctl.mjs',
];
const NPM = ['npm', 'run', '-s', 'anycastctl', '--'];

/** Figures of `anycastctl status`; beside them the runtime doing nothing, npm doing nothing, and the bare request. */
export async function benchCli(): Promise<readonly BenchResult[]> {
  const lab = await startLab();
  const folder = mkdtempSync(join(tmpdir(), 'anycastctl-bench-'));
  try {
    await until('the first steady state', async () => (await world(lab)).steadyAfterMs !== null);
    const env = { ...process.env, ANYCAST_URL: lab.seat, ANYCAST_CONFIG: join(folder, 'none.yaml') };
    const config = join(folder, 'config.yaml');
    const lines = [`seats: ["${lab.seat}"]`, `tokenUrl: "${lab.control}/token"`];
    writeFileSync(config, `current: bench\ncontexts:\n  bench: { ${lines.join(', ')} }\n`);
    const token = await tokenOf(lab);
    const named = { ...env, ANYCAST_TOKEN: token };
    const filed = { ...process.env, ANYCAST_CONFIG: config };
    return [
      ...summarise('anycastctl status', await times([...BIN, 'status'], named), 'ms'),
      ...summarise('anycastctl status, context and token of a file', await times([...BIN, 'status'], filed), 'ms'),
      ...summarise('npm run -s anycastctl -- status', await times([...NPM, 'status'], named), 'ms'),
      ...summarise('anycastctl --version', await times([...BIN, '--version'], named), 'ms'),
      ...summarise('node that does nothing', await times([process.execPath, '-e', '0'], named), 'ms'),
      ...summarise('GET /status of the lab', await requestTimes(lab, token), 'ms'),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
    lab.process.kill('SIGTERM');
    await new Promise((resolve) => lab.process.once('close', resolve));
  }
}

async function tokenOf(lab: BenchLab): Promise<string> {
  const answer = (await (await fetch(`${lab.control}/token`)).json()) as { access_token: string };
  return answer.access_token;
}

/** Wall time of each run after a first one that fills the caches. Rejects when a run fails. */
async function times(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i <= RUNS; i += 1) taken.push(await timeOf(command, env));
  return taken.slice(1);
}

function timeOf([program = '', ...rest]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAtMs = performance.now();
    const child = spawn(program, rest, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let talk = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      talk += text;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(performance.now() - startedAtMs);
      else reject(new Error(`${program} ${rest.join(' ')} ended with ${code}: ${talk}`));
    });
  });
}

async function requestTimes(lab: BenchLab, token: string): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i <= RUNS; i += 1) {
    const startedAtMs = performance.now();
    const answer = await fetch(`${lab.seat}/api/status`, { headers: { authorization: `Bearer ${token}` } });
    await answer.text();
    taken.push(performance.now() - startedAtMs);
  }
  return taken.slice(1);
}
