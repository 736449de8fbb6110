// npm run chaos -- --every-fault: each kind of fault once, where it hurts most. Are users served, does the region act that
// should, and does `anycastctl explain` say what is wrong?
import { join } from 'node:path';
import { runCommandLine } from '../cli/program.ts';
import type { Terminal } from '../cli/terminal.ts';
import { FAULT_KINDS, type Fault, type FaultKind, parseFault } from './faults.ts';
import type { Lab } from './lab.ts';

const VIP = 'orders';
const STEADY_MS = 180_000;
/** Until users are served and the explanation is there. */
const BOUND_MS = 60_000;
/** Users must have been answered for this long without a break. */
const UNBROKEN_MS = 500;
const POLL_MS = 200;

export interface Truth {
  /** Who acts for the vip in the end: the region that was hit, or another. */
  readonly acting: 'hit' | 'another';
  /** What a line of the explanation says; REGION stands for the region that was hit. */
  readonly says: RegExp;
  /** How anycastctl ends; absent: 0. */
  readonly exitCode?: number;
}

const unfit = (verdict: string): RegExp => new RegExp(`REGION \\S ${verdict} for `);

/** What is true while a fault of each kind lasts in the region that acts: one of these. */
export const TRUTHS: Readonly<Record<FaultKind, readonly Truth[]>> = {
  'app-crash': [{ acting: 'another', says: unfit('unhealthy') }],
  'app-hang': [{ acting: 'another', says: unfit('unhealthy') }],
  'app-errors': [{ acting: 'another', says: unfit('unhealthy') }],
  'nva-crash': [{ acting: 'another', says: unfit('lost') }],
  'nva-freeze': [{ acting: 'another', says: unfit('lost') }],
  // Users are served all the while. Whether the observer says so before silence counts as loss depends on its period.
  'partition-control': [
    { acting: 'hit', says: /REGION \S unknown for .*does not answer, but observer \S+ is answered/ },
    { acting: 'another', says: unfit('lost') },
  ],
  'session-down': [{ acting: 'hit', says: /REGION \S healthy for .*1 of 2 instances hold the route/ }],
  'ingestion-down': [{ acting: 'hit', says: unfit('healthy') }],
  'storage-down': [{ acting: 'hit', says: /HTTP 503 (ledger|view)-read/, exitCode: 9 }],
  'control-crash': [{ acting: 'hit', says: /keeps running on its last orders/, exitCode: 9 }],
  // Times of agents are taken by the clock of whoever receives them.
  'clock-skew': [{ acting: 'hit', says: unfit('healthy') }],
};

/** The line of the explanation that is true as `TRUTHS` has it, undefined when none is. */
export function trueLine(kind: FaultKind, hit: string, { lines, exitCode }: Explained): string | undefined {
  for (const { acting, says, exitCode: wantedCode = 0 } of TRUTHS[kind]) {
    // Who cannot read the ledger does not say who acts.
    const isActing = wantedCode !== 0 || (lines[0]?.includes(`${hit} acts`) ?? false) === (acting === 'hit');
    const wanted = new RegExp(says.source.replace('REGION', hit));
    const line = lines.find((one) => wanted.test(one));
    if (line !== undefined && isActing && exitCode === wantedCode) return line;
  }
  return undefined;
}

/** What `anycastctl explain` printed, and its exit code. */
export interface Explained {
  readonly exitCode: number;
  readonly lines: readonly string[];
}

export interface EveryFaultResult {
  readonly ok: boolean;
  readonly kinds: readonly Told[];
}

interface Told {
  readonly kind: FaultKind;
  readonly ok: boolean;
  /** Until users were served and the explanation was true, from the moment of the fault. */
  readonly ms: number;
  readonly explained: string;
}

/** Breaks the lab in each way in turn; from one to the next it comes to rest. Rejects when it does not. */
export async function runEveryFault(lab: Lab, say: (text: string) => void): Promise<EveryFaultResult> {
  const kinds: Told[] = [];
  for (const kind of FAULT_KINDS) {
    await lab.steady(STEADY_MS);
    const told = await breakOnce(lab, kind);
    say(`${kind}: ${told.ok ? 'served and explained' : 'NOT AS IT SHOULD BE'} after ${told.ms} ms: ${told.explained}`);
    kinds.push(told);
  }
  await lab.steady(STEADY_MS);
  return { ok: kinds.every(({ ok }) => ok), kinds };
}

async function breakOnce(lab: Lab, kind: FaultKind): Promise<Told> {
  const hit = await actingOf(lab);
  const begun = await lab.faults.begin(faultIn(lab, kind, hit));
  if (!begun.ok) throw new Error(`${kind}: ${begun.error.detail}`);
  const startMs = performance.now();
  const sinceMs = () => Math.round(performance.now() - startMs);
  let told: Told = { kind, ok: false, ms: 0, explained: '' };
  let servedAtMs = Number.POSITIVE_INFINITY;
  while (!told.ok && sinceMs() < BOUND_MS) {
    await sleep(POLL_MS);
    const isServed = lab.world().vips.every((vip) => vip.outageSinceMs === null);
    servedAtMs = isServed ? Math.min(servedAtMs, sinceMs()) : Number.POSITIVE_INFINITY;
    const answer = await explain(lab);
    const line = sinceMs() - servedAtMs >= UNBROKEN_MS ? trueLine(kind, hit, answer) : undefined;
    told = { kind, ok: line !== undefined, ms: sinceMs(), explained: (line ?? answer.lines.join(' | ')).trim() };
  }
  await lab.faults.end(begun.value.id);
  return told;
}

/** After a fault of the control plane it takes a moment until somebody says. */
async function actingOf(lab: Lab): Promise<string> {
  for (const endMs = performance.now() + BOUND_MS; performance.now() < endMs; await sleep(POLL_MS)) {
    const acting = lab.status()?.vips.find(({ vip }) => vip === VIP)?.acting;
    if (acting !== undefined) return acting;
  }
  throw new Error(`${VIP}: nobody says who acts`);
}

/** In this region where the kind has a place, otherwise everywhere. */
function faultIn(lab: Lab, kind: FaultKind, region: string): Fault {
  const isEverywhere = ['ingestion-down', 'storage-down', 'control-crash'].includes(kind);
  const fault = parseFault({ kind, ...(isEverywhere ? {} : { region }) }, lab.topology);
  if (!fault.ok) throw new Error(`${kind}: ${fault.error.detail}`);
  return fault.value;
}

/** `anycastctl explain` as an operator runs it. */
async function explain(lab: Lab): Promise<Explained> {
  const lines: string[] = [];
  const terminal: Terminal = {
    print: (line) => void lines.push(line),
    say: (line) => void lines.push(line),
    columns: 200,
    isInteractive: false,
    paint: (_style, text) => text,
    ask: async () => undefined,
    sleep,
    nowMs: () => Date.now(),
  };
  const env = {
    ANYCAST_URL: lab.seats.join(','),
    ANYCAST_TOKEN: await lab.operatorToken(),
    ANYCAST_CONFIG: join(lab.world().directory, 'no-contexts.yaml'),
  };
  return { exitCode: await runCommandLine(['explain', VIP], env, () => terminal), lines };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
