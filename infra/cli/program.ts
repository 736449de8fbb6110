// The command line of anycastctl: parses words into verbs; each verb lives in verbs/.
import { Command, InvalidArgumentError, Option } from 'commander';
import { ControlPlaneClient } from './client.ts';
import { resolveContext } from './context.ts';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';
import { parseDuration } from './text.ts';
import { tokenSource } from './token.ts';
import { listAudit, verifyAudit } from './verbs/audit.ts';
import { addHold, listHolds, releaseHold } from './verbs/hold.ts';
import { type Move, type MoveFlags, runMove } from './verbs/move.ts';
import { showOperation, watchOperation } from './verbs/operation.ts';
import { showExplanation, showStatus, watchStatus } from './verbs/status.ts';
import { validateFile } from './verbs/validate.ts';

const EXIT_HELP = `
Exit codes: 0 done and proved, 1 error, 2 usage or bad input, 3 declined, 4 sign-in or role, 5 refused by a guard,
6 done but not proved, 7 findings, 8 still pending at --timeout, 9 no seat answered, 130 interrupted.
Environment: ANYCAST_CONTEXT, ANYCAST_URL, ANYCAST_TOKEN, ANYCAST_CONFIG, NO_COLOR.`;

interface GlobalFlags {
  readonly context?: string;
  readonly url?: string;
  readonly json?: boolean;
  readonly color?: boolean;
  readonly debug?: boolean;
}

function seconds(text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new InvalidArgumentError('a duration such as 90, 90s, 10m, 2h or 1d');
  return value;
}

const collect = (value: string, all: string[]): string[] => [...all, value];

/** The whole command line. `done` receives the exit code of the verb that ran. */
export function buildProgram(
  makeSession: (flags: GlobalFlags) => Session,
  terminalOf: (flags: GlobalFlags) => Terminal,
  done: (code: ExitCode) => void,
): Command {
  const program = new Command('anycastctl')
    .description('Failover of private anycast applications: see it, explain it, move it.')
    .option('--context <name>', 'deployment to talk to (default: the lab on this machine)')
    .option('--url <origin>', 'control plane to talk to, several separated by commas')
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .option('--debug', 'print each request as a curl line')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError()
    .exitOverride();
  const session = () => makeSession(program.opts<GlobalFlags>());
  const verb = (name: string, description: string) => program.command(name).description(description);

  verb('status', 'who serves each vip, how well, and what is proved')
    .argument('[vip]')
    .option('--watch [duration]', 'keep looking (default every 2 s)', (text: string) => seconds(text))
    .action(async (vip: string | undefined, flags: { watch?: number | true }) =>
      done(
        flags.watch === undefined
          ? await showStatus(session(), vip)
          : await watchStatus(session(), flags.watch === true ? 2 : flags.watch),
      ),
    );
  verb('explain', 'why a vip is where it is, what blocks it, what comes next')
    .argument('<vip>')
    .action(async (vip: string) => done(await showExplanation(session(), vip)));

  const moveVerb = (name: string, description: string) =>
    verb(name, description)
      .requiredOption('--reason <text>', 'why, for the record')
      .option('--dry-run', 'explain what would happen, change nothing', false)
      .option('--confirm <name>', 'the name you would be asked to type, for scripts')
      .option('--no-wait', 'do not wait for the proof')
      .option('--timeout <duration>', 'stop watching after this long', seconds, 180)
      .option('--idempotency-key <key>', 'repeat a request safely')
      .addOption(new Option('--force <guard>', 'override this guard, by name').argParser(collect).default([], 'none'));
  type Flags = Omit<MoveFlags, 'timeoutSeconds'> & {
    timeout: number;
    reason: string;
    force: string[];
    to?: string;
    vip?: string;
    for?: number;
  };
  const run = async (flags: Flags, move: Move) =>
    done(await runMove(session(), move, { ...flags, timeoutSeconds: flags.timeout }));

  moveVerb('failover', 'move a vip to another region')
    .argument('<vip>')
    .option('--to <region>', 'target region (default: the best other one)')
    .action((vip: string, flags: Flags) =>
      run(flags, {
        path: `/vips/${encodeURIComponent(vip)}/failover`,
        body: { ...(flags.to === undefined ? {} : { to: flags.to }), reason: flags.reason, force: flags.force },
        name: vip,
        title: `Move ${vip}${flags.to === undefined ? '' : ` to ${flags.to}`}`,
      }),
    );
  moveVerb('failback', 'return a vip to its first region')
    .argument('<vip>')
    .action((vip: string, flags: Flags) =>
      run(flags, {
        path: `/vips/${encodeURIComponent(vip)}/failback`,
        body: { reason: flags.reason, force: flags.force },
        name: vip,
        title: `Fail ${vip} back`,
      }),
    );
  for (const name of ['drain', 'undrain'] as const) {
    moveVerb(
      name,
      name === 'drain'
        ? 'take a region out of service without losing the prefix'
        : 'let a drained region take part again',
    )
      .argument('<region>')
      .option('--vip <vip>', 'one vip only')
      .action((region: string, flags: Flags) =>
        run(flags, {
          path: `/regions/${encodeURIComponent(region)}/${name}`,
          body: { ...(flags.vip === undefined ? {} : { vip: flags.vip }), reason: flags.reason, force: flags.force },
          name: region,
          title: `${name === 'drain' ? 'Drain' : 'Undrain'} ${region}`,
        }),
      );
  }
  moveVerb('drill', 'fail a vip over for a while and back again, and report what it cost')
    .argument('<vip>')
    .option('--to <region>', 'region to exercise (default: the best other one)')
    .option('--for <duration>', 'how long to stay there', seconds, 60)
    .action((vip: string, flags: Flags) =>
      run(
        { ...flags, timeout: flags.timeout + (flags.for ?? 60) },
        {
          path: '/drills',
          body: {
            vip,
            ...(flags.to === undefined ? {} : { to: flags.to }),
            seconds: flags.for ?? 60,
            reason: flags.reason,
          },
          name: vip,
          title: `Drill ${vip}`,
        },
      ),
    );

  verb('hold', 'keep automation away from a vip (or all) for a while')
    .argument('[vip]')
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--for <duration>', 'how long', seconds, 3600)
    .option('--full', 'not even an unhealthy or lost region is left', false)
    .option('--dry-run', 'change nothing', false)
    .action(async (vip: string | undefined, flags: { reason: string; for: number; full: boolean; dryRun: boolean }) =>
      done(
        await addHold(session(), {
          vip,
          seconds: flags.for,
          reason: flags.reason,
          full: flags.full,
          dryRun: flags.dryRun,
        }),
      ),
    );
  verb('holds', 'list holds').action(async () => done(await listHolds(session())));
  verb('resume', 'release a hold')
    .argument('<hold>')
    .requiredOption('--reason <text>', 'why, for the record')
    .action(async (id: string, flags: { reason: string }) => done(await releaseHold(session(), id, flags.reason)));

  verb('operation', 'how an operation is doing')
    .argument('<id>')
    .option('--watch', 'wait for its end', false)
    .option('--timeout <duration>', 'stop watching after this long', seconds, 180)
    .action(async (id: string, flags: { watch: boolean; timeout: number }) =>
      done(flags.watch ? await watchOperation(session(), id, flags.timeout) : await showOperation(session(), id)),
    );

  const audit = verb('audit', 'the record of decisions');
  audit
    .command('list')
    .option('--vip <vip>', 'one vip only')
    .option('--kind <kind>', 'one kind only')
    .option('--last <count>', 'newest records', (text: string) => Number.parseInt(text, 10), 50)
    .action(async (flags: { vip?: string; kind?: string; last: number }) =>
      done(await listAudit(session(), { vip: flags.vip, kind: flags.kind, last: flags.last })),
    );
  audit
    .command('verify')
    .description('check every chain for gaps and edits')
    .action(async () => done(await verifyAudit(session())));

  verb('validate', 'check an anycast.yaml')
    .argument('<file>')
    .option('--exit-status', 'end with 7 when there are warnings', false)
    .action((file: string, flags: { exitStatus: boolean }) => {
      const global = program.opts<GlobalFlags>();
      done(validateFile(terminalOf(global), file, { json: global.json === true, exitStatus: flags.exitStatus }));
    });
  return program;
}

/** Runs one command line and returns its exit code. Errors are told in three parts: what, why, what next. */
export async function runCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  terminalOf: (flags: GlobalFlags) => Terminal,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const makeSession = (flags: GlobalFlags): Session => {
    const terminal = terminalOf(flags);
    const context = resolveContext(flags, env);
    const debug = flags.debug === true ? terminal.say : undefined;
    return {
      terminal,
      json: flags.json === true,
      client: new ControlPlaneClient(context, { fetch, token: tokenSource(context, env), debug }),
    };
  };
  try {
    await buildProgram(makeSession, terminalOf, (result) => {
      code = result;
    }).parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return explainError(error, terminalOf({}));
  }
}

function explainError(error: unknown, terminal: Terminal): ExitCode {
  if (error instanceof CliError) {
    const declined = error.code === EXIT.declined;
    terminal.say(declined ? error.message : terminal.paint('red', `ERROR: ${error.message}`));
    for (const line of error.why) terminal.say(`  Why   ${line}`);
    for (const line of error.next) terminal.say(`  Next  ${line}`);
    return error.code;
  }
  // Commander has printed its own message; help and version are no errors.
  const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
  if (typeof code === 'string' && code.startsWith('commander.')) return exitCode === 0 ? EXIT.done : EXIT.usage;
  terminal.say(`ERROR: ${error instanceof Error ? error.message : String(error)}`);
  return EXIT.error;
}
