// Builds the dashboard's page: its TypeScript and styles into one file each, beside the HTML. Needs no network.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('../functions/dashboard/page/', import.meta.url));

/** Writes index.html, app.js and app.css into the folder. Rejects when the page's source is wrong. */
export async function buildDashboard(folder: string): Promise<void> {
  // Loaded when needed: the lab's own process is to stay small.
  const { build, stop } = await import('esbuild');
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints: [
      { in: join(PAGE, 'main.ts'), out: 'app' },
      { in: join(PAGE, 'app.css'), out: 'app' },
    ],
    outdir: folder,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome120', 'firefox120', 'safari17'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  copyFileSync(join(PAGE, 'index.html'), join(folder, 'index.html'));
  await stop();
}
