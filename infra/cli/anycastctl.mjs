#!/usr/bin/env -S node --min-semi-space-size=16
// The package's bin. The room for young objects spares a short run its garbage collections. Plain JavaScript: with the code of an earlier run in the cache, the runtime's reader of TypeScript, which takes longer than the rest, is not even loaded.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Compiled code is believed, so it lies where only this user writes: not in the temporary folder that all share.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anycastctl'));
await import('./anycastctl.ts');
