#!/usr/bin/env node
// anycastctl: the command line for operators.
import { EXIT } from './exit-codes.ts';
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

process.once('SIGINT', () => process.exit(EXIT.interrupted));
process.exitCode = await runCommandLine(process.argv.slice(2), process.env, processTerminal);
