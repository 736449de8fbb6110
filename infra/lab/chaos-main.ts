// `npm run chaos`: loads it from compiled code where an earlier run has left it.
import { enableCompileCache } from 'node:module';
import { COMPILE_CACHE } from './child-module.ts';

enableCompileCache(COMPILE_CACHE);
const { readChaosArguments, runChaosCommand } = await import('./chaos.ts');

function argumentsOrEnd() {
  try {
    return readChaosArguments(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}

process.exit(await runChaosCommand(argumentsOrEnd()));
