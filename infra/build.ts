// Builds what is deployed: the function app as one bundled file with its host.json and topology (`npm run build`).
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildDashboard } from './build-dashboard.ts';

const OUT = 'dist/functions';
/** A cold start reads the whole bundle. */
const BUNDLE_BYTES_MAX = 4 * 1024 * 1024;
/** The topology of the deployment; the example stands in until there is one. */
const TOPOLOGIES = ['anycast.yaml', 'infra/examples/contoso.yaml'];
/** Parts of the bundle are CommonJS and ask for node's own modules at run time. */
const REQUIRE_BANNER = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

async function bundle(): Promise<number> {
  const outfile = join(OUT, 'app.mjs');
  await build({
    entryPoints: ['functions/app.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    external: ['@azure/functions-core'],
    banner: { js: REQUIRE_BANNER },
    logLevel: 'warning',
  });
  return statSync(outfile).size;
}

function writePackage(): void {
  const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, string>;
  const text = JSON.stringify({ name, version, license, private: true, type: 'module', main: 'app.mjs' }, null, 2);
  writeFileSync(join(OUT, 'package.json'), `${text}\n`);
}

async function main(): Promise<void> {
  mkdirSync(OUT, { recursive: true });
  const bytes = await bundle();
  await buildDashboard(join(OUT, 'dashboard'));
  writePackage();
  copyFileSync('host.json', join(OUT, 'host.json'));
  const topology = TOPOLOGIES.find((path) => existsSync(path)) ?? '';
  copyFileSync(topology, join(OUT, 'anycast.yaml'));
  const megabytes = (bytes / 1024 / 1024).toFixed(2);
  process.stdout.write(`${OUT}/app.mjs ${megabytes} MB (at most 4), anycast.yaml from ${topology}\n`);
  if (bytes > BUNDLE_BYTES_MAX) {
    process.stderr.write('the bundle is too large\n');
    process.exitCode = 1;
  }
}

await main();
