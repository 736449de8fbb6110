// Bundles the function app: one file that the worker starts with, and parts that are loaded when they are first needed.
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleTrims } from './bundle-trims.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
/** Parts of the bundle are CommonJS and ask for node's own modules at run time. */
const REQUIRE_BANNER = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

/** Bundles entry points, named without ending, into ES modules of the folder, and takes away those of an earlier build. */
export async function bundle(folder: string, entryPoints: Readonly<Record<string, string>>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const file of filesOf(folder, /\.mjs(\.LEGAL\.txt)?$/)) rmSync(file);
  await build({
    absWorkingDir: PROJECT,
    entryPoints: { ...entryPoints },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    // Licences of what is bundled go beside it: the worker need not read them.
    legalComments: 'linked',
    external: ['@azure/functions-core'],
    banner: { js: REQUIRE_BANNER },
    plugins: [bundleTrims(PROJECT)],
    logLevel: 'warning',
  });
}

/** Size of all modules of a bundle. */
export const bundleBytes = (folder: string): number =>
  filesOf(folder, /\.mjs$/).reduce((sum, file) => sum + statSync(file).size, 0);

const filesOf = (folder: string, pattern: RegExp): string[] =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name));
