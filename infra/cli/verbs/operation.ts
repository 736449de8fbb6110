// Follows an operation until it proved itself, and says how it ended.
import { type Operation, operationSchema } from '../../../shared/api.ts';
import type { Proof } from '../../../shared/vocabulary.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';

const POLL_MS = 250;
const MARKS: Readonly<Record<Proof, string>> = { proved: '(✓)', failed: '(✗)', waiting: '(…)', 'not checked': '(-)' };

export async function showOperation(session: Session, id: string): Promise<ExitCode> {
  const { value } = await session.client.call(`/operations/${encodeURIComponent(id)}`, operationSchema);
  if (session.json) printJson(session, value);
  else {
    for (const step of value.steps) session.terminal.print(stepLine(step, value.createdAtMs));
    session.terminal.print(resultLine(value));
  }
  return exitCodeOf(value);
}

/** Waits for the end of an operation, at most `timeoutSeconds`, and prints each step as it changes. */
export async function watchOperation(session: Session, id: string, timeoutSeconds: number): Promise<ExitCode> {
  const printed = new Map<string, string>();
  const redraw = await drawer(session);
  const ended = await awaitOperation(session, id, timeoutSeconds, (operation) => {
    if (session.json) return;
    if (redraw === undefined) printNewSteps(session, operation, printed);
    else redraw(operation.steps.map((step) => stepLine(step, operation.createdAtMs)).join('\n'));
  });
  redraw?.done();
  finish(session, ended);
  return exitCodeOf(ended);
}

/** A live list of steps where a person looks on; plain lines, one per change, elsewhere. */
async function drawer({ terminal, json }: Session) {
  return terminal.isInteractive && terminal.isLive && !json ? (await import('log-update')).default : undefined;
}

/** The operation as it ended. Throws CliError (pending) when it still runs after `timeoutSeconds`. */
export async function awaitOperation(
  session: Session,
  id: string,
  timeoutSeconds: number,
  onLook: (operation: Operation) => void = () => {},
): Promise<Operation> {
  const giveUpAtMs = session.terminal.nowMs() + timeoutSeconds * 1000;
  for (;;) {
    const { value } = await session.client.call(`/operations/${encodeURIComponent(id)}`, operationSchema);
    onLook(value);
    if (value.state !== 'running') return value;
    if (session.terminal.nowMs() >= giveUpAtMs) {
      throw new CliError(EXIT.pending, `${id} is still running after ${timeoutSeconds} s. It goes on by itself.`, {
        next: [`anycastctl operation ${id} --watch`],
      });
    }
    await session.terminal.sleep(POLL_MS);
  }
}

function printNewSteps(session: Session, operation: Operation, printed: Map<string, string>): void {
  for (const step of operation.steps) {
    // A step that merely waits is shown once; its detail changes with every look.
    const text = step.proof === 'waiting' ? step.proof : `${step.proof} ${step.detail}`;
    if (printed.get(step.name) === text) continue;
    printed.set(step.name, text);
    session.terminal.print(stepLine(step, operation.createdAtMs));
  }
}

function finish(session: Session, operation: Operation): void {
  if (session.json) {
    printJson(session, operation);
    return;
  }
  if (operation.report !== undefined) {
    const { outageMs, phases } = operation.report;
    session.terminal.print(`  outage seen by observers: ${outageMs === null ? 'not measured' : `${outageMs} ms`}`);
    for (const phase of phases)
      session.terminal.print(`  ${phase.proved ? '(✓)' : '(✗)'} ${phase.name}  ${(phase.ms / 1000).toFixed(1)} s`);
  }
  const good = operation.state === 'proved' || operation.state === 'already-so';
  session.terminal.print(session.terminal.paint(good ? 'green' : 'red', resultLine(operation)));
  for (const problem of operation.problems) session.terminal.print(`  Why   ${problem.code}: ${problem.detail}`);
}

const stepLine = (step: Operation['steps'][number], createdAtMs: number): string =>
  `  ${MARKS[step.proof]} ${step.name.padEnd(34)} ${shortenPaths(step.detail).padEnd(44)} ${((step.atMs - createdAtMs) / 1000).toFixed(1)} s`;

/** AS paths in a detail: repetitions counted, as everywhere else. */
const shortenPaths = (detail: string): string =>
  detail.replace(/\b(\d+)(?: \1\b)+/g, (run, asn: string) => `${asn}×${run.split(' ').length}`);

function resultLine(operation: Operation): string {
  const what = `${operation.kind} ${operation.vip ?? operation.region ?? ''}`.trim();
  const count = (proof: Proof) => operation.steps.filter((step) => step.proof === proof).length;
  switch (operation.state) {
    case 'proved':
      return `SUCCESS: ${what}${operation.region === null || operation.vip === null ? '' : ` to ${operation.region}`}; ${count('proved')} proved, ${count('not checked')} not checked.`;
    case 'already-so':
      return `SUCCESS: ${what}: it is already so, nothing was changed.`;
    case 'running':
      return `${what} is running.`;
    case 'scheduled':
      return `${what} waits for its time.`;
    case 'cancelled':
      return `ERROR: ${what} was cancelled.`;
    case 'not-proved':
      return `WARNING: ${what} was done but not proved.`;
    case 'refused':
      return `ERROR: ${what} was refused; nothing was changed.`;
    case 'expired':
      return `ERROR: ${what} could not be carried out before its deadline and was dropped.`;
    case 'failed':
      return `ERROR: ${what} failed.`;
  }
}

/** The exit code an operation's end stands for. */
export function exitCodeOf(operation: Operation): ExitCode {
  switch (operation.state) {
    case 'proved':
    case 'already-so':
      return EXIT.done;
    case 'running':
    case 'scheduled':
      return EXIT.pending;
    case 'not-proved':
      return EXIT.notProved;
    case 'refused':
    case 'expired':
    case 'cancelled':
      return EXIT.refused;
    case 'failed':
      return EXIT.error;
  }
}
