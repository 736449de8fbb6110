#!/usr/bin/env node
// `npm start`. Loads the lab from compiled code where an earlier run has left it, then runs it.
import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from './child-module.ts';

enableCompileCache(COMPILE_CACHE);
const { runCommand } = await import('./run.ts');
// Everything is stopped by now. Ending by hand spares the runtime's own clean-up, which was seen to wait for ever.
process.exit(await runCommand(process.argv.slice(2)));
