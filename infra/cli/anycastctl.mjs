#!/usr/bin/env -S node --min-semi-space-size=16
// The package's bin, made to start quickly: room for young objects spares a short run its garbage collections; in plain JavaScript, because with the code of an earlier run in the cache the runtime's reader of TypeScript is not even loaded.
import { enableCompileCache, registerHooks } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Compiled code is believed, so it lies where only this user writes: not in the temporary folder that all share.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anycastctl'));
// zod loads its messages in sixty languages, a sixth of all the work of a look; this tool speaks one.
registerHooks({
  resolve(specifier, context, next) {
    const isLanguages = specifier === '../locales/index.js' && context.parentURL?.includes('/node_modules/zod/');
    return next(isLanguages ? '../locales/en.js' : specifier, context);
  },
});
await import('./anycastctl.ts');
