#!/usr/bin/env node
// The package's bin. Plain JavaScript: with the code of an earlier run in the cache, the runtime's reader of TypeScript, which takes longer than the rest, is not even loaded.
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('./anycastctl.ts');
