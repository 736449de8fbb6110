// npm run -s azure -- preflight | prepare | finish | deployed | keys | down: what azd's hooks run (azure.yaml), and people when they want to look.
import { parseArgs } from 'node:util';
import { az, azd } from './az.ts';
import { runDown } from './down.ts';
import { KEY_STEPS, runKeys } from './keys.ts';
import { EXIT, type Place, runDeployed, runFinish, runPreflight, runPrepare } from './verbs.ts';

const USAGE = `usage: npm run -s azure -- VERB
  preflight   list everything that would fail, change nothing
  prepare     app registration, keys and certificates; pins their public halves in anycast.yaml
  finish      after provisioning: roles, packages of the NVAs, runbooks
  deployed    after the seats were deployed: remembers the keys they sign with
  keys        pin | sign | retire: changes the order keys in three steps, each refused before its time
  down        after azd down: says what is left; --remove takes away the app registration and the custom roles
`;

async function main(): Promise<number> {
  const options = { remove: { type: 'boolean', default: false } } as const;
  const { positionals, values } = parseArgs({ allowPositionals: true, options });
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const place: Place = { folder: '.', environment: process.env, az, azd, say };
  if (positionals[0] === 'preflight') return runPreflight(place);
  if (positionals[0] === 'prepare') return runPrepare(place);
  if (positionals[0] === 'finish') return runFinish(place);
  if (positionals[0] === 'deployed') return runDeployed(place);
  if (positionals[0] === 'down') return runDown(place, values.remove);
  const step = KEY_STEPS.find((one) => one === positionals[1]);
  if (positionals[0] === 'keys' && step !== undefined) return runKeys(place, step);
  process.stderr.write(USAGE);
  return EXIT.usage;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`ERROR: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT.failed;
}
