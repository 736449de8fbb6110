// anycastctl: the command line for operators, run in this process.
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

process.once('SIGINT', () => process.exit(EXIT.interrupted));
// A reader that has seen enough, such as head, is no error.
process.stdout.once('error', () => process.exit(EXIT.done));
process.exitCode = await runCommandLine(process.argv.slice(2), process.env, processTerminal);
