// Builds what is deployed: the function app bundled, with its host.json and topology (`npm run build`).
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDashboard } from './build-dashboard.ts';
import { bundle, bundleBytes } from './bundle.ts';

const OUT = 'dist/functions';
/** A cold start reads the whole bundle. */
const BUNDLE_BYTES_MAX = 4 * 1024 * 1024;
/** The topology of the deployment; the example stands in until there is one. */
const TOPOLOGIES = ['anycast.yaml', 'infra/examples/contoso.yaml'];

function writePackage(): void {
  const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, string>;
  const text = JSON.stringify({ name, version, license, private: true, type: 'module', main: 'app.mjs' }, null, 2);
  writeFileSync(join(OUT, 'package.json'), `${text}\n`);
}

async function main(): Promise<void> {
  await bundle(OUT, { app: 'functions/app.ts' });
  const bytes = bundleBytes(OUT);
  await buildDashboard(join(OUT, 'dashboard'));
  writePackage();
  copyFileSync('host.json', join(OUT, 'host.json'));
  const topology = TOPOLOGIES.find((path) => existsSync(path)) ?? '';
  copyFileSync(topology, join(OUT, 'anycast.yaml'));
  const megabytes = (bytes / 1024 / 1024).toFixed(2);
  process.stdout.write(`${OUT} ${megabytes} MB of modules (at most 4), anycast.yaml from ${topology}\n`);
  if (bytes > BUNDLE_BYTES_MAX) {
    process.stderr.write('the bundle is too large\n');
    process.exitCode = 1;
  }
}

await main();
