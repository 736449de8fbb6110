// `npm run chaos`: loads it from compiled code where an earlier run has left it.
import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from './child-module.ts';

enableCompileCache(COMPILE_CACHE);
const { runChaosCommand } = await import('./chaos.ts');
process.exit(await runChaosCommand(process.argv.slice(2)));
