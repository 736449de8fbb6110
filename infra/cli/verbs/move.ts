// Verbs that move traffic: preview first, then the typed name, then the move bound to what the preview saw.
import { randomUUID } from 'node:crypto';
import { operationSchema, type Plan, planSchema } from '../../../shared/api.ts';
import { ProblemError } from '../client.ts';
import { CliError, EXIT, type ExitCode } from '../exit-codes.ts';
import { printJson, type Session } from '../session.ts';
import { watchOperation } from './operation.ts';

export interface MoveFlags {
  readonly dryRun: boolean;
  readonly wait: boolean;
  readonly timeoutSeconds: number;
  /** Name typed beforehand, for scripts. */
  readonly confirm: string | undefined;
  readonly idempotencyKey: string | undefined;
}

export interface Move {
  /** Path below /api. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** What has to be typed: the vip or the region. */
  readonly name: string;
  readonly title: string;
}

/** Previews before giving up when the ledger keeps moving under the caller's feet. */
const PREVIEWS_MAX = 3;
const startedSchema = operationSchema.or(planSchema);

/** Previews, asks, moves and watches. Exit codes: 0 proved, 3 declined, 5 refused, 6 not proved, 8 still pending. */
export async function runMove(session: Session, move: Move, flags: MoveFlags): Promise<ExitCode> {
  const key = flags.idempotencyKey ?? randomUUID();
  for (let round = 0; round < PREVIEWS_MAX; round++) {
    const plan = await preview(session, move);
    if (flags.dryRun || plan.alreadySo) return showPlan(session, move, plan);
    if (!plan.allowed) throw refusal(move, plan);
    if (!session.json) for (const line of await previewLines(session, move, plan)) session.terminal.print(line);
    await confirm(session, move, flags);
    const id = await start(session, move, plan, key);
    if (id === undefined) continue;
    if (!flags.wait) return showStarted(session, id);
    if (!session.json) session.terminal.print(`${id} accepted. Ctrl-C stops watching, not the move.`);
    return watchOperation(session, id, flags.timeoutSeconds);
  }
  throw new CliError(
    EXIT.refused,
    `The policy changed ${PREVIEWS_MAX} times while you looked at it. Nothing was moved.`,
    {
      next: ['anycastctl status'],
    },
  );
}

async function preview(session: Session, move: Move): Promise<Plan> {
  const body = { ...move.body, dryRun: true };
  return (await session.client.call(move.path, planSchema, { method: 'POST', body })).value;
}

async function showPlan(session: Session, move: Move, plan: Plan): Promise<ExitCode> {
  if (session.json) printJson(session, plan);
  else for (const line of await previewLines(session, move, plan)) session.terminal.print(line);
  return plan.allowed || plan.alreadySo ? EXIT.done : EXIT.refused;
}

/** The preview names the deployment and who asks: the two things people get wrong at night. */
async function previewLines({ client }: Session, move: Move, plan: Plan): Promise<string[]> {
  const identity = await client.identity();
  const roles = identity === undefined || identity.roles.length === 0 ? '' : ` (${identity.roles.join(', ')})`;
  const who = identity === undefined ? '' : `, as ${identity.name}${roles}`;
  return planLines(move, plan, `${client.context.name}${who}`);
}

/** The preview as a person reads it: what changes on the wire, why, and what stands in the way. */
export function planLines(move: Move, plan: Plan, context: string): string[] {
  return [
    `${move.title}   (context ${context}, seen at generation ${plan.generation})`,
    ...plan.actions.map((a) => {
      const wire =
        a.prependBefore === a.prependAfter
          ? 'unchanged on the wire'
          : `one UPDATE: ×${a.prependBefore} -> ×${a.prependAfter}`;
      return `  ${a.vip}  ${a.region}  ${a.before} -> ${a.after}   ${wire}`;
    }),
    ...plan.explanation.map((line) => `  ${line}`),
    ...plan.blocked.map((b) => `  (✗) ${b.vip}: ${b.guard}: ${b.detail}`),
    ...(plan.alreadySo ? ['  It is already so; nothing would change.'] : []),
  ];
}

function refusal(move: Move, plan: Plan): CliError {
  const guards = plan.blocked.map((b) => b.guard);
  return new CliError(EXIT.refused, `${move.title} would be refused. Nothing was changed.`, {
    why: guards.length === 0 ? plan.explanation : plan.blocked.map((b) => `${b.vip}: ${b.guard}: ${b.detail}`),
    next:
      guards.length === 0
        ? ['anycastctl status']
        : [
            `anycastctl explain ${plan.blocked[0]?.vip ?? ''}`,
            `To do it all the same: ${guards.map((g) => `--force ${g}`).join(' ')}`,
          ],
  });
}

async function confirm(session: Session, move: Move, flags: MoveFlags): Promise<void> {
  if (flags.confirm === move.name) return;
  if (flags.confirm !== undefined) {
    throw new CliError(EXIT.usage, `--confirm=${flags.confirm} does not name ${move.name}.`, {
      why: ['Nothing was changed.'],
    });
  }
  if (!session.terminal.isInteractive) {
    throw new CliError(EXIT.usage, 'There is nobody to ask.', {
      why: ['This moves live traffic, and this is no terminal.'],
      next: [`Repeat with --confirm=${move.name}, or look first with --dry-run.`],
    });
  }
  const typed = await session.terminal.ask(
    `\nType ${move.name} to move its traffic; Enter leaves everything as it is: `,
  );
  if (typed?.trim() !== move.name) throw new CliError(EXIT.declined, 'Nothing was changed.');
}

/** The operation's id, or undefined when the ledger moved on since the preview. */
async function start(session: Session, move: Move, plan: Plan, key: string): Promise<string | undefined> {
  try {
    const body = { ...move.body, seenGeneration: plan.generation };
    const { value } = await session.client.call(move.path, startedSchema, {
      method: 'POST',
      body,
      idempotencyKey: key,
    });
    return 'id' in value ? value.id : undefined;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'moved-on') {
      session.terminal.say('The policy changed since this preview was made; here is a new one.');
      return undefined;
    }
    throw error;
  }
}

function showStarted(session: Session, id: string): ExitCode {
  if (session.json) printJson(session, { id });
  else session.terminal.print(`${id} accepted. Follow it with: anycastctl operation ${id} --watch`);
  return EXIT.done;
}
