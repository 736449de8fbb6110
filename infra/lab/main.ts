#!/usr/bin/env node
// `npm start`. Loads the lab from compiled code where an earlier run has left it, then runs it.
import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from './child-module.ts';

enableCompileCache(COMPILE_CACHE);
const { runCommand } = await import('./run.ts');
process.exitCode = await runCommand(process.argv.slice(2));
