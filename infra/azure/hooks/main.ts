// npm run -s azure -- preflight | prepare | finish: what azd's hooks run (azure.yaml), and people when they want to look.
import { parseArgs } from 'node:util';
import { az, azd } from './az.ts';
import { EXIT, type Place, runFinish, runPreflight, runPrepare } from './verbs.ts';

const USAGE = `usage: npm run -s azure -- VERB
  preflight   list everything that would fail, change nothing
  prepare     app registration, keys and certificates; pins their public halves in anycast.yaml  [--renew: new order keys]
  finish      after provisioning: roles, packages of the NVAs, runbooks
`;

async function main(): Promise<number> {
  const options = { renew: { type: 'boolean', default: false } } as const;
  const { positionals, values } = parseArgs({ allowPositionals: true, options });
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const place: Place = { folder: '.', environment: process.env, az, azd, say };
  if (positionals[0] === 'preflight') return runPreflight(place);
  if (positionals[0] === 'prepare') return runPrepare(place, values.renew);
  if (positionals[0] === 'finish') return runFinish(place);
  process.stderr.write(USAGE);
  return EXIT.usage;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`ERROR: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT.failed;
}
