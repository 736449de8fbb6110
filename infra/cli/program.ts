// The command line of anycastctl: puts the verbs together, runs one, and tells its errors. Verbs load when they are used.
import { Command } from 'commander';
import { ask } from './ask.ts';
import { ControlPlaneClient } from './client.ts';
import { declareDoctor } from './commands/doctor.ts';
import { declareLooking } from './commands/look.ts';
import { declareMoving } from './commands/move.ts';
import { declareRecords } from './commands/record.ts';
import type { GlobalFlags } from './commands/shell.ts';
import { loadContexts, resolveContext } from './context.ts';
import { CliError, EXIT, type ExitCode } from './exit-codes.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';
import { tokenSource } from './token.ts';
import { VERSION } from './version.ts';

const EXIT_HELP = `
Exit codes: 0 done and proved, 1 error, 2 usage or bad input, 3 declined, 4 sign-in or role, 5 refused by a guard,
6 done but not proved, 7 findings, 8 still pending at --timeout, 9 no seat answered, 130 interrupted.
Environment: ANYCAST_CONTEXT, ANYCAST_URL, ANYCAST_AUDIENCE, ANYCAST_TOKEN, ANYCAST_CONFIG, NO_COLOR.`;

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
    .option('--audience <uri>', 'sign in to Azure for this audience, such as api://anycast-failover')
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .option('--debug', 'print each request as a curl line')
    .version(VERSION, '--version', 'print the version')
    .addHelpText('after', EXIT_HELP)
    .showHelpAfterError()
    .exitOverride();
  const flags = () => program.opts<GlobalFlags>();
  const shell = {
    ...{ program, flags, done },
    session: () => makeSession(flags()),
    terminal: () => terminalOf(flags()),
  };
  declareLooking(shell);
  declareMoving(shell);
  declareRecords(shell);
  declareDoctor(shell);
  return program;
}

/** Runs one command line and returns its exit code. Errors are told in three parts: what, why, what next. */
export async function runCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  terminalOf: (flags: GlobalFlags) => Terminal,
): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  let seen: GlobalFlags = {};
  const contexts = await loadContexts(env);
  const makeSession = (flags: GlobalFlags): Session => {
    const terminal = terminalOf(flags);
    const context = resolveContext(flags, env, contexts());
    const debug = flags.debug === true ? terminal.say : undefined;
    return {
      terminal,
      json: flags.json === true,
      client: new ControlPlaneClient(context, { fetch: ask, token: tokenSource(context, env), debug }),
    };
  };
  try {
    const program = buildProgram(makeSession, terminalOf, (result) => {
      code = result;
    });
    program.hook('preAction', () => {
      seen = program.opts<GlobalFlags>();
    });
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return explainError(error, terminalOf(seen), seen.json === true);
  }
}

function explainError(error: unknown, terminal: Terminal, json: boolean): ExitCode {
  if (error instanceof CliError) {
    if (json)
      terminal.print(
        JSON.stringify({ ok: false, code: error.code, error: error.message, why: error.why, next: error.next }),
      );
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
