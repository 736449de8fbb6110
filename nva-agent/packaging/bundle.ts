// The agent as one file that needs nothing but the runtime, and the flags that runtime is given.
import { readFile } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';

/**
 * What the package starts the runtime with: a small young generation, because the agent's garbage is short-lived, space
 * before speed in the old one, and the quick compiler only: what the thorough ones keep costs more memory than an agent that
 * mostly waits gets time for. `npm run bench -- --only agent-memory` prints what it takes.
 */
export const RUNTIME_FLAGS: readonly string[] = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--no-opt',
  '--no-maglev',
];

/** glibc keeps an arena per thread, and each keeps what its thread once needed: one is enough for an agent. */
export const RUNTIME_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '1' };

/** Bundles nva-agent/main.ts into this file. Rejects with esbuild's own errors. */
export async function bundleAgent(outfile: string): Promise<void> {
  await build({
    entryPoints: ['nva-agent/main.ts'],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    outfile,
    plugins: [wholeNamespaces],
    // Packages written as CommonJS call require for Node's own modules, and write-file-atomic reads __filename.
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);const __filename=import.meta.filename;",
    },
  });
}

/** `import { z }` brings all of zod, fifty languages included; the same as a namespace import is pruned to what is used. */
const wholeNamespaces: Plugin = {
  name: 'whole-namespaces',
  setup: ({ onLoad }) => {
    onLoad({ filter: /(nva-agent|shared)\/.*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace("import { z } from 'zod'", "import * as z from 'zod'"),
      loader: 'ts',
    }));
  },
};
