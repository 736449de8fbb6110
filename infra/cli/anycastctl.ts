#!/usr/bin/env node
// anycastctl: the command line for operators. Loads itself from compiled code where an earlier run has left it.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const [{ runCommandLine }, { EXIT }, { processTerminal }] = await Promise.all([
  import('./program.ts'),
  import('./exit-codes.ts'),
  import('./terminal.ts'),
]);
process.once('SIGINT', () => process.exit(EXIT.interrupted));
// A reader that has seen enough, such as head, is no error.
process.stdout.once('error', () => process.exit(EXIT.done));
process.exitCode = await runCommandLine(process.argv.slice(2), process.env, processTerminal);
